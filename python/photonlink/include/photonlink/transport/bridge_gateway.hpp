// Offers a controller's running session to whoever is at the other end of a transport of CUDA-Q realtime that a
// provider brings along (bridge.hpp): one peer, whose requests lie in the provider's slots and are answered there.
//
// While a session is served, the dispatcher takes requests and answers between its other work; a thread of the
// gateway's own does it while the dispatcher is in an acquisition, and when there is none. A request is known by the
// session key in its first eight payload bytes; a datapoint that comes again is answered from memory and not executed
// again, as behind a UdpGateway.
//
// Every frame with the magic of a request is answered, in its own slot: BadLength, UnknownFunction, NotServing (no
// session), BadKey, SessionExpired, Stale, IdReused, or what the dispatcher says. Other frames are dropped, see
// BridgeDesk::drop().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "photonlink/link/port.hpp"
#include "photonlink/qsc/controller.hpp"
#include "photonlink/transport/bridge.hpp"

namespace photonlink::transport {

struct BridgeOptions {
    std::string library;                 // as Bridge takes it
    std::vector<std::string> arguments;  // the provider's own
    std::optional<u32> slots;            // of a provider that does not say how many it has
    double start_s = 30.0;               // for loading and creating
    double end_s = 5.0;                  // for disconnecting and destroying; then it is left behind
    /// Silence after which a peer that used to ping counts as lost, and a provider that does not send an answer.
    double silence_s = 5.0;
};

enum class BridgeState : u32 {
    Starting,
    Connecting,  // perhaps waiting for the peer
    Serving,
    Failed,  // for good; see problem()
    Ended
};

/// What a gateway has seen since it began.
struct BridgeCounts {
    u64 received = 0;  // frames
    u64 dropped = 0;   // no requests
    u64 refused = 0;   // answered by the gateway with a status other than Ok
    u64 repeated = 0;  // datapoints that had come before
};

class BridgeGateway {
  public:
    /// Loads and creates the transport. It is connected and launched meanwhile, since that may have to wait for the
    /// peer, who needs endpoint(): what fails then is in problem(). Throws BridgeError.
    BridgeGateway(std::shared_ptr<qsc::Controller> controller, const BridgeOptions& options);
    /// Sends the answers that are there, disconnects and destroys the transport, within `end_s`.
    ~BridgeGateway();
    BridgeGateway(const BridgeGateway&) = delete;
    BridgeGateway& operator=(const BridgeGateway&) = delete;

    /// One line of key=value words; empty if the provider has none to tell.
    const std::string& endpoint() const;
    int version() const;
    BridgePlane::Form form() const;
    u32 slots() const;
    u32 slot_bytes() const;
    BridgeState state() const;
    /// Why the transport failed; empty while it has not.
    std::string problem() const;

    /// Offers `grant` from now on, and forgets the session before it. Requests of `request_bytes` with their headers
    /// must fit the provider's slots; results that do not are fetched in pieces out of areas of `geometry.result_bytes`
    /// (or what `geometry.slot_bytes` asks for). Datapoint ids start in range `first_range`. Throws BridgeError of a
    /// transport that has failed, std::invalid_argument if requests do not fit, qsc::UnknownSession if the session does
    /// not run, qsc::ControllerFailed if the controller cannot serve it, and in a forked child.
    void open(const qsc::SessionGrant& grant, const link::Geometry& geometry, u64 request_bytes, u64 first_range = 0);

    /// 1 once the peer of the open session has sent a request with its key, else 0.
    u64 accepted() const;
    BridgeCounts counts() const;

  private:
    class Impl;
    const std::unique_ptr<Impl> impl_;
};

}  // namespace photonlink::transport
