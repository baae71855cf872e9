// What tests steer the made-up CUDA runtime with, and what it saw.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::cuda::fake {

using Task = std::function<void()>;
using Graph = std::vector<Task>;

/// Runs `task` on `stream` behind what was put there before, or records it while the stream is captured.
void enqueue(cudaStream_t stream, Task task);

void begin_capture(cudaStream_t stream);
Graph end_capture(cudaStream_t stream);
void replay(const Graph& graph, cudaStream_t stream);

/// What has been handed out and not given back: device and mapped memory, registrations, streams and events.
u64 live();
/// Calls that a real runtime would have refused, or that would have spoilt a capture.
u64 violations();

/// The device's answers about read-only registration, and whether the next mark in a stream fails.
void set_read_only_supported(bool supported);
void fail_next_record();

}  // namespace photonlink::cuda::fake
