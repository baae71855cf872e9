// The floor under every call over the link: one word there, one word back, with the link's memory orders and nothing
// else. A kernel plays `ping`, a host thread `pong`. Portable.
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink::device {

/// Two words that two sides bounce, two cache lines apart: neighbouring lines are fetched in pairs.
struct PingPongWords {
    alignas(2 * kCacheLine) u64 request;
    alignas(2 * kCacheLine) u64 response;
};

/// What the kernel's side saw; the clocks as in EchoCounts.
struct PingPongCounts {
    u64 rounds;
    u64 began_ns;
    u64 ended_ns;
    u64 began_ticks;
    u64 ended_ticks;
};

namespace detail {

/// Not a site of the protocol, so never weakened.
inline constexpr int kNoSite = -1;

/// Spins until `word` holds `value`, and looks at the clock only every so often; false at the deadline.
PHL_HD bool await_word(const u64* word, u64 value, u64 deadline_ns) {
    constexpr u32 kLooks = 1024;
    for (u32 looked = 0; platform::load_acquire_system<kNoSite>(word) != value;) {
        if (++looked < kLooks) continue;
        looked = 0;
        if (platform::clock_ns() >= deadline_ns) return false;
        platform::yield();  // on a machine with fewer cores than sides nothing moves otherwise
    }
    return true;
}

}  // namespace detail

/// Bounces at most `rounds` times until `deadline_ns`; samples[i] becomes the ticks of round i.
template <class Ticks>
PHL_HD void ping(PingPongWords* words, u64 rounds, u64 deadline_ns, u32* samples, PingPongCounts* counts,
                 const Ticks& ticks) {
    PingPongCounts seen{0, platform::clock_ns(), 0, ticks(), 0};
    for (u64 round = 1; round <= rounds; ++round) {
        const u64 begin = ticks();
        platform::store_release_system<detail::kNoSite>(&words->request, round);
        if (!detail::await_word(&words->response, round, deadline_ns)) break;
        samples[round - 1] = static_cast<u32>(ticks() - begin);
        seen.rounds = round;
    }
    seen.ended_ticks = ticks();
    seen.ended_ns = platform::clock_ns();
    *counts = seen;
}

/// Answers ping(); returns the rounds answered.
PHL_HD u64 pong(PingPongWords* words, u64 rounds, u64 deadline_ns) {
    for (u64 round = 1; round <= rounds; ++round) {
        if (!detail::await_word(&words->request, round, deadline_ns)) return round - 1;
        platform::store_release_system<detail::kNoSite>(&words->response, round);
    }
    return rounds;
}

}  // namespace photonlink::device
