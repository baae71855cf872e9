#include "photonlink/optics/gradient_sweep.hpp"

#include <algorithm>

namespace photonlink::optics {
namespace {

/// Tiles stay in the first-level cache, and single-precision sums over one tile stay exact enough to be added up in
/// double precision afterwards.
constexpr u32 kTileStates = 256;

}  // namespace

template <class Real>
struct GradientSweep<Real>::Sizes {
    u64 kept = 1;  // states, the vacuum included
    u64 scratch[2] = {0, 0};
    u64 adjoints[2] = {1, 1};
    u64 tile = kTileStates;

    u64 total_numbers() const {  // per lane
        u64 states = kept;
        for (const u64 size : {scratch[0], scratch[1], adjoints[0], adjoints[1]}) states = saturating_add(states, size);
        return saturating_add(saturating_mul(states, 2), tile);
    }
};

template <class Real>
u64 GradientSweep<Real>::tile_states(const ProgramSpec& spec) {
    return std::max<u64>(kTileStates, SlosTables::largest_block(spec.readout.space, spec.modes, spec.photons()));
}

template <class Real>
typename GradientSweep<Real>::Sizes GradientSweep<Real>::sizes(const ProgramSpec& spec, u32 kept_levels) {
    Sizes sizes;
    for (u32 level = 1; level < spec.photons(); ++level) {
        const u64 states = state_count(spec.readout.space, spec.modes, level);
        if (level <= kept_levels)
            sizes.kept = saturating_add(sizes.kept, states);
        else
            sizes.scratch[level % 2] = std::max(sizes.scratch[level % 2], states);
        sizes.adjoints[level % 2] = std::max(sizes.adjoints[level % 2], states);
    }
    sizes.tile = tile_states(spec);
    return sizes;
}

template <class Real>
u64 GradientSweep<Real>::predict_bytes(const ProgramSpec& spec, u32 max_lanes, u32 kept_levels) {
    const u64 columns =
        SweepColumns<Real>::predict_bytes(spec, max_lanes) + ColumnGradients<Real>::predict_bytes(spec, max_lanes);
    return saturating_add(saturating_mul(sizes(spec, kept_levels).total_numbers(), max_lanes * sizeof(Real)), columns);
}

template <class Real>
GradientSweep<Real>::GradientSweep(const ProgramSpec& spec, const std::vector<u32>& occupation, u32 max_lanes,
                                   u32 kept_levels)
    : tables_(SlosTables::shared(spec.readout.space, spec.modes, spec.photons())),
      interference_(spec.interference),
      max_lanes_(max_lanes),
      kept_levels_(kept_levels),
      columns_(spec, occupation, max_lanes),
      gradients_(spec, occupation, max_lanes) {
    const Sizes wanted = sizes(spec, kept_levels);
    std::size_t at = 0;
    for (u32 level = 0; level <= kept_levels; ++level) {
        kept_at_.push_back(at);
        at += tables_->states(level);
    }
    kept_.resize(wanted.kept * 2 * max_lanes);
    for (u32 parity = 0; parity < 2; ++parity) {
        scratch_[parity].resize(wanted.scratch[parity] * 2 * max_lanes);
        adjoints_[parity].resize(wanted.adjoints[parity] * 2 * max_lanes);
    }
    tile_capacity_ = static_cast<u32>(wanted.tile);
    tile_.resize(wanted.tile * max_lanes);
}

template <class Real>
u32 GradientSweep<Real>::states_between(const LevelView& level, u32 first_block, u32 last_block) {
    const SlosBlock& last = level.blocks[last_block - 1];
    return last.child + level.suffixes[last.suffix].states - level.blocks[first_block].child;
}

template <class Real>
u32 GradientSweep<Real>::tile_end(const LevelView& level, u32 first_block) const {
    u32 end = first_block + 1;
    while (end < level.block_count && states_between(level, first_block, end + 1) <= tile_capacity_) ++end;
    return end;
}

template <class Real>
void GradientSweep<Real>::begin(const SlosKernels<Real>& kernels, const double* matrices) {
    columns_.load(kernels.lanes, matrices);
    gradients_.clear(kernels.lanes);
    std::fill(scratch_level_, scratch_level_ + 2, 0u);
    Real* const vacuum = storage(0);
    std::fill(vacuum, vacuum + kernels.lanes, Real{1});
    std::fill(vacuum + kernels.lanes, vacuum + 2 * kernels.lanes, Real{0});
    for (u32 level = 1; level <= kept_levels_; ++level) step(kernels, level);
}

template <class Real>
Real* GradientSweep<Real>::storage(u32 level) {
    if (level > kept_levels_) return scratch_[level % 2].data();
    return kept_.data() + kept_at_[level] * 2 * max_lanes_;
}

template <class Real>
void GradientSweep<Real>::step(const SlosKernels<Real>& kernels, u32 level) {
    const auto complex_step = columns_.is_real(level - 1) ? kernels.step_real_column : kernels.step;
    (interference_ ? complex_step : kernels.step_distinguishable)(tables_->level(level), columns_.column(level - 1),
                                                                  storage(level - 1), storage(level));
    if (level > kept_levels_) scratch_level_[level % 2] = level;
}

/// The amplitudes of a level: still there, or computed from the highest level below that is.
template <class Real>
const Real* GradientSweep<Real>::amplitudes(const SlosKernels<Real>& kernels, u32 level) {
    const auto present = [&](u32 at) { return at <= kept_levels_ || scratch_level_[at % 2] == at; };
    u32 from = level;
    while (!present(from)) --from;
    while (from < level) step(kernels, ++from);
    return storage(level);
}

template <class Real>
u32 GradientSweep<Real>::probabilities(const SlosKernels<Real>& kernels, u32 first_block, u32 last_block) {
    const u32 photons = tables_->photons();
    const auto finish = interference_ ? kernels.finish : kernels.finish_distinguishable;
    finish(last_level(), first_block, last_block, columns_.column(photons - 1), amplitudes(kernels, photons - 1),
           columns_.scale(), tile_.data());
    return states_between(last_level(), first_block, last_block);
}

template <class Real>
void GradientSweep<Real>::clear_parents(u32 level, u32 lanes) {
    const std::size_t numbers = std::size_t{tables_->states(level - 1)} * (interference_ ? 2 : 1) * lanes;
    std::fill_n(adjoints(level - 1), numbers, Real{0});
}

template <class Real>
void GradientSweep<Real>::back_last(const SlosKernels<Real>& kernels, const GradientKernels<Real>& gradients,
                                    u32 first_block, u32 last_block) {
    const u32 photon = tables_->photons() - 1;
    const Real* const parents = amplitudes(kernels, photon);
    if (interference_)
        gradients.back_last(last_level(), first_block, last_block, columns_.column(photon), parents, columns_.scale(),
                            tile_.data(), adjoints(photon), gradients_.part());
    else
        gradients.back_distinguishable(last_level(), first_block, last_block, columns_.column(photon), parents,
                                       tile_.data(), adjoints(photon), gradients_.part());
    gradients_.add(columns_.input_column(photon));
}

template <class Real>
void GradientSweep<Real>::back_level(const SlosKernels<Real>& kernels, const GradientKernels<Real>& gradients,
                                     u32 level) {
    const LevelView view = tables_->level(level);
    const Real* const parents = amplitudes(kernels, level - 1);
    const auto complex_back = columns_.is_real(level - 1) ? gradients.back_real_column : gradients.back;
    const auto back = interference_ ? complex_back : gradients.back_distinguishable;
    clear_parents(level, kernels.lanes);
    const std::size_t stride = std::size_t{interference_ ? 2u : 1u} * kernels.lanes;
    for (u32 block = 0; block < view.block_count;) {
        const u32 end = tile_end(view, block);
        back(view, block, end, columns_.column(level - 1), parents, adjoints(level) + view.blocks[block].child * stride,
             adjoints(level - 1), gradients_.part());
        gradients_.add(columns_.input_column(level - 1));
        block = end;
    }
}

template class GradientSweep<float>;
template class GradientSweep<double>;

}  // namespace photonlink::optics
