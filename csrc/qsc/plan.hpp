// What the dispatcher needs to know of a session; constant while it runs.
#pragma once

#include <memory>

#include "photonlink/optics/noise_basis.hpp"
#include "photonlink/qsc/session.hpp"

namespace photonlink::qsc {

struct SessionPlan {
    u64 session = 0;
    u64 key = 0;
    u32 phases = 0;
    u64 output_size = 0;
    u64 basis_size = 0;
    u64 sample_bytes = 0;                               // of a datapoint's samples: a byte for each shot and mode
    std::shared_ptr<const optics::SectorOrder> states;  // that samples name by position; null for exact results
    u64 max_batch = 1;
    double datapoint_ns = 0;  // of computing; 0: not known
    u64 started_ns = 0;
    SessionOptions options;
};

}  // namespace photonlink::qsc
