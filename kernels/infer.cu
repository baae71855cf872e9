// A batch there and back in one launch.
#include "launching.cuh"

namespace photonlink::cuda {
namespace {

template <class Real, class Out>
__global__ void __launch_bounds__(kBlockThreads)
    infer_kernel(device::Link link, device::Batch<Real, Out> batch, device::LaunchWords* words, device::Launch launch) {
    const u64 index = warp_index();
    if (index < launch.groups) device::infer_group(WarpGroup(), link, batch, words, launch, index);
}

}  // namespace

cudaError_t launch_infer(const device::Link& link, const RawBatch& batch, device::LaunchWords* words,
                         const device::Launch& launch, cudaStream_t stream) {
    return with_types(batch.feature_bytes, link.result_bytes, [&](auto real, auto out) {
        using Real = decltype(real);
        using Out = decltype(out);
        return launch_groups(infer_kernel<Real, Out>, launch.groups, stream, link, typed<Real, Out>(batch), words,
                             launch);
    });
}

cudaError_t preload_infer() {
    const auto each = [](auto real, auto out) {
        return preload(reinterpret_cast<const void*>(infer_kernel<decltype(real), decltype(out)>));
    };
    return first_error({each(0.0F, 0.0F), each(0.0F, 0.0), each(0.0, 0.0F), each(0.0, 0.0)});
}

}  // namespace photonlink::cuda
