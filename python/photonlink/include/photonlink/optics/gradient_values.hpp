// Readouts of few datapoints without derivatives, with vectors over their states (see row_sweep.hpp): the same bits as
// with derivatives.
#pragma once

#include <memory>
#include <vector>

#include "photonlink/optics/gradient_readout.hpp"
#include "photonlink/optics/row_sweep.hpp"

namespace photonlink::optics {

template <class Real>
class RowValues {
  public:
    RowValues(const ProgramSpec& spec, const std::vector<u32>& occupation, std::shared_ptr<const RowPlan<Real>> plan,
              const ReadoutMap& map, u32 max_rows);

    /// Without the plan, which threads share; saturates.
    static u64 predict_bytes(const ProgramSpec& spec, u32 chunk, u32 max_rows);

    /// Values of kernels.rows datapoints, from their matrices in the first of `lanes` lanes.
    void run(const RowKernels<Real>& kernels, const double* matrices, u32 lanes, Real* values);

    /// One of `parts` parts of a single row's values, where they are the probabilities as they are: the others take the
    /// remaining states. Each computes the levels before the last for itself.
    void run_part(const RowKernels<Real>& kernels, const double* matrices, u32 lanes, Real* values, u32 part,
                  u32 parts);

  private:
    u64 states_;
    std::size_t outputs_;
    SweepColumns<Real> columns_;
    RowSweep<Real> sweep_;
    std::vector<GradientReadout<Real>> readouts_;  // one per row, of a single lane
    std::vector<Real> tiles_;                      // likewise, for probabilities that are no results
};

}  // namespace photonlink::optics
