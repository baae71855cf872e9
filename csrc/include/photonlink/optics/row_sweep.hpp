// Few datapoints at a time, with vectors over states: what a small batch takes, since its lanes would be mostly idle,
// and what is left where memory does not hold the levels of many.
#pragma once

#include "photonlink/optics/row_tables.hpp"
#include "photonlink/optics/sweep_columns.hpp"

namespace photonlink::optics {

/// What sweeps of one program share: tables and the factorials of the states.
template <class Real>
class RowPlan {
  public:
    RowPlan(const ProgramSpec& spec, u32 chunk);

    /// An upper bound; saturates.
    static u64 predict_bytes(const ProgramSpec& spec, u32 chunk);

  private:
    template <class>
    friend class RowSweep;

    u32 chunk_;
    std::shared_ptr<const RowTables> tables_;
    u32 photons_;
    u64 buffer_states_[2];
    double scale_;
    AlignedVector<Real> weights_;  // per state; empty where all weigh `scale_`
};

template <class Real>
class RowSweep {
  public:
    RowSweep(std::shared_ptr<const RowPlan<Real>> plan, u32 max_rows);

    static u64 predict_bytes(const ProgramSpec& spec, u32 chunk, u32 max_rows);

    /// Computes all levels but the last of kernels.rows datapoints, whose columns were loaded with as many lanes.
    void begin(const RowKernels<Real>& kernels, const SweepColumns<Real>& columns);

    /// The probabilities of `states` states from `first` on (a multiple of 16), datapoint r to out[r]: bit by bit what
    /// SlosSweep::run gives. Not renormalised.
    void finish(const RowKernels<Real>& kernels, const SweepColumns<Real>& columns, u64 first, u64 states,
                Real* const* out);

  private:
    std::shared_ptr<const RowPlan<Real>> plan_;
    AlignedVector<Real> levels_[2];  // levels take turns; see RowKernels
    u64 stride_[2];
};

}  // namespace photonlink::optics
