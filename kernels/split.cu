// A batch there in one launch and back in another, and the launch that gives up on it instead.
#include "launching.cuh"

namespace photonlink::cuda {
namespace {

template <class Real, class Out>
__global__ void __launch_bounds__(kBlockThreads)
    submit_kernel(device::Link link, device::Batch<Real, Out> batch, device::LaunchWords* words, device::Launch launch,
                  device::Pending* pending) {
    const u64 index = warp_index();
    if (index < launch.groups) device::submit_group(WarpGroup(), link, batch, words, launch, index, pending);
}

// The type of the features plays no part any more.
template <class Out>
__global__ void __launch_bounds__(kBlockThreads) collect_kernel(device::Link link, device::Batch<float, Out> batch,
                                                                device::Launch launch, device::Pending* pending) {
    const u64 index = warp_index();
    if (index < launch.groups) device::collect_group(WarpGroup(), link, batch, launch, index, pending);
}

__global__ void __launch_bounds__(kBlockThreads) abandon_kernel(device::Link link, device::Pending* pending, u64 rows) {
    const u64 row = static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (row < rows) device::abandon_pending(link, pending, row);
}

}  // namespace

cudaError_t launch_submit(const device::Link& link, const RawBatch& batch, device::LaunchWords* words,
                          const device::Launch& launch, device::Pending* pending, cudaStream_t stream) {
    return with_types(batch.feature_bytes, link.result_bytes, [&](auto real, auto out) {
        using Real = decltype(real);
        using Out = decltype(out);
        return launch_groups(submit_kernel<Real, Out>, launch.groups, stream, link, typed<Real, Out>(batch), words,
                             launch, pending);
    });
}

cudaError_t launch_collect(const device::Link& link, const RawBatch& batch, const device::Launch& launch,
                           device::Pending* pending, cudaStream_t stream) {
    return with_types(sizeof(float), link.result_bytes, [&](auto, auto out) {
        using Out = decltype(out);
        return launch_groups(collect_kernel<Out>, launch.groups, stream, link, typed<float, Out>(batch), launch,
                             pending);
    });
}

cudaError_t launch_abandon(const device::Link& link, device::Pending* pending, u64 rows, cudaStream_t stream) {
    return launch_groups(abandon_kernel, (rows + kGroupThreads - 1) / kGroupThreads, stream, link, pending, rows);
}

cudaError_t preload_split() {
    const auto submit = [](auto real, auto out) {
        return preload(reinterpret_cast<const void*>(submit_kernel<decltype(real), decltype(out)>));
    };
    return first_error({submit(0.0F, 0.0F), submit(0.0F, 0.0), submit(0.0, 0.0F), submit(0.0, 0.0),
                        preload(reinterpret_cast<const void*>(collect_kernel<float>)),
                        preload(reinterpret_cast<const void*>(collect_kernel<double>)),
                        preload(reinterpret_cast<const void*>(abandon_kernel))});
}

}  // namespace photonlink::cuda
