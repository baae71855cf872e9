// Echo calls back to back, for measuring the link and for finding frames that it lost, doubled or tore: every call
// carries a number of its own and a second word that follows from it, and the answer must bring both back. Portable.
#pragma once

#include "photonlink/device/call.hpp"

namespace photonlink::device {

/// Frame of an echo: key, count, and a sequence of 16 bytes.
inline constexpr u32 kEchoArgBytes = 32;

/// What a caller saw. Zeroed by the host.
struct EchoCounts {
    u64 answered;
    u64 wrong;     // answers that were not the echo of their call
    u64 ended;     // CallStatus that ended the caller before its last call; 0 = Ok
    u64 began_ns;  // platform::clock_ns() at the first and behind the last call, and the same by the fine clock
    u64 ended_ns;
    u64 began_ticks;
    u64 ended_ticks;
};

namespace detail {

/// Second word of the call that carries `number`: a bijection whose result shares no obvious pattern with it.
PHL_HD constexpr u64 echo_check(u64 number) {
    u64 mixed = (number + 1) * 0x9E3779B97F4A7C15ULL;
    mixed ^= mixed >> 32;
    return mixed * 0xD6E8FEB86659FD93ULL;
}

PHL_HD bool is_echo(const Link& link, const link::Ticket& ticket, u64 number) {
    const void* const frame = link.port.response_frame(ticket);
    const auto header = read_words<wire::ResponseHeader>(frame);
    if (wire::check_response(header, link.port.geometry().slot_bytes) != wire::ParseError::None) return false;
    struct Answer {
        u64 count;
        u64 number;
        u64 check;
    };
    if (header.status != 0 || header.result_len != sizeof(Answer)) return false;
    if (header.request_id != static_cast<u32>(number)) return false;
    const auto words = read_words<Answer>(wire::payload(frame));
    return words.count == 2 * sizeof(u64) && words.number == number && words.check == echo_check(number);
}

}  // namespace detail

/// One thread's calls, numbered from `first`: at most `calls`, until `deadline_ns`. `ticks` is a fine clock, and
/// samples[i] becomes the ticks between asking for a slot and having checked the answer of call i.
template <class Ticks>
PHL_HD void echo_calls(Link link, u64 first, u64 calls, u64 deadline_ns, u32* samples, EchoCounts* counts,
                       const Ticks& ticks) {
    EchoCounts seen{};
    seen.began_ns = platform::clock_ns();
    seen.began_ticks = ticks();
    for (u64 call = 0; call < calls && seen.ended == 0; ++call) {
        const u64 number = first + call;
        const u64 begin = ticks();
        const detail::Claim claim = detail::claim_slot(link, deadline_ns);
        const link::Ticket ticket = claim.ticket;
        CallStatus status = claim.status == CallStatus::Full ? CallStatus::Timeout : claim.status;
        if (status == CallStatus::Ok) {
            u8* const frame = static_cast<u8*>(link.port.request_frame(ticket));
            u64* const words = detail::write_header(frame, wire::kEcho, kEchoArgBytes, number);
            words[0] = link.key;
            words[1] = 2 * sizeof(u64);
            words[2] = number;
            words[3] = detail::echo_check(number);
            link.port.submit(ticket);
            status = detail::of_link(link.port.wait(ticket, deadline_ns, link.backoff));
            if (status == CallStatus::Ok) {
                seen.answered += 1;
                seen.wrong += detail::is_echo(link, ticket, number) ? 0 : 1;
                link.port.release(ticket);
                samples[call] = static_cast<u32>(ticks() - begin);
            } else {
                link.port.abandon(ticket);
            }
        }
        seen.ended = static_cast<u64>(status);
    }
    seen.ended_ticks = ticks();
    seen.ended_ns = platform::clock_ns();
    *counts = seen;
}

}  // namespace photonlink::device
