// The kernels of derivatives on the made-up runtime: the same portable bodies, by threads of small blocks.
#include "../device/host_group.hpp"
#include "fake_cuda.hpp"
#include "sim_vjp.hpp"

namespace photonlink::cuda {
namespace {

using device::test::HostGroup;
using optics::gpu::Vjp;
using optics::gpu::VjpTask;

constexpr u32 kThreads = 3;  // per block: an odd number finds more mistakes
constexpr u32 kBlocks = 2;

template <class Body>
void launch_all(u64 items, u32 most_blocks, const Body& body) {
    const u64 wanted = (items + kThreads - 1) / kThreads;
    const u32 blocks = static_cast<u32>(std::min<u64>({wanted, most_blocks, kBlocks}));
    device::test::launch(blocks, kThreads, [&](const HostGroup& group, u32 block) {
        body(block * kThreads + group.rank(), u64{blocks} * kThreads);
    });
}

template <class Real>
void run_tasks(const Vjp<Real>& tile, const std::vector<VjpTask>& tasks, u32 most_blocks) {
    const u32 rows = tile.network.rows;
    device::test::launch(rows, kThreads, [&](const HostGroup& group, u32 row) { prepare_vjp_row(group, tile, row); });
    for (const VjpTask& task : tasks)
        launch_all(task.items * rows, most_blocks,
                   [&](u64 first, u64 stride) { run_vjp_task(tile.job, task, first, stride); });
    device::test::launch(rows, kThreads, [&](const HostGroup& group, u32 row) { finish_vjp_row(group, tile, row); });
}

template <class Real>
void run_rows(const Vjp<Real>& tile, u32 share) {
    const u32 rows = tile.network.rows;
    device::test::launch((rows + share - 1) / share, kThreads, [&](const HostGroup& group, u32 block) {
        pull_back_rows(group, tile, block * share, std::min(share, rows - block * share));
    });
}

template <class Real>
cudaError_t launch_tile(const Vjp<Real>& tile, const VjpTask* tasks, const VjpSpread& spread, cudaStream_t stream) {
    if (tile.network.rows == 0 || spread.blocks == 0) return cudaErrorInvalidValue;
    fake::enqueue(stream, [=, list = std::vector<VjpTask>(tasks, tasks + tile.task_count)] {
        if (spread.group_rows > 0)
            run_rows(tile, spread.group_rows);
        else
            run_tasks(tile, list, spread.blocks);
        if (tile.interferometers != nullptr)
            launch_all(kThreads * kBlocks, kBlocks, [&](u64 first, u64 stride) {
                add_interferometer_gradients(tile.network, tile.input_modes, tile.interferometers, first, stride);
            });
    });
    return cudaSuccess;
}

}  // namespace

cudaError_t launch_vjp(const Vjp<float>& tile, const VjpTask* tasks, const VjpSpread& spread, cudaStream_t stream) {
    return launch_tile(tile, tasks, spread, stream);
}

cudaError_t launch_vjp(const Vjp<double>& tile, const VjpTask* tasks, const VjpSpread& spread, cudaStream_t stream) {
    return launch_tile(tile, tasks, spread, stream);
}

cudaError_t preload_sim_vjp() { return cudaSuccess; }

}  // namespace photonlink::cuda
