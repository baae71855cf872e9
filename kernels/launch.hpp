// The library's kernels as the host sees them: one function per kernel, for every combination of element sizes that it
// was compiled for. Pointers are device addresses. Nothing here waits or allocates.
#pragma once

#include <cuda_runtime_api.h>

#include "photonlink/device/echo.hpp"
#include "photonlink/device/launch.hpp"
#include "photonlink/device/ping_pong.hpp"

namespace photonlink::cuda {

/// device::Batch before its element types are known.
struct RawBatch {
    const void* features;
    u32 feature_bytes;  // 4 (float) or 8 (double)
    i64 feature_stride;
    void* out;
    i64 out_stride;
    u32* statuses;
    u64 rows;
    u64 first_row = 0;  // see device::Batch
};

template <class Real, class Out>
device::Batch<Real, Out> typed(const RawBatch& raw) {
    return {static_cast<const Real*>(raw.features),
            raw.feature_stride,
            static_cast<Out*>(raw.out),
            raw.out_stride,
            raw.statuses,
            raw.rows,
            raw.first_row};
}

/// The element size of results is link.result_bytes.
cudaError_t launch_infer(const device::Link& link, const RawBatch& batch, device::LaunchWords* words,
                         const device::Launch& launch, cudaStream_t stream);
cudaError_t launch_submit(const device::Link& link, const RawBatch& batch, device::LaunchWords* words,
                          const device::Launch& launch, device::Pending* pending, cudaStream_t stream);
cudaError_t launch_collect(const device::Link& link, const RawBatch& batch, const device::Launch& launch,
                           device::Pending* pending, cudaStream_t stream);
cudaError_t launch_abandon(const device::Link& link, device::Pending* pending, u64 rows, cudaStream_t stream);
/// `batch.out` takes the phases, as doubles without gaps.
cudaError_t launch_encode(const EncodingView& encoding, const RawBatch& batch, u64 groups, cudaStream_t stream);
/// `samples` has callers * calls entries, `counts` one per caller.
cudaError_t launch_echo(const device::Link& link, u64 callers, u64 calls, u64 limit_ns, u32* samples,
                        device::EchoCounts* counts, cudaStream_t stream);
cudaError_t launch_ping(device::PingPongWords* words, u64 rounds, u64 limit_ns, u32* samples,
                        device::PingPongCounts* counts, cudaStream_t stream);

/// Loads every kernel onto the current device now: loading one later may wait for a kernel that waits for it.
cudaError_t preload_kernels();

/// Threads per block: four warps, each a group of its own.
inline constexpr u32 kBlockThreads = 128;
inline constexpr u32 kGroupThreads = 32;

}  // namespace photonlink::cuda
