// What the dispatcher needs to know of a session; constant while it runs.
#pragma once

#include "photonlink/qsc/session.hpp"

namespace photonlink::qsc {

struct SessionPlan {
    u64 session = 0;
    u64 key = 0;
    u32 phases = 0;
    u64 output_size = 0;
    u64 basis_size = 0;
    u64 max_batch = 1;
    u64 started_ns = 0;
    SessionOptions options;
};

}  // namespace photonlink::qsc
