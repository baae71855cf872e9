#include "udp_ping.hpp"

#include <cstring>

#include "photonlink/link/memory.hpp"
#include "photonlink/qsc/ledger.hpp"
#include "udp_join.hpp"

namespace photonlink::transport {

namespace {

using link::LinkError;
using link::LinkStatus;

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

void greet_gateway(int socket, const sockaddr_in& gateway, u64 key, u64 deadline_ns) {
    const auto ping = [&] { return send_request(socket, ping_header(), &key, nullptr); };
    ask_gateway(socket, gateway, deadline_ns, ping, [&](const wire::ResponseHeader& header, const u8* frame, u64) {
        UdpPong pong{};
        if (!read_pong(header, frame, &pong)) return Heard::Nothing;
        if (pong.word(wire::PingWord::Serving) != 1) refuse(gateway, pong);
        return Heard::Enough;
    });
}

}  // namespace photonlink::transport
