#include "photonlink/link/bench.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "photonlink/link/backoff.hpp"

namespace photonlink::link {
namespace {

// Not a site of the protocol, so never weakened.
constexpr int kNoSite = -1;

struct Lines {
    alignas(2 * kCacheLine) u64 request = 0;  // two lines apart: adjacent lines are fetched in pairs
    alignas(2 * kCacheLine) u64 response = 0;
};

void await(const u64* word, u64 value) {
    // Pauses only as long as the answer can be in flight, then yields, so that it ends on one core too.
    BackoffState backoff(Backoff{2'000, 1, 0});
    while (platform::load_acquire_system<kNoSite>(word) != value) backoff.step();
}

double clock_overhead_ns() {
    constexpr u32 kReads = 10'000;
    const u64 begin = platform::clock_ns();
    u64 last = begin;
    for (u32 i = 0; i < kReads; ++i) last = platform::clock_ns();
    return static_cast<double>(last - begin) / kReads;
}

u32 nearest_rank(const std::vector<u32>& sorted, double fraction) {
    const auto rank = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
    return sorted[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace

// Filled once and emptied, so that recording takes no page fault.
LatencyRecorder::LatencyRecorder(std::size_t capacity) : samples_(capacity), capacity_(capacity) { samples_.clear(); }

void LatencyRecorder::record(u64 nanoseconds) {
    if (samples_.size() == capacity_) {
        ++dropped_;
        return;
    }
    samples_.push_back(static_cast<u32>(std::min<u64>(nanoseconds, std::numeric_limits<u32>::max())));
}

LatencySummary LatencyRecorder::summary() const {
    if (samples_.empty()) return {};
    std::vector<u32> sorted = samples_;
    std::sort(sorted.begin(), sorted.end());
    double sum = 0;
    for (const u32 sample : sorted) sum += sample;
    return {sorted.size(),
            sum / static_cast<double>(sorted.size()),
            sorted.front(),
            nearest_rank(sorted, 0.5),
            nearest_rank(sorted, 0.99),
            nearest_rank(sorted, 0.999),
            sorted.back()};
}

PingPongStats bare_ping_pong(u64 rounds) {
    Lines lines;
    std::thread echo([&lines, rounds] {
        for (u64 round = 1; round <= rounds; ++round) {
            await(&lines.request, round);
            platform::store_release_system<kNoSite>(&lines.response, round);
        }
    });
    LatencyRecorder recorder(rounds);
    for (u64 round = 1; round <= rounds; ++round) {
        const u64 begin = platform::clock_ns();
        platform::store_release_system<kNoSite>(&lines.request, round);
        await(&lines.response, round);
        recorder.record(platform::clock_ns() - begin);
    }
    echo.join();
    return {recorder.samples(), recorder.summary(), clock_overhead_ns()};
}

}  // namespace photonlink::link
