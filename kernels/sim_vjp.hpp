// Derivatives of the simulated processor as the host launches them. Pointers are device addresses. Nothing here waits
// or allocates.
#pragma once

#include <cuda_runtime_api.h>

#include "photonlink/optics/gpu/vjp.hpp"

namespace photonlink::cuda {

/// How a tile is spread over the GPU.
struct VjpSpread {
    u32 group_rows;  // that a block takes from beginning to end; 0: a launch per task, shared by all blocks
    u32 blocks;      // of such a launch, at most
};

/// `tasks` are those of the tile, in host memory. Derivatives with respect to interferometers are added to what is
/// there.
cudaError_t launch_vjp(const optics::gpu::Vjp<float>& tile, const optics::gpu::VjpTask* tasks, const VjpSpread& spread,
                       cudaStream_t stream);
cudaError_t launch_vjp(const optics::gpu::Vjp<double>& tile, const optics::gpu::VjpTask* tasks, const VjpSpread& spread,
                       cudaStream_t stream);

/// Loads the kernels onto the current device now, so that no launch does.
cudaError_t preload_sim_vjp();

}  // namespace photonlink::cuda
