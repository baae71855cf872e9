// Knobs of the thread that answers requests.
#pragma once

#include <memory>
#include <optional>

#include "photonlink/qsc/latency.hpp"
#include "photonlink/qsc/stage_log.hpp"

namespace photonlink::qsc {

/// Test equipment: makes a healthy controller misbehave on purpose. A datapoint is an accepted infer or report.
struct Faults {
    bool busy = false;             // every reserve is refused as Busy
    std::optional<u64> mute_from;  // from this datapoint of a session on, nothing is executed or answered
    std::optional<u64> die_at;     // the dispatcher thread dies when it reaches this datapoint
};

struct DispatcherOptions {
    // An idle dispatcher first spins, then yields, then sleeps for growing times: a hot session is answered within a
    // fraction of a microsecond, an idle one costs next to nothing.
    u32 spin_iterations = 1000;
    u32 yield_iterations = 200;
    u32 max_sleep_us = 100;
    u32 max_batch = 256;             // upper bound on what the processor declares
    double drain_s = 5.0;            // how long a release may spend on requests accepted before it
    double processor_grace_s = 5.0;  // ... and on the batch that the processor is at, before it is given up
    Faults faults;
    std::shared_ptr<const LatencySetup> latency;  // null: nothing is asked of the system
    std::shared_ptr<StageLog> stages;             // null: nothing is recorded
};

}  // namespace photonlink::qsc
