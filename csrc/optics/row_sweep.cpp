#include "photonlink/optics/row_sweep.hpp"

#include <algorithm>

#include "photonlink/optics/circuit_sites.hpp"
#include "photonlink/optics/photon_order.hpp"

namespace photonlink::optics {
namespace {

/// States of a level buffer in whole vectors, and one more that a load may reach into.
u64 buffer_states(const ProgramSpec& spec, u32 buffer, u32 chunk) {
    return saturating_add(level_buffer_states(spec, buffer), 2 * chunk) / chunk * chunk;
}

bool weighs_states(const ProgramSpec& spec) { return spec.readout.space == Space::Fock && spec.interference; }

u64 whole_chunks(u64 states, u32 chunk) { return saturating_add(states, chunk - 1) / chunk * chunk; }

}  // namespace

template <class Real>
u64 RowPlan<Real>::predict_bytes(const ProgramSpec& spec, u32 chunk) {
    const u64 states = state_count(spec.readout.space, spec.modes, spec.photons());
    const u64 tables = RowTables::predict_bytes(spec.readout.space, spec.modes, spec.photons(), chunk);
    return saturating_add(tables, weighs_states(spec) ? saturating_mul(whole_chunks(states, chunk), sizeof(Real)) : 0);
}

template <class Real>
RowPlan<Real>::RowPlan(const ProgramSpec& spec, u32 chunk)
    : chunk_(chunk),
      photons_(spec.photons()),
      buffer_states_{buffer_states(spec, 0, chunk), buffer_states(spec, 1, chunk)},
      scale_(PhotonOrder(InputColumns(spec).occupation).scale) {
    const auto slos = SlosTables::shared(spec.readout.space, spec.modes, photons_);  // both tables come from it
    tables_ = RowTables::shared(spec.readout.space, spec.modes, photons_, chunk);
    if (!weighs_states(spec)) return;
    weights_.resize(whole_chunks(slos->states(photons_), chunk));
    const LevelView last = slos->level(photons_);
    for (u32 b = 0; b < last.block_count; ++b) {
        const SuffixView& suffix = last.suffixes[last.blocks[b].suffix];
        const double block_weight = last.weight[b] * scale_;  // in the order of the lane kernels: the bits are theirs
        for (u32 s = 0; s < suffix.states; ++s)
            weights_[last.blocks[b].child + s] = static_cast<Real>(block_weight * suffix.weight[s]);
    }
}

template <class Real>
u64 RowSweep<Real>::predict_bytes(const ProgramSpec& spec, u32 chunk, u32 max_rows) {
    const u64 states = saturating_add(buffer_states(spec, 0, chunk), buffer_states(spec, 1, chunk));
    return saturating_mul(states, 2 * sizeof(Real) * max_rows);
}

template <class Real>
RowSweep<Real>::RowSweep(std::shared_ptr<const RowPlan<Real>> plan, u32 max_rows)
    : plan_(std::move(plan)), stride_{plan_->buffer_states_[0], plan_->buffer_states_[1]} {
    for (u32 buffer = 0; buffer < 2; ++buffer) levels_[buffer].resize(2 * stride_[buffer] * max_rows);
}

template <class Real>
void RowSweep<Real>::begin(const RowKernels<Real>& kernels, const SweepColumns<Real>& columns) {
    u32 turn = plan_->photons_ % 2 == 1 ? 1 : 0;  // level photons - 1 lands in levels_[1]
    for (u32 row = 0; row < kernels.rows; ++row) {
        Real* const vacuum = levels_[turn].data() + 2 * row * stride_[turn];
        vacuum[0] = 1;
        vacuum[stride_[turn]] = 0;
    }
    for (u32 k = 1; k < plan_->photons_; ++k, turn ^= 1) {
        const auto step = !columns.interference()  ? kernels.step_distinguishable
                          : columns.is_real(k - 1) ? kernels.step_real_column
                                                   : kernels.step;
        step(plan_->tables_->level(k), columns.column(k - 1), levels_[turn].data(), stride_[turn],
             levels_[turn ^ 1].data(), stride_[turn ^ 1]);
    }
}

template <class Real>
void RowSweep<Real>::finish(const RowKernels<Real>& kernels, const SweepColumns<Real>& columns, u64 first, u64 states,
                            Real* const* out) {
    const u32 chunk = plan_->chunk_;
    const auto finish = columns.interference() ? kernels.finish : kernels.finish_distinguishable;
    const Real* const weights = plan_->weights_.empty() ? nullptr : plan_->weights_.data();
    const auto run = [&](u64 from, u64 to, Real* const* at) {
        finish(plan_->tables_->level(plan_->photons_), static_cast<u32>(from), static_cast<u32>(to),
               columns.column(plan_->photons_ - 1), levels_[1].data(), stride_[1], weights,
               static_cast<Real>(plan_->scale_), at);
    };
    const u64 begin = first / chunk, whole = states / chunk;
    run(begin, begin + whole, out);
    if (states % chunk == 0) return;
    Real tails[kMostKernelRows][kMostLanes];  // the last vector may be longer than what the caller has room for
    Real* const tail[kMostKernelRows] = {tails[0], tails[1]};
    run(begin + whole, begin + whole + 1, tail);
    for (u32 row = 0; row < kernels.rows; ++row)
        std::copy(tails[row], tails[row] + states % chunk, out[row] + whole * chunk);
}

template class RowPlan<float>;
template class RowPlan<double>;
template class RowSweep<float>;
template class RowSweep<double>;

}  // namespace photonlink::optics
