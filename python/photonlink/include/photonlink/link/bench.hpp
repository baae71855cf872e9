// Measuring the link: a recorder for raw latencies, and the floor under every link latency, a bare cache-line ping-pong
// between two threads.
#pragma once

#include <cstddef>
#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::link {

/// Percentiles of recorded latencies, in nanoseconds, by nearest rank.
struct LatencySummary {
    u64 count = 0;
    double mean = 0;
    u32 min = 0;
    u32 p50 = 0;
    u32 p99 = 0;
    u32 p999 = 0;
    u32 max = 0;
};

/// Raw samples in memory reserved beforehand: recording neither allocates nor sorts. Samples beyond the capacity are
/// counted, not kept; a sample above 4.29 s is recorded as that.
class LatencyRecorder {
  public:
    explicit LatencyRecorder(std::size_t capacity);

    void record(u64 nanoseconds);
    LatencySummary summary() const;
    /// In order of recording.
    const std::vector<u32>& samples() const { return samples_; }
    u64 dropped() const { return dropped_; }

  private:
    std::vector<u32> samples_;
    std::size_t capacity_;
    u64 dropped_ = 0;
};

struct PingPongStats {
    std::vector<u32> round_trips_ns;
    LatencySummary summary;
    double clock_overhead_ns = 0;  // of one clock read; every sample contains about one
};

/// Two threads bounce a word on a request line and a word on a response line, with the link's memory orders and nothing
/// else, `rounds` times. Bounded only by the scheduler; the two threads need two cores for a meaningful figure.
PingPongStats bare_ping_pong(u64 rounds);

}  // namespace photonlink::link
