#include "photonlink/link/bench.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace photonlink::link {
namespace {

TEST(LatencyRecorder, PercentilesAreNearestRank) {
    std::vector<u64> values(1000);
    for (u64 i = 0; i < values.size(); ++i) values[i] = i + 1;
    std::shuffle(values.begin(), values.end(), std::mt19937_64(5));
    LatencyRecorder recorder(values.size());
    for (const u64 value : values) recorder.record(value);
    const LatencySummary summary = recorder.summary();
    EXPECT_EQ(summary.count, 1000u);
    EXPECT_EQ(summary.min, 1u);
    EXPECT_EQ(summary.p50, 500u);
    EXPECT_EQ(summary.p99, 990u);
    EXPECT_EQ(summary.p999, 999u);
    EXPECT_EQ(summary.max, 1000u);
    EXPECT_DOUBLE_EQ(summary.mean, 500.5);
    EXPECT_EQ(recorder.samples().size(), 1000u);
    EXPECT_EQ(recorder.samples().front(), values.front()) << "kept in order of recording";
}

TEST(LatencyRecorder, CountsWhatItCannotKeepAndClampsWhatItCannotHold) {
    LatencyRecorder recorder(2);
    EXPECT_EQ(recorder.summary().count, 0u);
    recorder.record(1ULL << 40);
    recorder.record(3);
    recorder.record(5);
    EXPECT_EQ(recorder.dropped(), 1u);
    EXPECT_EQ(recorder.summary().max, 0xffffffffu);
    EXPECT_EQ(recorder.summary().p50, 3u);
}

TEST(PingPong, CountsEveryRound) {
    const PingPongStats stats = bare_ping_pong(2000);
    EXPECT_EQ(stats.round_trips_ns.size(), 2000u);
    EXPECT_EQ(stats.summary.count, 2000u);
    EXPECT_GT(stats.clock_overhead_ns, 0.0);
    EXPECT_LE(stats.summary.p50, stats.summary.max);
}

}  // namespace
}  // namespace photonlink::link
