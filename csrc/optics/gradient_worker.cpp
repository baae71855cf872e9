#include "gradient_worker.hpp"

#include <algorithm>
#include <utility>

#include "batch_split.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

template <class Real>
GradientShared<Real>::GradientShared(const std::shared_ptr<const ProgramSpec>& program, const GradientPlan& plan)
    : GradientCommon(program, output_size(*program), plan.layout), rows(plan.rows) {
    levels = GradientPlan::levels(*spec);
    kept_levels = plan.kept_levels;
    if (has_closed_form_gradient(*spec)) return;
    check_numbered(*spec);
    map = std::make_unique<const ReadoutMap>(*spec);
    row_ns = estimated_row_ns(*spec, true);
}

template <class Real>
GradientWorker<Real>::GradientWorker(const GradientShared<Real>& shared)
    : Block(shared, shared.map == nullptr ? shared.outputs : 0), shared_(shared) {
    const ProgramSpec& spec = *shared.spec;
    const std::vector<u32>& occupation = shared.network.occupation();
    if (shared.map == nullptr) {
        closed_form_ = std::make_unique<ClosedForm>(spec, occupation);
        closed_gradient_ = std::make_unique<ClosedFormGradient>(spec, occupation);
        return;
    }
    sweep_ = std::make_unique<GradientSweep<Real>>(spec, occupation, shared.layout.lanes, shared.kept_levels);
    readout_ = std::make_unique<GradientReadout<Real>>(spec, *shared.map, shared.layout.lanes);
}

template <class Real>
void GradientWorker<Real>::prepare_rows(std::shared_ptr<const RowPlan<Real>> plan) {
    rows_ = std::make_unique<RowValues<Real>>(*shared_.spec, shared_.network.occupation(), std::move(plan),
                                              *shared_.map, shared_.rows);
}

template <class Real>
void GradientWorker<Real>::run(const GradientBatch& batch, std::size_t first, std::size_t rows, Complex* sum) {
    if (batch.cotangents == nullptr && rows_prepared() && are_few_rows(*shared_.spec, rows))
        return run_rows(batch, first, rows);
    this->run_blocks(batch, first, rows, sum, [&](const GradientRows<Real>& at, u32 width, const double* matrices) {
        if (sweep_)
            sweep_block(at, width, matrices);
        else
            this->run_closed_form(*closed_form_, *closed_gradient_, at, width, matrices);
    });
}

/// The values of such rows with vectors over their states.
template <class Real>
void GradientWorker<Real>::run_rows(const GradientBatch& batch, std::size_t first, std::size_t rows) {
    const RowKernels<Real>* kernels = shared_.profile.template rows<Real>();
    for (const std::size_t end = first + rows; first < end; first += kernels->rows) {
        while (kernels->rows > end - first) ++kernels;
        const u32 width = kernel_width<Real>(shared_.profile, kernels->rows, shared_.layout.lanes);
        rows_->run(*kernels, this->propagate(batch, first, kernels->rows, width),
                   shared_.profile.template widths<Real>()[width].lanes,
                   static_cast<Real*>(batch.values) + first * shared_.outputs);
    }
}

template <class Real>
void GradientWorker<Real>::run_states(const GradientBatch& batch, u32 part, u32 parts) {
    const RowKernels<Real>* const kernels = shared_.profile.template rows<Real>() + shared_.profile.row_count - 1;
    const u32 width = kernel_width<Real>(shared_.profile, 1, shared_.layout.lanes);
    rows_->run_part(*kernels, this->propagate(batch, 0, 1, width), shared_.profile.template widths<Real>()[width].lanes,
                    static_cast<Real*>(batch.values), part, parts);
}

template <class Real>
void GradientWorker<Real>::sweep_block(const GradientRows<Real>& rows, u32 width, const double* matrices) {
    const SlosKernels<Real>& kernels = shared_.profile.template widths<Real>()[width];
    readout_->begin(kernels.lanes, rows);
    sweep_->begin(kernels, matrices);
    if (readout_->needs_probabilities()) {
        sweep_->forward(kernels, [&](const StateTile<Real>& tile) { readout_->take(tile); });
        readout_->finish();
    }
    if (rows.cotangents == nullptr) return;
    sweep_->backward(
        kernels, shared_.gradients.template widths<Real>()[width], matrices,
        [&](const StateTile<Real>& tile) { readout_->pull_back(tile); }, network_.adjoint());
}

template struct GradientShared<float>;
template struct GradientShared<double>;
template class GradientWorker<float>;
template class GradientWorker<double>;

}  // namespace photonlink::optics
