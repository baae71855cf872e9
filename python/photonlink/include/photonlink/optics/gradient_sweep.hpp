// The SLOS sweep with its reverse. Amplitudes of the lower levels are kept from the way up; those above are computed
// again on the way down, from the highest kept level, where memory does not hold all of them.
#pragma once

#include <memory>

#include "photonlink/optics/gradient_columns.hpp"
#include "photonlink/optics/gradient_kernel.hpp"
#include "photonlink/optics/slos_tables.hpp"

namespace photonlink::optics {

/// Some consecutive states of the last level, in lane arrays.
template <class Real>
struct StateTile {
    u32 first;
    u32 states;
    Real* values;
};

template <class Real>
class GradientSweep {
  public:
    /// Levels 1..kept_levels are kept, at most photons - 1 (the last level is never stored).
    GradientSweep(const ProgramSpec& spec, const std::vector<u32>& occupation, u32 max_lanes, u32 kept_levels);

    /// Without the tables, which threads share; saturates.
    static u64 predict_bytes(const ProgramSpec& spec, u32 max_lanes, u32 kept_levels);

    /// States per tile, at most.
    static u64 tile_states(const ProgramSpec& spec);

    /// Takes the matrices of a block.
    void begin(const SlosKernels<Real>& kernels, const double* matrices);

    /// Hands the probabilities of the block, not renormalised, to visit(tile), in order.
    template <class Visit>
    void forward(const SlosKernels<Real>& kernels, Visit&& visit) {
        for (u32 block = 0; block < last_level().block_count;) {
            const u32 end = tile_end(last_level(), block);
            visit(StateTile<Real>{last_level().blocks[block].child, probabilities(kernels, block, end), tile_.data()});
            block = end;
        }
    }

    /// The way back of the block that begin() took: visit(tile) fills in the derivatives with respect to the
    /// probabilities; `adjoint` receives those with respect to the matrices.
    template <class Visit>
    void backward(const SlosKernels<Real>& kernels, const GradientKernels<Real>& gradients, const double* matrices,
                  Visit&& visit, double* adjoint) {
        clear_parents(tables_->photons(), kernels.lanes);
        for (u32 block = 0; block < last_level().block_count;) {
            const u32 end = tile_end(last_level(), block);
            visit(StateTile<Real>{last_level().blocks[block].child, states_between(last_level(), block, end),
                                  tile_.data()});
            back_last(kernels, gradients, block, end);
            block = end;
        }
        for (u32 level = tables_->photons() - 1; level > 0; --level) back_level(kernels, gradients, level);
        gradients_.pull_back(matrices, columns_.input_column(tables_->photons() - 1), adjoint);
    }

  private:
    struct Sizes;
    static Sizes sizes(const ProgramSpec& spec, u32 kept_levels);

    LevelView last_level() const { return tables_->level(tables_->photons()); }
    static u32 states_between(const LevelView& level, u32 first_block, u32 last_block);
    u32 tile_end(const LevelView& level, u32 first_block) const;
    u32 probabilities(const SlosKernels<Real>& kernels, u32 first_block, u32 last_block);
    Real* storage(u32 level);
    const Real* amplitudes(const SlosKernels<Real>& kernels, u32 level);
    void step(const SlosKernels<Real>& kernels, u32 level);
    Real* adjoints(u32 level) { return adjoints_[level % 2].data(); }
    void clear_parents(u32 level, u32 lanes);
    void back_last(const SlosKernels<Real>& kernels, const GradientKernels<Real>& gradients, u32 first_block,
                   u32 last_block);
    void back_level(const SlosKernels<Real>& kernels, const GradientKernels<Real>& gradients, u32 level);

    std::shared_ptr<const SlosTables> tables_;
    bool interference_;
    u32 max_lanes_;
    u32 kept_levels_;
    SweepColumns<Real> columns_;
    ColumnGradients<Real> gradients_;
    std::vector<std::size_t> kept_at_;  // per kept level: first state in kept_; level 0 is the vacuum
    AlignedVector<Real> kept_;
    AlignedVector<Real> scratch_[2];   // levels above, by parity
    u32 scratch_level_[2] = {0, 0};    // what they hold; 0: nothing
    AlignedVector<Real> adjoints_[2];  // derivatives of a level and the one below, by parity
    u32 tile_capacity_;
    AlignedVector<Real> tile_;
};

}  // namespace photonlink::optics
