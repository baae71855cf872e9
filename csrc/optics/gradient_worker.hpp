// One thread's share of a differentiator: its scratch, and the way of some datapoints from phases to derivatives.
#pragma once

#include <memory>
#include <vector>

#include "gradient_block_worker.hpp"
#include "photonlink/optics/closed_forms.hpp"
#include "photonlink/optics/gradient_closed_forms.hpp"
#include "photonlink/optics/gradient_values.hpp"

namespace photonlink::optics {

/// Without noise, or with such as leaves an ideal program.
template <class Real>
struct GradientShared : GradientCommon {
    GradientShared(const std::shared_ptr<const ProgramSpec>& program, const GradientPlan& plan);

    u32 rows;                               // as GradientPlan says
    std::unique_ptr<const ReadoutMap> map;  // null for closed forms
};

template <class Real>
class GradientWorker : BlockWorker<Real, Real> {
  public:
    explicit GradientWorker(const GradientShared<Real>& shared);

    /// Makes room for values of few rows.
    void prepare_rows(std::shared_ptr<const RowPlan<Real>> plan);
    bool rows_prepared() const { return rows_ != nullptr; }

    /// Rows first .. first + rows - 1 of a batch. Adds the derivatives with respect to the interferometers to `sum`,
    /// unless null. Few rows whose values alone are asked for take vectors over their states, if prepared.
    void run(const GradientBatch& batch, std::size_t first, std::size_t rows, Complex* sum);

    /// One of `parts` parts of the states of a single row: for a distribution of the Fock space, with rows prepared.
    void run_states(const GradientBatch& batch, u32 part, u32 parts);

  private:
    using Block = BlockWorker<Real, Real>;
    using Block::network_;

    void run_rows(const GradientBatch& batch, std::size_t first, std::size_t rows);
    void sweep_block(const GradientRows<Real>& rows, u32 width, const double* matrices);

    const GradientShared<Real>& shared_;
    // Closed forms need the first two, other readouts the next two.
    std::unique_ptr<ClosedForm> closed_form_;
    std::unique_ptr<ClosedFormGradient> closed_gradient_;
    std::unique_ptr<GradientSweep<Real>> sweep_;
    std::unique_ptr<GradientReadout<Real>> readout_;
    std::unique_ptr<RowValues<Real>> rows_;
};

}  // namespace photonlink::optics
