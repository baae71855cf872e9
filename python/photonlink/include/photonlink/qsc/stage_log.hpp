// When datapoints passed the stages of their controller: for traces and benchmarks. A dispatcher without a log reads no
// clock for it.
#pragma once

#include <atomic>
#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::qsc {

/// One answered datapoint; times on platform::clock_ns().
struct Stages {
    u64 session = 0;
    u64 id = 0;
    u64 accepted_ns = 0;   // seen in its slot
    u64 begun_ns = 0;      // its batch went to the processor
    u64 executed_ns = 0;   // the processor came back with the batch
    u64 published_ns = 0;  // modelled time waited out, answer about to be published
};

/// Room for the first datapoints of a controller; later ones are only counted. Written by one dispatcher at a time,
/// read by anybody.
class StageLog {
  public:
    explicit StageLog(u64 capacity) : entries_(capacity) {}

    /// By the dispatcher, before it publishes the answer: whoever holds the answer finds the entry.
    void record(const Stages& stages) {
        const u64 seen = seen_.load(std::memory_order_relaxed);
        if (seen < entries_.size()) entries_[seen] = stages;
        seen_.store(seen + 1, std::memory_order_release);  // pairs with seen(): entries below it are there
    }

    /// Datapoints answered so far; entries exist for the first capacity() of them.
    u64 seen() const { return seen_.load(std::memory_order_acquire); }
    u64 capacity() const { return entries_.size(); }

    std::vector<Stages> entries() const {
        const u64 count = seen();
        const auto end = count < capacity() ? entries_.begin() + static_cast<i64>(count) : entries_.end();
        return {entries_.begin(), end};
    }

  private:
    std::vector<Stages> entries_;
    std::atomic<u64> seen_{0};
};

}  // namespace photonlink::qsc
