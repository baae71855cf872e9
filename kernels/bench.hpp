// Measurements on the device: echo calls from many callers, and the bare round trip that they are compared with.
#pragma once

#include <vector>

#include "device_link.hpp"

namespace photonlink::cuda {

struct EchoReport {
    std::vector<double> latencies_ns;  // of every answered call
    u64 answered = 0;
    u64 wrong = 0;       // answers that were not the echo of their call: lost, doubled or torn frames
    u64 incomplete = 0;  // callers that ended before their last call
    u32 ended = 0;       // CallStatus of the first of them
    double seconds = 0;  // from the first call to the last answer
};

struct PingPongReport {
    std::vector<double> latencies_ns;
    u64 rounds = 0;
    double seconds = 0;
};

/// `callers` threads of the device, one per warp, make `calls` calls each. Ends soon after `timeout` seconds at the
/// latest. Throws std::invalid_argument, CudaError.
EchoReport measure_echo(DeviceLink& link, u64 callers, u64 calls, double timeout);

/// A thread of the device and a thread of this process bounce a word through mapped memory.
PingPongReport measure_ping_pong(int device, u64 rounds, double timeout);

}  // namespace photonlink::cuda
