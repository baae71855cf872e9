// One datapoint at a time, with vectors over states: what a few datapoints take, since their lanes would be mostly
// idle, and what large spaces take, since one datapoint's levels fit a cache where sixteen do not.
#pragma once

#include "photonlink/optics/row_tables.hpp"
#include "photonlink/optics/sweep_columns.hpp"

namespace photonlink::optics {

/// What sweeps of one program share: tables and the factorials of the states.
template <class Real>
class RowPlan {
  public:
    RowPlan(const ProgramSpec& spec, const RowKernels<Real>& kernels, double scale);

    /// An upper bound; saturates.
    static u64 predict_bytes(const ProgramSpec& spec, u32 chunk);

  private:
    template <class>
    friend class RowSweep;

    const RowKernels<Real>& kernels_;
    std::shared_ptr<const RowTables> tables_;
    u32 photons_;
    u64 buffer_states_[2];
    double scale_;
    AlignedVector<Real> weights_;  // per state; empty where all weigh `scale_`
};

template <class Real>
class RowSweep {
  public:
    explicit RowSweep(std::shared_ptr<const RowPlan<Real>> plan);

    static u64 predict_bytes(const ProgramSpec& spec, u32 chunk);

    /// Computes all levels but the last of the datapoint whose columns were loaded with one lane.
    void begin(const SweepColumns<Real>& columns);

    /// The probabilities of `states` states from `first` on (a multiple of 16): bit by bit what SlosSweep::run gives.
    /// Not renormalised.
    void finish(const SweepColumns<Real>& columns, u64 first, u64 states, Real* out);

  private:
    std::shared_ptr<const RowPlan<Real>> plan_;
    AlignedVector<Real> levels_[2];  // levels take turns: real parts, then imaginary parts `stride_` further
    u64 stride_[2];
};

}  // namespace photonlink::optics
