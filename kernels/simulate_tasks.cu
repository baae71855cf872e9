// Large spaces: every task is a launch of its own and has the whole GPU. A kernel per task, so that none pays for the
// registers of another.
#include "launching.cuh"
#include "simulating.hpp"

namespace photonlink::cuda {
namespace {

using optics::gpu::Task;
using optics::gpu::TaskKind;

template <class Real, TaskKind Kind>
__global__ void __launch_bounds__(kTaskThreads) task_kernel(optics::gpu::Job<Real> job, Task task) {
    const u64 first = u64{blockIdx.x} * blockDim.x + threadIdx.x;
    optics::gpu::run_task(job, Task{Kind, task.photons, task.first, task.states}, first, u64{gridDim.x} * blockDim.x);
}

/// Calls `body(kernel)` with the kernel of the task.
template <class Real, class Body>
cudaError_t with_kernel(TaskKind kind, const Body& body) {
    switch (kind) {
        case TaskKind::Level:
            return body(task_kernel<Real, TaskKind::Level>);
        case TaskKind::Store:
            return body(task_kernel<Real, TaskKind::Store>);
        case TaskKind::Occupy:
            return body(task_kernel<Real, TaskKind::Occupy>);
        case TaskKind::Leaves:
            return body(task_kernel<Real, TaskKind::Leaves>);
        case TaskKind::Branches:
            return body(task_kernel<Real, TaskKind::Branches>);
        case TaskKind::RunUp:
            return body(task_kernel<Real, TaskKind::RunUp>);
        case TaskKind::ClearCounts:
            return body(task_kernel<Real, TaskKind::ClearCounts>);
        case TaskKind::Draw:
            return body(task_kernel<Real, TaskKind::Draw>);
        case TaskKind::Parts:
            return body(task_kernel<Real, TaskKind::Parts>);
        case TaskKind::Totals:
            return body(task_kernel<Real, TaskKind::Totals>);
        case TaskKind::Publish:
            return body(task_kernel<Real, TaskKind::Publish>);
    }
    return cudaErrorInvalidValue;
}

template <class Real>
cudaError_t preload_tasks_of() {
    for (u8 kind = 0; kind <= static_cast<u8>(TaskKind::Publish); ++kind) {
        const cudaError_t code = with_kernel<Real>(
            static_cast<TaskKind>(kind), [](auto* kernel) { return preload(reinterpret_cast<const void*>(kernel)); });
        if (code != cudaSuccess) return code;
    }
    return cudaSuccess;
}

}  // namespace

template <class Real>
cudaError_t launch_task(const device::Simulation<Real>& tile, const Task& task, u32 blocks, cudaStream_t stream) {
    const u64 wanted = (optics::gpu::task_items(tile.job, task) + kTaskThreads - 1) / kTaskThreads;
    const u32 used = wanted < blocks ? static_cast<u32>(wanted) : blocks;
    return with_kernel<Real>(
        task.kind, [&](auto* kernel) { return launch_blocks(kernel, used, kTaskThreads, stream, tile.job, task); });
}

template cudaError_t launch_task(const device::Simulation<float>&, const Task&, u32, cudaStream_t);
template cudaError_t launch_task(const device::Simulation<double>&, const Task&, u32, cudaStream_t);

cudaError_t preload_simulator() {
    return first_error({preload_simulate(), preload_tasks_of<float>(), preload_tasks_of<double>()});
}

}  // namespace photonlink::cuda
