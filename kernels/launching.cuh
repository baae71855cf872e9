// Launching with checked arguments, and choosing a template by element sizes.
#pragma once

#include "launch.hpp"

namespace photonlink::cuda {

// One per file that holds kernels, for preload_kernels().
cudaError_t preload_infer();
cudaError_t preload_split();
cudaError_t preload_encode();
cudaError_t preload_bench();
cudaError_t preload_simulate();  // for preload_simulator()

/// Index of the calling warp in its grid.
__device__ inline u64 warp_index() { return (static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x) / kGroupThreads; }

/// A grid of `blocks` blocks. The result is CUDA's own for this launch: the runtime's last error could be somebody
/// else's.
template <class... Parameters, class... Arguments>
cudaError_t launch_blocks(void (*kernel)(Parameters...), u64 blocks, u32 threads, cudaStream_t stream,
                          const Arguments&... arguments) {
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(threads);
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...);
}

/// A grid with a warp for each of `groups`.
template <class... Parameters, class... Arguments>
cudaError_t launch_groups(void (*kernel)(Parameters...), u64 groups, cudaStream_t stream,
                          const Arguments&... arguments) {
    constexpr u32 kGroupsPerBlock = kBlockThreads / kGroupThreads;
    return launch_blocks(kernel, (groups + kGroupsPerBlock - 1) / kGroupsPerBlock,
                         groups == 1 ? kGroupThreads : kBlockThreads, stream, arguments...);
}

inline cudaError_t preload(const void* kernel) {
    cudaFuncAttributes attributes;
    return cudaFuncGetAttributes(&attributes, kernel);
}

/// The first that failed.
inline cudaError_t first_error(std::initializer_list<cudaError_t> codes) {
    for (const cudaError_t code : codes)
        if (code != cudaSuccess) return code;
    return cudaSuccess;
}

/// Calls `body(Real(), Out())` with the types of these sizes.
template <class Body>
cudaError_t with_types(u32 feature_bytes, u32 result_bytes, const Body& body) {
    if (feature_bytes == sizeof(float)) return result_bytes == sizeof(float) ? body(0.0F, 0.0F) : body(0.0F, 0.0);
    return result_bytes == sizeof(float) ? body(0.0, 0.0F) : body(0.0, 0.0);
}

}  // namespace photonlink::cuda
