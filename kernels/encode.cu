// Features to phases, without a call.
#include "launching.cuh"
#include "photonlink/device/encode.hpp"

namespace photonlink::cuda {
namespace {

template <class Real>
__global__ void __launch_bounds__(kBlockThreads)
    encode_kernel(EncodingView map, device::Batch<Real, double> batch, u64 groups) {
    const u64 index = warp_index();
    if (index >= groups) return;
    device::encode_rows(WarpGroup(), map, batch.features, batch.feature_stride, batch.out, batch.statuses, batch.rows,
                        index, groups);
}

}  // namespace

cudaError_t launch_encode(const EncodingView& encoding, const RawBatch& batch, u64 groups, cudaStream_t stream) {
    return with_types(batch.feature_bytes, sizeof(double), [&](auto real, auto) {
        using Real = decltype(real);
        return launch_groups(encode_kernel<Real>, groups, stream, encoding, typed<Real, double>(batch), groups);
    });
}

cudaError_t preload_encode() {
    return first_error({preload(reinterpret_cast<const void*>(encode_kernel<float>)),
                        preload(reinterpret_cast<const void*>(encode_kernel<double>))});
}

cudaError_t preload_kernels() {
    return first_error({preload_infer(), preload_split(), preload_encode(), preload_bench()});
}

}  // namespace photonlink::cuda
