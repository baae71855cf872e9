// Waiting for what another thread does, with a bound; counting threads.
#pragma once

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "photonlink/platform.hpp"

namespace photonlink::qsc::test {

inline constexpr u64 kPatience_ns = 240'000'000'000;  // only ever reached by a failure

inline std::size_t thread_count() {
    const auto tasks = std::filesystem::directory_iterator("/proc/self/task");
    return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

/// Waits until `done`; a failure after kPatience_ns.
inline void wait_until(const std::function<bool()>& done) {
    const u64 deadline = platform::clock_ns() + kPatience_ns;
    while (!done()) {
        ASSERT_LT(platform::clock_ns(), deadline) << "gave up waiting";
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

/// Waits until the process has `count` threads: one that was joined leaves /proc a moment later.
inline void expect_threads(std::size_t count) {
    wait_until([count] { return thread_count() == count; });
}

/// The number of threads before a test starts any. A sanitizer starts a thread of its own with the first thread of the
/// program, so there has been one; it is gone from /proc, too.
inline std::size_t threads_at_rest() {
    static const std::size_t at_rest = [] {
        long first = 0;
        std::thread([&first] { first = ::syscall(SYS_gettid); }).join();
        wait_until([first] { return !std::filesystem::exists("/proc/self/task/" + std::to_string(first)); });
        return thread_count();
    }();
    return at_rest;
}

}  // namespace photonlink::qsc::test
