#include "gradient_worker.hpp"

#include <algorithm>
#include <utility>

#include "batch_split.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

template <class Real>
GradientShared<Real>::GradientShared(std::shared_ptr<const ProgramSpec> program, const GradientOptions& options)
    : spec(std::move(program)),
      profile(select_kernel_profile()),
      gradients(gradient_profile(profile)),
      outputs(output_size(*spec)),
      plan(plan_gradients<Real>(*spec, profile, options)),
      network(*spec) {
    if (has_closed_form_gradient(*spec)) return;
    check_numbered(*spec);
    map = std::make_unique<const ReadoutMap>(*spec);
}

template <class Real>
GradientWorker<Real>::GradientWorker(const GradientShared<Real>& shared)
    : shared_(shared), network_(shared.network, shared.plan.lanes) {
    const ProgramSpec& spec = *shared.spec;
    const std::vector<u32>& occupation = shared.network.occupation();
    if (shared.map == nullptr) {
        closed_form_ = std::make_unique<ClosedForm>(spec, occupation);
        closed_gradient_ = std::make_unique<ClosedFormGradient>(spec, occupation);
        values_.resize(shared.outputs);
        cotangents_.resize(shared.outputs);
        return;
    }
    sweep_ = std::make_unique<GradientSweep<Real>>(spec, occupation, shared.plan.lanes, shared.plan.kept_levels);
    readout_ = std::make_unique<GradientReadout<Real>>(spec, *shared.map, shared.plan.lanes);
}

template <class Real>
void GradientWorker<Real>::prepare_rows(std::shared_ptr<const RowPlan<Real>> plan) {
    rows_ = std::make_unique<RowValues<Real>>(*shared_.spec, shared_.network.occupation(), std::move(plan),
                                              *shared_.map, shared_.plan.rows);
}

template <class Real>
void GradientWorker<Real>::run(const GradientBatch& batch, std::size_t first, std::size_t rows, Complex* sum) {
    for_lane_blocks<Real>(shared_.profile, first, rows, shared_.plan.lanes,
                          [&](std::size_t row, u32 count, u32 width) { run_block(batch, row, count, width, sum); });
}

template <class Real>
void GradientWorker<Real>::run_rows(const GradientBatch& batch, std::size_t first, std::size_t rows) {
    const RowKernels<Real>* kernels = shared_.profile.template rows<Real>();
    for (const std::size_t end = first + rows; first < end; first += kernels->rows) {
        while (kernels->rows > end - first) ++kernels;
        const u32 width = kernel_width<Real>(shared_.profile, kernels->rows, shared_.plan.lanes);
        rows_->run(*kernels, propagate(batch, first, kernels->rows, width),
                   shared_.profile.template widths<Real>()[width].lanes,
                   static_cast<Real*>(batch.values) + first * shared_.outputs);
    }
}

template <class Real>
void GradientWorker<Real>::run_states(const GradientBatch& batch, u32 part, u32 parts) {
    const RowKernels<Real>* const kernels = shared_.profile.template rows<Real>() + shared_.profile.row_count - 1;
    const u32 width = kernel_width<Real>(shared_.profile, 1, shared_.plan.lanes);
    rows_->run_part(*kernels, propagate(batch, 0, 1, width), shared_.profile.template widths<Real>()[width].lanes,
                    static_cast<Real*>(batch.values), part, parts);
}

template <class Real>
const double* GradientWorker<Real>::propagate(const GradientBatch& batch, std::size_t first, u32 rows, u32 width) {
    return network_.propagate(shared_.profile.template widths<Real>()[width],
                              shared_.gradients.template widths<Real>()[width],
                              batch.phases + first * shared_.spec->phases.size(), rows);
}

template <class Real>
void GradientWorker<Real>::run_block(const GradientBatch& batch, std::size_t first, u32 rows, u32 width, Complex* sum) {
    const GradientKernels<Real>& kernels = shared_.gradients.template widths<Real>()[width];
    const std::size_t phases = shared_.spec->phases.size();
    const double* const matrices = propagate(batch, first, rows, width);
    GradientRows<Real> at{rows, static_cast<const Real*>(batch.cotangents), static_cast<Real*>(batch.values)};
    if (at.cotangents != nullptr) at.cotangents += first * shared_.outputs;
    if (at.values != nullptr) at.values += first * shared_.outputs;
    if (sweep_)
        sweep_block(at, width, matrices);
    else
        evaluate_block(at, kernels.lanes, matrices);
    if (at.cotangents == nullptr) return;
    network_.pull_back(kernels, rows,
                       batch.phase_gradients == nullptr ? nullptr : batch.phase_gradients + first * phases, sum);
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

template <class Real>
void GradientWorker<Real>::evaluate_block(const GradientRows<Real>& rows, u32 lanes, const double* matrices) {
    double* const adjoint = network_.adjoint();
    std::fill_n(adjoint, std::size_t{shared_.network.modes()} * shared_.network.columns() * 2 * lanes, 0.0);
    for (u32 row = 0; row < rows.rows; ++row) {
        if (rows.values != nullptr) {
            closed_form_->evaluate(matrices + row, matrices + lanes + row, lanes, values_.data());
            std::transform(values_.begin(), values_.end(), rows.values + row * shared_.outputs,
                           [](double value) { return static_cast<Real>(value); });
        }
        if (rows.cotangents == nullptr) continue;
        std::copy_n(rows.cotangents + row * shared_.outputs, shared_.outputs, cotangents_.begin());
        closed_gradient_->pull_back(matrices + row, matrices + lanes + row, lanes, cotangents_.data(), adjoint + row,
                                    adjoint + lanes + row);
    }
}

template struct GradientShared<float>;
template struct GradientShared<double>;
template class GradientWorker<float>;
template class GradientWorker<double>;

}  // namespace photonlink::optics
