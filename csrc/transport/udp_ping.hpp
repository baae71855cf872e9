// How a client asks a gateway whether its session runs. Private to transport/.
#pragma once

#include <array>

#include "photonlink/wire/datagram.hpp"
#include "udp_socket.hpp"

namespace photonlink::transport {

/// Time stamp of a ping, by which its answer is known.
inline constexpr u64 kPingStamp = ~0ULL;

inline wire::RequestHeader ping_header() { return {wire::kRequestMagic, wire::kPing, wire::kKeyBytes, 0, kPingStamp}; }

struct UdpPong {
    i32 status;  // the words are there if it is Ok
    u64 words[static_cast<u32>(wire::PingWord::Count)];

    u64 word(wire::PingWord which) const { return words[static_cast<u32>(which)]; }
};

/// Answer to a ping when the session is over.
inline auto end_words(u64 reason) {
    std::array<u64, static_cast<u32>(wire::PingWord::Count)> words{};
    words[static_cast<u32>(wire::PingWord::EndReason)] = reason;
    return words;
}

/// True if the answer in `frame`, whose header was checked, is one to a ping.
bool read_pong(const wire::ResponseHeader& header, const void* frame, UdpPong* pong);

/// Pings the gateway until it answers. Throws link::LinkError: Closed (nobody listens, or the session has ended),
/// Timeout, or Rejected (the gateway serves another session, or has no place for this client).
void greet_gateway(int socket, const sockaddr_in& gateway, u64 key, u64 deadline_ns);

}  // namespace photonlink::transport
