// Waiting for the device. Not with cudaStreamSynchronize: a device full of waiting kernels must not stop the host for
// good.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>

#include "error.hpp"
#include "photonlink/link/backoff.hpp"

namespace photonlink::cuda {

/// Nanoseconds of a time limit, at most some years. Throws std::invalid_argument unless it is above 0.
inline u64 limit_ns(double seconds, const char* name) {
    constexpr double kLongest = 3e8;
    if (!(seconds > 0))
        throw std::invalid_argument(std::string(name) + " is " + std::to_string(seconds) +
                                    " s, expected a time above 0");
    return std::max<u64>(1, static_cast<u64>(std::min(seconds, kLongest) * 1e9));
}

/// Asks `done` until it says so; false if it has not by `deadline_ns` on platform::clock_ns().
template <class Done>
bool wait_until(const Done& done, u64 deadline_ns, const link::Backoff& backoff) {
    for (link::BackoffState waited(backoff); !done(); waited.step())
        if (platform::clock_ns() >= deadline_ns) return false;
    return true;
}

/// Waits until `stream` has done what it was given; false if it has not by `deadline_ns` on platform::clock_ns().
/// Throws CudaError when that work failed; `what` is what was tried, to follow "could not".
inline bool wait_for(cudaStream_t stream, u64 deadline_ns, const char* what,
                     const link::Backoff& backoff = {100, 100, 200'000}) {
    const auto done = [&] {
        const cudaError_t state = cudaStreamQuery(stream);
        if (state == cudaSuccess) return true;
        if (state != cudaErrorNotReady) check(state, what);
        cudaGetLastError();
        return false;
    };
    return wait_until(done, deadline_ns, backoff);
}

}  // namespace photonlink::cuda
