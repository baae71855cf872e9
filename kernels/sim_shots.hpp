// The kernels of sampling without a distribution as the host sees them. Nothing here waits or allocates.
#pragma once

#include <cuda_runtime_api.h>

#include "photonlink/optics/gpu/shots.hpp"

namespace photonlink::cuda {

/// The tile's shots, one at a time by each of at most `blocks` warps.
cudaError_t launch_shots(const optics::gpu::ShotJob& job, u64 blocks, cudaStream_t stream);

/// Outputs and kept fractions from what the shots have counted.
template <class Real>
cudaError_t launch_publish_shots(const optics::gpu::ShotJob& job, const optics::gpu::Results<Real>& results,
                                 cudaStream_t stream);

/// Loads these kernels onto the current device now, so that no launch does.
cudaError_t preload_shots();

}  // namespace photonlink::cuda
