// Measuring datagrams: a caller for any service that answers a frame with a frame, and the least that can answer it.
//
// The caller does its own socket calls, one datagram out and one back, as a client without a session would. Caller,
// bare echo and gateway wait alike: they look again and again, and give their core away only after a while.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::transport {

/// A thread that sends every datagram back as it came, and does nothing else.
class UdpEcho {
  public:
    /// On loopback, for datagrams of at most `datagram_bytes`. The thread runs where the one that makes it may. Throws
    /// std::system_error when the system refuses.
    explicit UdpEcho(u32 datagram_bytes);
    ~UdpEcho();
    UdpEcho(const UdpEcho&) = delete;
    UdpEcho& operator=(const UdpEcho&) = delete;

    u16 port() const;

  private:
    class Impl;
    const std::unique_ptr<Impl> impl_;
};

struct UdpPingPong {
    std::vector<u32> round_trips_ns;
    std::vector<u8> answer;  // the last
};

/// Sends `request`, a frame, with another request id in each of `rounds` rounds, and waits for the datagram that has
/// the same id. Throws std::invalid_argument for a request without a header or an address that is none,
/// std::system_error when the system refuses, link::LinkError(Timeout) if there is no answer within seconds.
UdpPingPong udp_ping_pong(const std::string& host, u16 port, std::vector<u8> request, u64 rounds);

}  // namespace photonlink::transport
