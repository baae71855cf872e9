// Deterministic latency: what a controller's threads ask of the operating system, and what they were given.
//
// A refusal is an outcome, not an error: rights differ from machine to machine, and whoever insists can read the
// report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::qsc {

struct LatencyOptions {
    std::vector<u32> dispatcher_cpus;  // where the thread that answers requests may run; empty: anywhere
    std::vector<u32> transport_cpus;   // ... and those that take clients and datagrams in
    bool lock_memory = false;          // mlockall: no page fault once a page was touched
    u32 realtime_priority = 0;         // SCHED_FIFO of the dispatcher, 1 to 99; 0 leaves the scheduler as it is
    bool local_memory = false;         // ring memory on the NUMA node of the dispatcher's CPUs

    bool any() const {
        return !dispatcher_cpus.empty() || !transport_cpus.empty() || lock_memory || realtime_priority != 0 ||
               local_memory;
    }
};

/// One thing that was asked for, and what came of it.
struct LatencyOutcome {
    std::string measure;
    std::string asked;
    bool granted = false;
    std::string detail;  // what was done, or why not and what would help
};

/// Where a thread's memory comes from, as the kernel keeps it.
struct MemoryPolicy {
    static constexpr u32 kMostNodes = 1024;
    int mode = 0;
    unsigned long nodes[kMostNodes / (8 * sizeof(unsigned long))] = {};
};

class LatencySetup {
  public:
    /// Asks for everything once, on a thread of its own where a thread is concerned, so that the report is there before
    /// the first session. Locks memory for good: that belongs to the process. Throws std::invalid_argument for a
    /// priority or a CPU number that no system has.
    explicit LatencySetup(LatencyOptions options);

    /// What was asked for, in a fixed order.
    const std::vector<LatencyOutcome>& report() const { return report_; }

    /// By a thread, for itself. What the report says is refused is refused again, without a word.
    void settle_dispatcher() const;
    void settle_transport() const;

  private:
    friend class LocalMemory;
    void try_on_thread();
    void try_local_memory();
    void note(std::string measure, std::string asked, std::string detail, bool granted);

    const LatencyOptions options_;
    std::optional<MemoryPolicy> local_;  // if memory is to come from one node
    std::vector<LatencyOutcome> report_;
};

/// Pages that this thread touches first during the lifetime of the object come from the dispatcher's node; then the
/// thread gets its own memory policy back. Does nothing without a setup, or where that was refused.
class LocalMemory {
  public:
    explicit LocalMemory(const LatencySetup* setup);
    ~LocalMemory();
    LocalMemory(const LocalMemory&) = delete;
    LocalMemory& operator=(const LocalMemory&) = delete;

  private:
    std::optional<MemoryPolicy> before_;
};

}  // namespace photonlink::qsc
