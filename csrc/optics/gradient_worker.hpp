// One thread's share of a differentiator: its scratch, and the way of some datapoints from phases to derivatives.
#pragma once

#include <memory>
#include <vector>

#include "photonlink/optics/closed_forms.hpp"
#include "photonlink/optics/gradient_closed_forms.hpp"
#include "photonlink/optics/gradient_network.hpp"
#include "photonlink/optics/gradient_plan.hpp"
#include "photonlink/optics/gradient_readout.hpp"
#include "photonlink/optics/gradient_values.hpp"

namespace photonlink::optics {

/// What the workers of a differentiator share; never written while they work.
template <class Real>
struct GradientShared {
    GradientShared(std::shared_ptr<const ProgramSpec> program, const GradientOptions& options);

    std::shared_ptr<const ProgramSpec> spec;
    const KernelProfile& profile;
    const GradientProfile& gradients;
    std::size_t outputs;
    GradientPlan plan;
    GradientNetwork network;
    std::unique_ptr<const ReadoutMap> map;  // null for closed forms
};

template <class Real>
class GradientWorker {
  public:
    explicit GradientWorker(const GradientShared<Real>& shared);

    /// Makes room for values of few rows.
    void prepare_rows(std::shared_ptr<const RowPlan<Real>> plan);
    bool rows_prepared() const { return rows_ != nullptr; }

    /// Rows first .. first + rows - 1 of a batch side by side in lanes. Adds the derivatives with respect to the
    /// interferometers to `sum`, unless null.
    void run(const GradientBatch& batch, std::size_t first, std::size_t rows, Complex* sum);

    /// The values of such rows with vectors over their states, which must be prepared.
    void run_rows(const GradientBatch& batch, std::size_t first, std::size_t rows);

    /// One of `parts` parts of the states of a single row: for a distribution of the Fock space, with rows prepared.
    void run_states(const GradientBatch& batch, u32 part, u32 parts);

  private:
    const double* propagate(const GradientBatch& batch, std::size_t first, u32 rows, u32 width);
    void run_block(const GradientBatch& batch, std::size_t first, u32 rows, u32 width, Complex* sum);
    void sweep_block(const GradientRows<Real>& rows, u32 width, const double* matrices);
    void evaluate_block(const GradientRows<Real>& rows, u32 lanes, const double* matrices);

    const GradientShared<Real>& shared_;
    NetworkState network_;
    // Closed forms need the first two, other readouts the next two.
    std::unique_ptr<ClosedForm> closed_form_;
    std::unique_ptr<ClosedFormGradient> closed_gradient_;
    std::unique_ptr<GradientSweep<Real>> sweep_;
    std::unique_ptr<GradientReadout<Real>> readout_;
    std::vector<double> values_;      // of one row, for closed forms
    std::vector<double> cotangents_;  // likewise
    std::unique_ptr<RowValues<Real>> rows_;
};

}  // namespace photonlink::optics
