// Sampling without a distribution: a warp draws one shot after the other, in shared memory.
#include "launching.cuh"
#include "sim_shots.hpp"
#include "simulating.hpp"

namespace photonlink::cuda {
namespace {

using optics::gpu::ShotJob;
using optics::gpu::ShotRoom;

/// A warp is a block of its own, so that the shared memory of a block is that of one shot. `Width` bounds the photons:
/// what a thread keeps of so many columns stays in registers.
template <u32 Width>
__global__ void __launch_bounds__(kGroupThreads, 1) shots_kernel(ShotJob job) {
    extern __shared__ optics::gpu::Complex64 room[];
    optics::gpu::draw_tile<Width>(WarpGroup(), job, ShotRoom(room, job.tables.modes, job.tables.photons), blockIdx.x,
                                  gridDim.x);
}

template <class Real>
__global__ void __launch_bounds__(kTaskThreads) publish_shots_kernel(ShotJob job, optics::gpu::Results<Real> results) {
    publish_shots(job, results, u64{blockIdx.x} * blockDim.x + threadIdx.x, u64{gridDim.x} * blockDim.x);
}

/// Calls `body(kernel)` with the kernel for so many photons.
template <class Body>
cudaError_t with_width(u32 photons, const Body& body) {
    if (photons <= 8) return body(shots_kernel<8>);
    if (photons <= 16) return body(shots_kernel<16>);
    if (photons <= 24) return body(shots_kernel<24>);
    return body(shots_kernel<optics::kMaxPhotons>);
}

}  // namespace

cudaError_t launch_shots(const ShotJob& job, u64 blocks, cudaStream_t stream) {
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(kGroupThreads);
    config.dynamicSmemBytes = ShotRoom::bytes(job.tables.modes, job.tables.photons);
    config.stream = stream;
    return with_width(job.tables.photons,
                      [&](auto* kernel) { return cudaLaunchKernelEx(&config, kernel, ShotJob(job)); });
}

template <class Real>
cudaError_t launch_publish_shots(const ShotJob& job, const optics::gpu::Results<Real>& results, cudaStream_t stream) {
    constexpr u64 kMostBlocks = 4096;
    const u64 items = u64{job.rows} * (job.readout.outputs > 0 ? job.readout.outputs : 1);
    const u64 blocks = (items + kTaskThreads - 1) / kTaskThreads;
    return launch_blocks(publish_shots_kernel<Real>, blocks < kMostBlocks ? blocks : kMostBlocks, kTaskThreads, stream,
                         job, results);
}

template cudaError_t launch_publish_shots(const ShotJob&, const optics::gpu::Results<float>&, cudaStream_t);
template cudaError_t launch_publish_shots(const ShotJob&, const optics::gpu::Results<double>&, cudaStream_t);

cudaError_t preload_shots() {
    return first_error({preload(reinterpret_cast<const void*>(shots_kernel<8>)),
                        preload(reinterpret_cast<const void*>(shots_kernel<16>)),
                        preload(reinterpret_cast<const void*>(shots_kernel<24>)),
                        preload(reinterpret_cast<const void*>(shots_kernel<optics::kMaxPhotons>)),
                        preload(reinterpret_cast<const void*>(publish_shots_kernel<float>)),
                        preload(reinterpret_cast<const void*>(publish_shots_kernel<double>))});
}

}  // namespace photonlink::cuda
