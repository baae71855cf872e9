#include "photonlink/optics/gradient_values.hpp"

#include <algorithm>

#include "batch_split.hpp"

namespace photonlink::optics {

template <class Real>
u64 RowValues<Real>::predict_bytes(const ProgramSpec& spec, u32 chunk, u32 max_rows) {
    const u64 row = saturating_add(GradientReadout<Real>::predict_bytes(spec, 1), kTileStates * sizeof(Real));
    return saturating_add(saturating_add(RowSweep<Real>::predict_bytes(spec, chunk, max_rows),
                                         SweepColumns<Real>::predict_bytes(spec, max_rows)),
                          saturating_mul(row, max_rows));
}

template <class Real>
RowValues<Real>::RowValues(const ProgramSpec& spec, const std::vector<u32>& occupation,
                           std::shared_ptr<const RowPlan<Real>> plan, const ReadoutMap& map, u32 max_rows)
    : states_(state_count(spec.readout.space, spec.modes, spec.photons())),
      outputs_(map.outputs()),
      columns_(spec, occupation, max_rows),
      sweep_(std::move(plan), max_rows),
      readouts_(max_rows, GradientReadout<Real>(spec, map, 1)),
      tiles_(std::size_t{max_rows} * kTileStates) {}

template <class Real>
void RowValues<Real>::run(const RowKernels<Real>& kernels, const double* matrices, u32 lanes, Real* values) {
    columns_.load(kernels.rows, matrices, lanes);
    sweep_.begin(kernels, columns_);
    for (u32 row = 0; row < kernels.rows; ++row) readouts_[row].begin(1, {1, nullptr, values + row * outputs_});
    for (u64 first = 0; first < states_; first += kTileStates) {
        const u32 states = static_cast<u32>(std::min<u64>(kTileStates, states_ - first));
        Real* at[kMostKernelRows];
        for (u32 row = 0; row < kernels.rows; ++row) {
            Real* const place = readouts_[row].place(first);
            at[row] = place != nullptr ? place : tiles_.data() + row * kTileStates;
        }
        sweep_.finish(kernels, columns_, first, states, at);
        for (u32 row = 0; row < kernels.rows; ++row) readouts_[row].take({static_cast<u32>(first), states, at[row]});
    }
    for (u32 row = 0; row < kernels.rows; ++row) readouts_[row].finish();
}

template <class Real>
void RowValues<Real>::run_part(const RowKernels<Real>& kernels, const double* matrices, u32 lanes, Real* values,
                               u32 part, u32 parts) {
    columns_.load(kernels.rows, matrices, lanes);
    sweep_.begin(kernels, columns_);
    const StateRange states = part_of_states(states_, part, parts);
    Real* const at = values + states.first;
    sweep_.finish(kernels, columns_, states.first, states.count, &at);
}

template class RowValues<float>;
template class RowValues<double>;

}  // namespace photonlink::optics
