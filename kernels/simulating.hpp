// The simulator's kernels as the host sees them. Nothing here waits or allocates.
#pragma once

#include "launch.hpp"
#include "photonlink/device/simulate.hpp"

namespace photonlink::cuda {

/// The features of a tile before their type is known.
struct RawFeatures {
    const void* values;
    u32 bytes;  // 4 (float) or 8 (double)
    i64 stride;
};

template <class Feature>
device::Features<Feature> typed(const RawFeatures& raw) {
    return {static_cast<const Feature*>(raw.values), raw.stride};
}

/// A tile in one launch: each block takes `rows_per_block` rows through all tasks.
template <class Real>
cudaError_t launch_simulate(const device::Simulation<Real>& tile, const RawFeatures& features, u32 rows_per_block,
                            cudaStream_t stream);

/// The same task by task, each by at most `blocks` blocks; first the columns of every row, or results with a closed
/// form.
template <class Real>
cudaError_t launch_prepare(const device::Simulation<Real>& tile, const RawFeatures& features, cudaStream_t stream);
template <class Real>
cudaError_t launch_task(const device::Simulation<Real>& tile, const optics::gpu::Task& task, u32 blocks,
                        cudaStream_t stream);

/// Statuses, failures and ids, last of a tile; see device::end_tile().
template <class Real>
cudaError_t launch_end(const device::Simulation<Real>& tile, u64 executed_rows, cudaStream_t stream);

/// Loads the simulator's kernels onto the current device now, so that no launch does.
cudaError_t preload_simulator();

/// Threads of a block that takes rows through all tasks, and of one that shares a task or prepares a row.
inline constexpr u32 kSimulatingThreads = 512;
inline constexpr u32 kTaskThreads = 256;
inline constexpr u32 kPreparingThreads = 128;

}  // namespace photonlink::cuda
