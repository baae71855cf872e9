// Waiting for the device. Not with cudaStreamSynchronize: a device full of waiting kernels must not stop the host for
// good.
#pragma once

#include "error.hpp"
#include "photonlink/link/backoff.hpp"

namespace photonlink::cuda {

/// Waits until `stream` has done what it was given; false if it has not by `deadline_ns` on platform::clock_ns().
/// Throws CudaError when that work failed; `what` is what was tried, to follow "could not".
inline bool wait_for(cudaStream_t stream, u64 deadline_ns, const char* what,
                     const link::Backoff& backoff = {100, 100, 200'000}) {
    link::BackoffState waited(backoff);
    for (;;) {
        const cudaError_t state = cudaStreamQuery(stream);
        if (state == cudaSuccess) return true;
        if (state != cudaErrorNotReady) check(state, what);
        cudaGetLastError();
        if (platform::clock_ns() >= deadline_ns) return false;
        waited.step();
    }
}

}  // namespace photonlink::cuda
