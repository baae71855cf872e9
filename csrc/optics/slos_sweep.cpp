#include "photonlink/optics/slos_sweep.hpp"

#include <algorithm>

namespace photonlink::optics {
namespace {

constexpr u32 kTileStates = 256;  // 16 KiB at 16 float lanes: stays in the first-level cache until transposed

u64 tile_states(u64 largest_block) { return std::max<u64>(kTileStates, largest_block); }

/// Lane arrays and rows meet in squares that fill 16-byte vectors.
template <class Real>
inline constexpr u32 kSquare = 16 / sizeof(Real);

void transpose_square(const float* tile, u32 lanes, float* const* rows, u64 column) {
    typedef float Quad __attribute__((vector_size(16), aligned(4), may_alias));
    typedef i32 Mask __attribute__((vector_size(16)));
    const auto line = [&](u32 state) { return *reinterpret_cast<const Quad*>(tile + u64{state} * lanes); };
    const auto put = [&](u32 row, Quad v) { *reinterpret_cast<Quad*>(rows[row] + column) = v; };
    const Quad low01 = __builtin_shuffle(line(0), line(1), Mask{0, 4, 1, 5});
    const Quad low23 = __builtin_shuffle(line(2), line(3), Mask{0, 4, 1, 5});
    const Quad high01 = __builtin_shuffle(line(0), line(1), Mask{2, 6, 3, 7});
    const Quad high23 = __builtin_shuffle(line(2), line(3), Mask{2, 6, 3, 7});
    put(0, __builtin_shuffle(low01, low23, Mask{0, 1, 4, 5}));
    put(1, __builtin_shuffle(low01, low23, Mask{2, 3, 6, 7}));
    put(2, __builtin_shuffle(high01, high23, Mask{0, 1, 4, 5}));
    put(3, __builtin_shuffle(high01, high23, Mask{2, 3, 6, 7}));
}

void transpose_square(const double* tile, u32 lanes, double* const* rows, u64 column) {
    for (u32 row = 0; row < 2; ++row) {
        rows[row][column] = tile[row];
        rows[row][column + 1] = tile[lanes + row];
    }
}

/// Lane arrays of `states` states to columns first.. of `rows` rows.
template <class Real>
void scatter(const Real* tile, u32 lanes, u32 states, Real* const* targets, u32 rows, u64 first) {
    constexpr u32 side = kSquare<Real>;
    const u32 square_states = states / side * side;
    const u32 square_rows = rows / side * side;
    for (u32 row = 0; row < square_rows; row += side)
        for (u32 s = 0; s < square_states; s += side)
            transpose_square(tile + u64{s} * lanes + row, lanes, targets + row, first + s);
    for (u32 row = 0; row < rows; ++row)
        for (u32 s = row < square_rows ? square_states : 0; s < states; ++s)
            targets[row][first + s] = tile[u64{s} * lanes + row];
}

/// States that one of the two level buffers must hold: levels alternate so that the last but one lies in buffer 1. The
/// last level is never stored.
u64 buffer_states(const ProgramSpec& spec, u32 buffer) {
    const u32 photons = spec.photons();
    u64 largest = 1;
    for (u32 from_last = buffer == 1 ? 1 : 2; from_last <= photons; from_last += 2)
        largest = std::max(largest, state_count(spec.readout.space, spec.modes, photons - from_last));
    return largest;
}

}  // namespace

template <class Real>
u64 SlosSweep<Real>::predict_bytes(const ProgramSpec& spec, u32 max_lanes) {
    const u64 tile = tile_states(SlosTables::largest_block(spec.readout.space, spec.modes, spec.photons()));
    const u64 levels = saturating_mul(saturating_add(buffer_states(spec, 0), buffer_states(spec, 1)), 2);
    return saturating_add(SweepColumns<Real>::predict_bytes(spec, max_lanes),
                          saturating_mul(saturating_add(levels, tile), max_lanes * sizeof(Real)));
}

template <class Real>
SlosSweep<Real>::SlosSweep(const ProgramSpec& spec, const std::vector<u32>& occupation, u32 max_lanes)
    : tables_(SlosTables::shared(spec.readout.space, spec.modes, spec.photons())),
      columns_(spec, occupation, max_lanes) {
    const std::size_t lanes = max_lanes;
    for (u32 buffer = 0; buffer < 2; ++buffer) levels_[buffer].resize(buffer_states(spec, buffer) * 2 * lanes);
    tile_capacity_ =
        static_cast<u32>(tile_states(SlosTables::largest_block(spec.readout.space, spec.modes, spec.photons())));
    tile_.resize(tile_capacity_ * lanes);
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
    const auto finish = interference ? kernels.finish : kernels.finish_distinguishable;
    for (u32 b = 0; b < last.block_count;) {
        const u32 first_state = last.blocks[b].child;
        u32 end = b;
        u32 states = 0;
        while (end < last.block_count && states + last.suffixes[last.blocks[end].suffix].states <= tile_capacity_)
            states += last.suffixes[last.blocks[end++].suffix].states;
        finish(last, b, end, columns_.column(photons - 1), levels_[1].data(), columns_.scale(), tile_.data());
        scatter(tile_.data(), lanes, states, targets, rows, first_state);
        b = end;
    }
}

template class SlosSweep<float>;
template class SlosSweep<double>;

}  // namespace photonlink::optics
