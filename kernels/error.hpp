// A CUDA call that failed.
#pragma once

#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

namespace photonlink::cuda {

/// What was tried, and CUDA's name and text of what came of it.
class CudaError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

inline std::string describe(cudaError_t code) {
    return std::string(cudaGetErrorName(code)) + " (" + cudaGetErrorString(code) + ")";
}

/// Throws CudaError unless `code` is success. `what` is what was tried, to follow "could not".
inline void check(cudaError_t code, const char* what) {
    if (code == cudaSuccess) return;
    cudaGetLastError();  // the runtime remembers it for whoever asks next: that is not their error
    throw CudaError(std::string("could not ") + what + ": " + describe(code));
}

}  // namespace photonlink::cuda
