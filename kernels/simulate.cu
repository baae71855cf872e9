// Small spaces: all of a row in one launch. Also what comes before and behind the tasks of large ones.
#include "launching.cuh"
#include "simulating.hpp"

namespace photonlink::cuda {
namespace {

template <class Feature, class Real>
__global__ void __launch_bounds__(kSimulatingThreads, 1)
    simulate_kernel(device::Simulation<Real> tile, device::Features<Feature> features, u32 rows_per_block) {
    const u32 first = blockIdx.x * rows_per_block;
    const u32 left = tile.rows - first;
    device::simulate_rows(BlockGroup(), tile, features, first, left < rows_per_block ? left : rows_per_block);
}

template <class Feature, class Real>
__global__ void __launch_bounds__(kPreparingThreads)
    prepare_kernel(device::Simulation<Real> tile, device::Features<Feature> features) {
    device::prepare_row(BlockGroup(), tile, features, blockIdx.x);
}

template <class Real>
__global__ void __launch_bounds__(kTaskThreads) end_kernel(device::Simulation<Real> tile, u64 executed_rows) {
    device::end_tile(BlockGroup(), tile, executed_rows);
}

/// Calls `body(Feature())`.
template <class Body>
cudaError_t with_features(u32 bytes, const Body& body) {
    return bytes == sizeof(float) ? body(0.0F) : body(0.0);
}

template <class Feature, class Real>
cudaError_t preload_of() {
    return first_error({preload(reinterpret_cast<const void*>(simulate_kernel<Feature, Real>)),
                        preload(reinterpret_cast<const void*>(prepare_kernel<Feature, Real>))});
}

}  // namespace

template <class Real>
cudaError_t launch_simulate(const device::Simulation<Real>& tile, const RawFeatures& features, u32 rows_per_block,
                            cudaStream_t stream) {
    const u32 blocks = (tile.rows + rows_per_block - 1) / rows_per_block;
    return with_features(features.bytes, [&](auto feature) {
        using Feature = decltype(feature);
        return launch_blocks(simulate_kernel<Feature, Real>, blocks, kSimulatingThreads, stream, tile,
                             typed<Feature>(features), rows_per_block);
    });
}

template <class Real>
cudaError_t launch_prepare(const device::Simulation<Real>& tile, const RawFeatures& features, cudaStream_t stream) {
    return with_features(features.bytes, [&](auto feature) {
        using Feature = decltype(feature);
        return launch_blocks(prepare_kernel<Feature, Real>, tile.rows, kPreparingThreads, stream, tile,
                             typed<Feature>(features));
    });
}

template <class Real>
cudaError_t launch_end(const device::Simulation<Real>& tile, u64 executed_rows, cudaStream_t stream) {
    return launch_blocks(end_kernel<Real>, 1, kTaskThreads, stream, tile, executed_rows);
}

template cudaError_t launch_simulate(const device::Simulation<float>&, const RawFeatures&, u32, cudaStream_t);
template cudaError_t launch_simulate(const device::Simulation<double>&, const RawFeatures&, u32, cudaStream_t);
template cudaError_t launch_prepare(const device::Simulation<float>&, const RawFeatures&, cudaStream_t);
template cudaError_t launch_prepare(const device::Simulation<double>&, const RawFeatures&, cudaStream_t);
template cudaError_t launch_end(const device::Simulation<float>&, u64, cudaStream_t);
template cudaError_t launch_end(const device::Simulation<double>&, u64, cudaStream_t);

cudaError_t preload_simulate() {
    return first_error({preload_of<float, float>(), preload_of<float, double>(), preload_of<double, float>(),
                        preload_of<double, double>(), preload(reinterpret_cast<const void*>(end_kernel<float>)),
                        preload(reinterpret_cast<const void*>(end_kernel<double>))});
}

}  // namespace photonlink::cuda
