#include "udp_ping.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "photonlink/link/memory.hpp"
#include "photonlink/qsc/ledger.hpp"

namespace photonlink::transport {

namespace {

using link::LinkError;
using link::LinkStatus;

constexpr u64 kAgainNs = 50'000'000;

[[noreturn]] void nobody_listens(const sockaddr_in& gateway) {
    throw LinkError(LinkStatus::Closed, "nobody listens at " + to_string(gateway));
}

[[noreturn]] void refuse(const sockaddr_in& gateway, const UdpPong& pong) {
    if (pong.status != static_cast<i32>(wire::Status::Ok))
        throw LinkError(LinkStatus::Rejected, "the controller at " + to_string(gateway) +
                                                  " does not take this client, with wire status " +
                                                  std::to_string(pong.status) + ": reserve a new session");
    const auto reason = static_cast<qsc::EndReason>(pong.word(wire::PingWord::EndReason));
    throw LinkError(LinkStatus::Closed, "the session at " + to_string(gateway) + " has ended (" +
                                            qsc::to_string(reason) + "): reserve a new one");
}

}  // namespace

bool read_pong(const wire::ResponseHeader& header, const void* frame, UdpPong* pong) {
    if (header.ptp_timestamp != kPingStamp) return false;
    pong->status = header.status;
    if (header.status != static_cast<i32>(wire::Status::Ok)) return true;
    if (header.result_len != sizeof pong->words) return false;
    std::memcpy(pong->words, wire::payload(frame), sizeof pong->words);
    return true;
}

bool send_request(int socket, const wire::RequestHeader& header, const void* payload) {
    wire::RequestHeader copy = header;
    iovec parts[] = {{&copy, sizeof copy}, {const_cast<void*>(payload), header.arg_len}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno != ECONNREFUSED;
}

void greet_gateway(int socket, const sockaddr_in& gateway, u64 key, u64 deadline_ns) {
    std::vector<u8> in(wire::kMaxDatagramBytes);
    u64 sent_ns = 0;
    for (u64 now = platform::clock_ns(); now < deadline_ns; now = platform::clock_ns()) {
        if (now - sent_ns >= kAgainNs) {
            if (!send_request(socket, ping_header(), &key)) nobody_listens(gateway);
            sent_ns = now;
        }
        await_datagram(socket, -1, std::min(kAgainNs, deadline_ns - now));
        const ssize_t bytes = ::recv(socket, in.data(), in.size(), MSG_DONTWAIT);
        if (bytes < 0 && errno == ECONNREFUSED) nobody_listens(gateway);
        if (bytes < 0) continue;
        wire::ResponseHeader header;
        UdpPong pong{};
        if (wire::parse_response(in.data(), static_cast<u64>(bytes), &header) != wire::ParseError::None) continue;
        if (!read_pong(header, in.data(), &pong)) continue;
        if (pong.word(wire::PingWord::Serving) == 1) return;
        refuse(gateway, pong);
    }
    throw LinkError(LinkStatus::Timeout, "the controller at " + to_string(gateway) + " does not answer");
}

}  // namespace photonlink::transport
