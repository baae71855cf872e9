// Threads that take turns over a word with relaxed order: that fixes who comes next, and orders nothing. All order
// between plain accesses therefore comes from the code under test, and a weakened site is a race in every round, not by
// luck. For the probes of mutation.py, which are built without any library.
#pragma once

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::probe {

inline constexpr u32 kRounds = 50;
inline constexpr u64 kDeadlineNs = 20'000'000'000;

/// Exit status 2 tells mutation.py that a check objected, and not the sanitizer.
inline void check(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "check failed: %s\n", what);
    std::_Exit(2);
}

inline std::atomic<u32> turn{0};

inline void await_turn(u32 mine) {
    const u64 limit = platform::clock_ns() + kDeadlineNs;
    while (turn.load(std::memory_order_relaxed) != mine) {
        check(platform::clock_ns() < limit, "a turn never came");
        std::this_thread::yield();
    }
}

inline void pass_turn(u32 next) { turn.store(next, std::memory_order_relaxed); }

/// What one of the threads does when it is its turn; `number` counts the turns.
struct Step {
    u32 thread;
    std::function<void(u32 number)> run;
};

/// Runs the steps one after the other, kRounds times, each on its thread, which lives through all rounds.
inline void in_turn(u32 threads, const std::vector<Step>& steps) {
    const u32 count = static_cast<u32>(steps.size());
    turn = 0;
    std::vector<std::thread> running;
    for (u32 thread = 0; thread < threads; ++thread)
        running.emplace_back([&steps, count, thread] {
            for (u32 number = 0; number < kRounds * count; ++number) {
                const Step& step = steps[number % count];
                if (step.thread != thread) continue;
                await_turn(number);
                step.run(number);
                pass_turn(number + 1);
            }
        });
    for (std::thread& thread : running) thread.join();
}

}  // namespace photonlink::probe
