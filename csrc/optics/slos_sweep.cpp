#include "photonlink/optics/slos_sweep.hpp"

#include <algorithm>
#include <cmath>

#include "lane_rows.hpp"

namespace photonlink::optics {
namespace {

constexpr u32 kTileStates = 256;  // 16 KiB at 16 float lanes: stays in the first-level cache until transposed

u64 tile_states(u64 largest_block) { return std::max<u64>(kTileStates, largest_block); }

/// Real numbers per state.
u32 parts(SweepResult result) { return result == SweepResult::Amplitudes ? 2 : 1; }

}  // namespace

template <class Real>
u64 SlosSweep<Real>::predict_bytes(const ProgramSpec& spec, u32 max_lanes, SweepResult result) {
    const u64 tile = saturating_mul(
        tile_states(SlosTables::largest_block(spec.readout.space, spec.modes, spec.photons())), parts(result));
    const u64 levels = saturating_mul(saturating_add(level_buffer_states(spec, 0), level_buffer_states(spec, 1)), 2);
    return saturating_add(SweepColumns<Real>::predict_bytes(spec, max_lanes),
                          saturating_mul(saturating_add(levels, tile), max_lanes * sizeof(Real)));
}

template <class Real>
SlosSweep<Real>::SlosSweep(const ProgramSpec& spec, const std::vector<u32>& occupation, u32 max_lanes,
                           SweepResult result)
    : tables_(SlosTables::shared(spec.readout.space, spec.modes, spec.photons())),
      result_(result),
      columns_(spec, occupation, max_lanes, result) {
    const std::size_t lanes = max_lanes;
    for (u32 buffer = 0; buffer < 2; ++buffer) levels_[buffer].resize(level_buffer_states(spec, buffer) * 2 * lanes);
    tile_capacity_ =
        static_cast<u32>(tile_states(SlosTables::largest_block(spec.readout.space, spec.modes, spec.photons())));
    tile_.resize(tile_capacity_ * parts(result) * lanes);
}

template <class Real>
void SlosSweep<Real>::run(const SlosKernels<Real>& kernels, const double* columns, Real* const* targets, u32 rows) {
    const u32 lanes = kernels.lanes;
    const u32 photons = tables_->photons();
    const bool interference = columns_.interference();
    columns_.load(lanes, columns);
    u32 turn = photons % 2 == 1 ? 1 : 0;  // level photons - 1 lands in levels_[1]
    Real* const vacuum = levels_[turn].data();
    std::fill(vacuum, vacuum + lanes, Real{1});
    if (interference) std::fill(vacuum + lanes, vacuum + 2 * lanes, Real{0});
    for (u32 k = 1; k < photons; ++k, turn ^= 1) {
        const auto step = !interference             ? kernels.step_distinguishable
                          : columns_.is_real(k - 1) ? kernels.step_real_column
                                                    : kernels.step;
        step(tables_->level(k), columns_.column(k - 1), levels_[turn].data(), levels_[turn ^ 1].data());
    }
    const LevelView last = tables_->level(photons);
    const bool amplitudes = result_ == SweepResult::Amplitudes;
    const auto finish = amplitudes     ? kernels.finish_amplitudes
                        : interference ? kernels.finish
                                       : kernels.finish_distinguishable;
    const double scale = amplitudes ? std::sqrt(columns_.scale()) : columns_.scale();
    for (u32 b = 0; b < last.block_count;) {
        const u32 first_state = last.blocks[b].child;
        u32 end = b;
        u32 states = 0;
        while (end < last.block_count && states + last.suffixes[last.blocks[end].suffix].states <= tile_capacity_)
            states += last.suffixes[last.blocks[end++].suffix].states;
        finish(last, b, end, columns_.column(photons - 1), levels_[1].data(), scale, tile_.data());
        // Re and im are lane arrays of their own, and so become neighbours in the row.
        const u32 numbers = states * parts(result_);
        const u64 first = u64{first_state} * parts(result_);
        if (rows == lanes)
            kernels.scatter_rows(tile_.data(), numbers, targets, first);
        else
            scatter(tile_.data(), lanes, numbers, targets, rows, first);
        b = end;
    }
}

template class SlosSweep<float>;
template class SlosSweep<double>;

}  // namespace photonlink::optics
