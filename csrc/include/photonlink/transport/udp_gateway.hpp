// Offers a controller's running session to clients that speak CUDA-Q realtime datagrams over UDP (wire/datagram.hpp).
//
// One socket. While a session is served, the dispatcher receives and answers between its other work; a thread of the
// gateway's own does it while the dispatcher is in an acquisition, and when there is none. Requests are told apart by
// the session key in their first eight payload bytes, clients by their source address; each client gets a port of its
// own, which the dispatcher serves beside the others. A datapoint that comes again is answered from memory and not
// executed again: the last 4 x slots datapoints of a client are remembered with their answers, and of all before them
// the ids. No datagram can end a thread or make it allocate, except the first of a new client.
//
// Less than 24 bytes, a wrong magic, more bytes than a slot holds or fewer than the header says are dropped without an
// answer. Every other request is answered: BadLength, UnknownFunction, NotServing (no session, or no place for one more
// client), BadKey, SessionExpired, Stale (executed long ago), IdReused, or what the dispatcher says. With tags,
// whatever does not carry the right one is dropped too; clients of the session before are told that it has ended.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "photonlink/link/port.hpp"
#include "photonlink/qsc/controller.hpp"
#include "photonlink/wire/tag.hpp"

namespace photonlink::transport {

struct UdpOptions {
    std::string host = "127.0.0.1";  // IPv4 address in numbers
    u16 port = 0;                    // 0: any free one
    /// Every frame carries an authentication tag (wire/tag.hpp); beyond loopback it must.
    bool tags = false;
    /// Silence after which a client that used to ping counts as lost; when all are, the session ends.
    double silence_s = 5.0;
    u32 most_clients = 16;  // at a time
};

/// What a gateway has seen since it began.
struct UdpCounts {
    u64 received = 0;  // datagrams
    u64 dropped = 0;   // not answered: malformed, damaged on the way, or without the right tag
    u64 refused = 0;   // answered by the gateway with a status other than Ok
    u64 repeated = 0;  // datapoints that had come before
};

class UdpGateway {
  public:
    /// Receives from now on, and until the first open() answers NotServing, with tags nothing. Throws
    /// std::invalid_argument for an address that is none, or lies beyond loopback without tags, std::system_error when
    /// it is taken.
    UdpGateway(std::shared_ptr<qsc::Controller> controller, const UdpOptions& options = {});
    /// Sends the answers that are there, and ends.
    ~UdpGateway();
    UdpGateway(const UdpGateway&) = delete;
    UdpGateway& operator=(const UdpGateway&) = delete;

    const std::string& host() const;
    u16 port() const;

    /// Throws std::invalid_argument unless requests and answers of such slots fit into datagrams.
    static void require_valid(const link::Geometry& geometry);

    /// Offers `grant` from now on, and forgets the session before it. Clients get ports of `geometry`; the datapoint
    /// ids of the first start in range `first_range`. Returns the secret of the session that clients must know, if
    /// frames carry tags; else they must know its key. What was executed in a session that has ended can still be asked
    /// for until the next one is opened. Throws std::invalid_argument as require_valid(); qsc::UnknownSession if the
    /// session does not run; qsc::ControllerFailed if the controller cannot serve it, and in a forked child.
    std::optional<wire::TagKey> open(const qsc::SessionGrant& grant, const link::Geometry& geometry,
                                     u64 first_range = 0);

    /// Clients of the open session so far.
    u64 accepted() const;
    /// Of the session that was opened last: the longest request and, without tags, the length of every answer.
    u32 slot_bytes() const;
    UdpCounts counts() const;

  private:
    class Impl;
    const std::unique_ptr<Impl> impl_;
};

}  // namespace photonlink::transport
