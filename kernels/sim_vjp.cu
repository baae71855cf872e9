// The reverse of the simulated processor: thin kernels around the portable bodies.
#include <algorithm>
#include <array>

#include "launching.cuh"
#include "sim_vjp.hpp"

namespace photonlink::cuda {
namespace {

using optics::gpu::Vjp;
using optics::gpu::VjpJob;
using optics::gpu::VjpNetwork;
using optics::gpu::VjpTask;
using optics::gpu::VjpTaskKind;

__device__ u64 thread_index() { return static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ u64 thread_count() { return static_cast<u64>(gridDim.x) * blockDim.x; }

template <class Real>
__global__ void __launch_bounds__(kBlockThreads, 1) prepare_vjp_kernel(Vjp<Real> tile) {
    optics::gpu::prepare_vjp_row(BlockGroup(), tile, blockIdx.x);
}

/// Of a block that takes rows through all tasks: few rows must do with few blocks.
constexpr u32 kRowThreads = 256;

/// Of a task that a multiprocessor holds at once: 64 registers a thread, with which nothing is spilled.
constexpr u32 kTaskBlocks = 8;

/// A kernel per kind of task: each has the registers that it needs, and a name of its own in a profile.
template <class Real, VjpTaskKind Kind>
__global__ void __launch_bounds__(kBlockThreads, kTaskBlocks) vjp_task_kernel(VjpJob<Real> job, VjpTask task) {
    task.kind = Kind;
    optics::gpu::run_vjp_task(job, task, thread_index(), thread_count());
}

template <class Real>
__global__ void __launch_bounds__(kBlockThreads, 1) finish_vjp_kernel(Vjp<Real> tile) {
    optics::gpu::finish_vjp_row(BlockGroup(), tile, blockIdx.x);
}

template <class Real>
__global__ void __launch_bounds__(kRowThreads, 1) vjp_rows_kernel(Vjp<Real> tile, u32 rows) {
    const u32 first = blockIdx.x * rows, left = tile.network.rows - first;
    optics::gpu::pull_back_rows(BlockGroup(), tile, first, rows < left ? rows : left);
}

__global__ void __launch_bounds__(kBlockThreads)
    interferometer_kernel(VjpNetwork network, const u32* input_modes, optics::gpu::Complex64* sums) {
    optics::gpu::add_interferometer_gradients(network, input_modes, sums, thread_index(), thread_count());
}

template <class Real>
using VjpTaskKernel = void (*)(VjpJob<Real>, VjpTask);

template <class Real, VjpTaskKind... Kinds>
constexpr std::array<VjpTaskKernel<Real>, sizeof...(Kinds)> kernels_of() {
    return {vjp_task_kernel<Real, Kinds>...};
}

/// By kind.
template <class Real>
constexpr auto vjp_task_kernels() {
    using K = VjpTaskKind;
    return kernels_of<Real, K::Clear, K::Level, K::Moments, K::SumMoments, K::AddMoments, K::BackReadout, K::BackLevel,
                      K::Column, K::SumColumn, K::AddColumn>();
}

u64 blocks_for(u64 items) { return (items + kBlockThreads - 1) / kBlockThreads; }

template <class Real>
cudaError_t launch_tasks(const Vjp<Real>& tile, const VjpTask* tasks, u32 most_blocks, cudaStream_t stream) {
    const u32 rows = tile.network.rows;
    cudaError_t code = launch_blocks(prepare_vjp_kernel<Real>, rows, kBlockThreads, stream, tile);
    for (u32 t = 0; t < tile.task_count && code == cudaSuccess; ++t) {
        const u64 blocks = std::min<u64>(blocks_for(tasks[t].items * rows), most_blocks);
        code = launch_blocks(vjp_task_kernels<Real>()[static_cast<u32>(tasks[t].kind)], blocks, kBlockThreads, stream,
                             tile.job, tasks[t]);
    }
    return code == cudaSuccess ? launch_blocks(finish_vjp_kernel<Real>, rows, kBlockThreads, stream, tile) : code;
}

template <class Real>
cudaError_t launch_tile(const Vjp<Real>& tile, const VjpTask* tasks, const VjpSpread& spread, cudaStream_t stream) {
    const u32 rows = tile.network.rows, share = spread.group_rows;
    const cudaError_t code =
        share == 0 ? launch_tasks(tile, tasks, spread.blocks, stream)
                   : launch_blocks(vjp_rows_kernel<Real>, (rows + share - 1) / share, kRowThreads, stream, tile, share);
    if (code != cudaSuccess || tile.interferometers == nullptr) return code;
    const optics::gpu::Circuit& circuit = tile.network.circuit;
    const u64 elements = (circuit.layers + u64{1}) * circuit.modes * circuit.modes;
    return launch_blocks(interferometer_kernel, blocks_for(elements), kBlockThreads, stream, tile.network,
                         tile.input_modes, tile.interferometers);
}

}  // namespace

cudaError_t launch_vjp(const Vjp<float>& tile, const VjpTask* tasks, const VjpSpread& spread, cudaStream_t stream) {
    return launch_tile(tile, tasks, spread, stream);
}

cudaError_t launch_vjp(const Vjp<double>& tile, const VjpTask* tasks, const VjpSpread& spread, cudaStream_t stream) {
    return launch_tile(tile, tasks, spread, stream);
}

cudaError_t preload_sim_vjp() {
    const auto all = [](auto real) {
        using Real = decltype(real);
        for (const VjpTaskKernel<Real> kernel : vjp_task_kernels<Real>())
            if (const cudaError_t code = preload(reinterpret_cast<const void*>(kernel)); code != cudaSuccess)
                return code;
        return first_error({preload(reinterpret_cast<const void*>(prepare_vjp_kernel<Real>)),
                            preload(reinterpret_cast<const void*>(finish_vjp_kernel<Real>)),
                            preload(reinterpret_cast<const void*>(vjp_rows_kernel<Real>))});
    };
    return first_error({all(0.0F), all(0.0), preload(reinterpret_cast<const void*>(interferometer_kernel))});
}

}  // namespace photonlink::cuda
