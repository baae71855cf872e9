// The simulator's kernels on the made-up runtime: the same portable bodies, a thread per thread of small blocks.
#include "../device/host_group.hpp"
#include "fake_cuda.hpp"
#include "simulating.hpp"

namespace photonlink::cuda {
namespace {

using device::test::HostGroup;

constexpr u32 kThreads = 3;  // per block: an odd number finds more mistakes

template <class Real, class Body>
void with_features(const RawFeatures& features, const Body& body) {
    if (features.bytes == sizeof(float))
        body(typed<float>(features));
    else
        body(typed<double>(features));
}

}  // namespace

template <class Real>
cudaError_t launch_simulate(const device::Simulation<Real>& tile, const RawFeatures& raw, u32 rows_per_block,
                            cudaStream_t stream) {
    fake::enqueue(stream, [=] {
        with_features<Real>(raw, [&](const auto& features) {
            const u32 blocks = (tile.rows + rows_per_block - 1) / rows_per_block;
            device::test::launch(blocks, kThreads, [&](const HostGroup& group, u32 block) {
                const u32 first = block * rows_per_block;
                device::simulate_rows(group, tile, features, first, std::min(rows_per_block, tile.rows - first));
            });
        });
    });
    return cudaSuccess;
}

template <class Real>
cudaError_t launch_prepare(const device::Simulation<Real>& tile, const RawFeatures& raw, cudaStream_t stream) {
    fake::enqueue(stream, [=] {
        with_features<Real>(raw, [&](const auto& features) {
            device::test::launch(tile.rows, kThreads, [&](const HostGroup& group, u32 row) {
                device::prepare_row(group, tile, features, row);
            });
        });
    });
    return cudaSuccess;
}

template <class Real>
cudaError_t launch_task(const device::Simulation<Real>& tile, const optics::gpu::Task& task, u32 blocks,
                        cudaStream_t stream) {
    const u64 wanted = (optics::gpu::task_items(tile.job, task) + kThreads - 1) / kThreads;
    if (wanted == 0 || blocks == 0) return cudaErrorInvalidValue;
    const u32 used = static_cast<u32>(std::min<u64>({wanted, blocks, 2}));
    fake::enqueue(stream, [=] {
        device::test::launch(used, kThreads, [&](const HostGroup& group, u32 block) {
            optics::gpu::run_task(tile.job, task, block * kThreads + group.rank(), u64{used} * kThreads);
        });
    });
    return cudaSuccess;
}

template <class Real>
cudaError_t launch_end(const device::Simulation<Real>& tile, u64 executed_rows, cudaStream_t stream) {
    fake::enqueue(stream, [=] {
        device::test::launch(1, kThreads,
                             [&](const HostGroup& group, u32) { device::end_tile(group, tile, executed_rows); });
    });
    return cudaSuccess;
}

template cudaError_t launch_simulate(const device::Simulation<float>&, const RawFeatures&, u32, cudaStream_t);
template cudaError_t launch_simulate(const device::Simulation<double>&, const RawFeatures&, u32, cudaStream_t);
template cudaError_t launch_prepare(const device::Simulation<float>&, const RawFeatures&, cudaStream_t);
template cudaError_t launch_prepare(const device::Simulation<double>&, const RawFeatures&, cudaStream_t);
template cudaError_t launch_task(const device::Simulation<float>&, const optics::gpu::Task&, u32, cudaStream_t);
template cudaError_t launch_task(const device::Simulation<double>&, const optics::gpu::Task&, u32, cudaStream_t);
template cudaError_t launch_end(const device::Simulation<float>&, u64, cudaStream_t);
template cudaError_t launch_end(const device::Simulation<double>&, u64, cudaStream_t);

cudaError_t preload_simulator() { return cudaSuccess; }

}  // namespace photonlink::cuda
