#include "vjp_engine.hpp"

#include <algorithm>

namespace photonlink::cuda {
namespace {

constexpr const char* kWhat = "launch a kernel of the simulator's derivatives";

template <class Real>
constexpr optics::Precision kPrecision = sizeof(Real) == sizeof(float) ? optics::Precision::Float32
                                                                       : optics::Precision::Float64;

}  // namespace

/// Rows at a time are estimated like those of plan_sizes().
template <class Real>
optics::gpu::VjpPlan VjpEngine<Real>::plan(const optics::ProgramSpec& program, bool by_rows, u64 bytes) {
    using optics::gpu::VjpPlan;
    constexpr u64 kMostScratch = u64{1} << 29, kMostSmall = 4096, kMostLarge = 64;
    const u64 row = VjpPlan(program, kPrecision<Real>, VjpPlan::levels(program)).row_bytes();
    const u64 wanted = by_rows ? std::clamp<u64>(kMostScratch / row, 1, kMostSmall) : kMostLarge;
    return VjpPlan::within(program, kPrecision<Real>, static_cast<u32>(wanted),
                           bytes > kAlignmentBytes ? bytes - kAlignmentBytes : 0);
}

template <class Real>
VjpEngine<Real>::VjpEngine(const optics::ProgramSpec& program, const SimulatorTables& tables, bool by_rows,
                           u32 multiprocessors, u64 bytes)
    : plan_(plan(program, by_rows, bytes)),
      encoding_(tables.encoding),
      by_rows_(by_rows),
      multiprocessors_(multiprocessors),
      phases_(arena_.take<double>(program.phases.size() * plan_.rows)),
      vjp_(optics::gpu::take_vjp<Real>(plan_, tables.circuit, tables.levels, tables.readout, plan_.rows, arena_)) {
    check(preload_sim_vjp(), "load the kernels of derivatives");
    vjp_.network.phases = phases_;
}

template <class Real>
optics::gpu::Vjp<Real> VjpEngine<Real>::tile_of(const VjpBatch& batch, u64 first, u32 rows) const {
    optics::gpu::Vjp<Real> tile = vjp_;
    tile.job.readout.cotangents = static_cast<const Real*>(batch.cotangents) + first * tile.job.readout.readout.outputs;
    if (batch.phase_gradients != nullptr)
        tile.network.phase_gradients = batch.phase_gradients + first * tile.network.circuit.phases;
    tile.interferometers = batch.interferometer_gradients;
    return optics::gpu::tile_of(tile, 0, rows);
}

template <class Real>
VjpSpread VjpEngine<Real>::spread_of(u32 rows) const {
    constexpr u32 kBlocksPerMultiprocessor = 16, kRowBlocksPerMultiprocessor = 4, kMostRows = 8;
    const u32 share = std::clamp<u32>(rows / (kRowBlocksPerMultiprocessor * multiprocessors_), 1, kMostRows);
    return {by_rows_ ? share : 0, multiprocessors_ * kBlocksPerMultiprocessor};
}

template <class Real>
void VjpEngine<Real>::run(const VjpBatch& batch, cudaStream_t stream) {
    const optics::gpu::Circuit& circuit = vjp_.network.circuit;
    if (batch.interferometer_gradients != nullptr)
        check(cudaMemsetAsync(
                  batch.interferometer_gradients, 0,
                  (circuit.layers + std::size_t{1}) * circuit.modes * circuit.modes * sizeof(optics::gpu::Complex64),
                  stream),
              "clear the derivatives");
    for (u64 first = 0; first < batch.rows; first += plan_.rows) {
        const u32 rows = static_cast<u32>(std::min<u64>(plan_.rows, batch.rows - first));
        const RawFeatures& features = batch.features;
        const i64 skipped = static_cast<i64>(first) * features.stride * static_cast<i64>(features.bytes);
        RawBatch encoded{};
        encoded.features = static_cast<const u8*>(features.values) + skipped;
        encoded.feature_bytes = features.bytes;
        encoded.feature_stride = features.stride;
        encoded.out = phases_;
        encoded.rows = rows;
        check(launch_encode(encoding_, encoded, rows, stream), kWhat);
        check(launch_vjp(tile_of(batch, first, rows), plan_.tasks.data(), spread_of(rows), stream), kWhat);
    }
}

template class VjpEngine<float>;
template class VjpEngine<double>;

}  // namespace photonlink::cuda
