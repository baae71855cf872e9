// How to wait: spin with a pause first (an answer in flight takes a fraction of a microsecond), then give the core
// away (with more threads than cores nothing moves otherwise), then sleep for growing moments (an acquisition takes
// milliseconds and deserves no busy core). Portable.
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink::link {

/// Limits of the three stages.
struct Backoff {
    u32 spins = 400;         // looks with only a pause between them
    u32 yields = 200;        // looks with a sched_yield between them
    u32 sleep_ns = 100'000;  // longest sleep between two looks after that; 0 = keep yielding
};

/// Progress of one wait through the stages.
class BackoffState {
  public:
    PHL_HD explicit BackoffState(const Backoff& limits) : limits_(limits) {}

    /// Waits one step. True once the wait has left the spinning stage: time for clock, close word and heartbeat.
    PHL_HD bool step() {
        if (taken_ < limits_.spins) {
            ++taken_;
            platform::pause();
            return false;
        }
        if (taken_ - limits_.spins < limits_.yields || limits_.sleep_ns == 0) {
            if (taken_ - limits_.spins < limits_.yields) ++taken_;
            platform::yield();
            return true;
        }
        platform::sleep_ns(sleep_);
        sleep_ = sleep_ * 2 < limits_.sleep_ns ? sleep_ * 2 : limits_.sleep_ns;
        return true;
    }

    /// Something happened: the next wait starts with spinning again.
    PHL_HD void reset() {
        taken_ = 0;
        sleep_ = kFirstSleepNs;
    }

  private:
    static constexpr u32 kFirstSleepNs = 1000;

    Backoff limits_;
    u32 taken_ = 0;
    u32 sleep_ = kFirstSleepNs;
};

}  // namespace photonlink::link
