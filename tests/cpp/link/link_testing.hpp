// Shared by the link tests: deadlines, payload patterns and a server thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "photonlink/link/memory.hpp"

namespace photonlink::link::testing {

/// Far beyond any scheduling hiccup: only a broken link reaches it.
inline constexpr u64 kPatienceNs = 240'000'000'000;
inline u64 patience() { return platform::clock_ns() + kPatienceNs; }

/// Gives the core away early: tests have more threads than the machine has cores.
inline constexpr Backoff kCrowded{20, 100, 20'000};

/// Words that depend on a seed, so that a mixed-up or torn frame shows.
inline void write_words(void* frame, u64 seed, u64 count) {
    std::vector<u64> words(count);
    std::mt19937_64 random(seed);
    std::generate(words.begin(), words.end(), random);
    words[0] = seed;
    std::memcpy(frame, words.data(), count * 8);
}

inline bool words_match(const void* frame, u64 seed, u64 count) {
    std::vector<u64> expected(count);
    write_words(expected.data(), seed, count);
    return std::memcmp(frame, expected.data(), count * 8) == 0;
}

inline u64 seed_of(const void* frame) {
    u64 seed = 0;
    std::memcpy(&seed, frame, sizeof seed);
    return seed;
}

/// The answer to a request with this seed has this one.
inline u64 answer_seed(u64 seed) { return ~seed; }

/// Serves a port on a thread of its own until destroyed.
class ServerThread {
  public:
    using Serve = std::function<void(ServerHandle&, const std::vector<Arrival>&)>;
    using WhenIdle = std::function<void(ServerHandle&)>;  // for every look that finds nothing

    ServerThread(
        ServerHandle server, Serve serve, WhenIdle when_idle = [](ServerHandle&) {})
        : thread_([this, server, serve = std::move(serve), when_idle = std::move(when_idle)]() mutable {
              run(server, serve, when_idle);
          }) {}
    ~ServerThread() {
        stop_ = true;
        thread_.join();
    }

  private:
    void run(ServerHandle& server, const Serve& serve, const WhenIdle& when_idle) {
        std::vector<Arrival> batch(server.geometry().slots);
        BackoffState idle(kCrowded);
        while (!stop_) {
            const u32 count = server.poll_all(batch.data());
            server.beat();
            if (count == 0) {
                idle.step();
                when_idle(server);
                continue;
            }
            idle.reset();
            serve(server, {batch.begin(), batch.begin() + count});
        }
    }

    std::atomic<bool> stop_{false};
    std::thread thread_;
};

inline std::size_t open_fds() {
    const std::filesystem::directory_iterator entries("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace photonlink::link::testing
