#include "gradient_noisy_worker.hpp"

#include <algorithm>
#include <utility>

#include "batch_split.hpp"
#include "lane_rows.hpp"
#include "noise_rows.hpp"

namespace photonlink::optics {

NoisyGradientShared::NoisyGradientShared(std::shared_ptr<const ProgramSpec> program, u32 max_lanes)
    : spec(std::move(program)),
      plan(plan_noise(*spec)),
      profile(select_kernel_profile()),
      gradients(gradient_profile(profile)),
      outputs(noisy_output_size(*spec, plan)),
      lanes(max_lanes),
      network(*spec) {
    if (has_noisy_closed_form(*spec, plan)) return;
    tables = std::make_unique<const MixtureTables>(*spec, plan, profile);
    readout = std::make_unique<const SectorReadout>(*spec, plan);
}

template <class Real>
NoisyGradientWorker<Real>::NoisyGradientWorker(const NoisyGradientShared& shared)
    : shared_(shared), network_(shared.network, shared.lanes), values_(shared.outputs), cotangents_(shared.outputs) {
    if (shared.tables == nullptr) {
        closed_form_.emplace(*shared.spec, shared.plan);
        return;
    }
    sweep_.emplace(*shared.spec, shared.network.occupation(), *shared.tables, shared.lanes);
    rows_.resize(shared.tables->kept() * shared.lanes);
}

template <class Real>
u64 NoisyGradientWorker<Real>::predict_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes) {
    const u64 bytes = saturating_add(NetworkState::predict_bytes(spec, lanes),
                                     saturating_mul(noisy_output_size(spec, plan), 2 * sizeof(double)));
    if (has_noisy_closed_form(spec, plan))
        return saturating_add(bytes, NoisyClosedFormGradient::predict_bytes(spec, plan));
    const u64 rows = saturating_mul(kept_states(spec, plan), lanes * sizeof(double));
    return saturating_add(bytes, saturating_add(rows, MixtureGradientSweep::predict_bytes(spec, plan, lanes)));
}

template <class Real>
void NoisyGradientWorker<Real>::run(const GradientBatch& batch, std::size_t first, std::size_t rows, Complex* sum) {
    for_lane_blocks<double>(shared_.profile, first, rows, shared_.lanes,
                            [&](std::size_t row, u32 count, u32 width) { run_block(batch, row, count, width, sum); });
}

template <class Real>
void NoisyGradientWorker<Real>::run_block(const GradientBatch& batch, std::size_t first, u32 rows, u32 width,
                                          Complex* sum) {
    const GradientKernels<double>& kernels = shared_.gradients.float64[width];
    const std::size_t phases = shared_.spec->phases.size();
    const double* const matrices =
        network_.propagate(shared_.profile.widths<double>()[width], kernels, batch.phases + first * phases, rows);
    if (sweep_)
        mixture_block(batch, first, rows, width, matrices);
    else
        closed_block(batch, first, rows, kernels.lanes, matrices);
    if (batch.cotangents == nullptr) return;
    network_.pull_back(kernels, rows,
                       batch.phase_gradients == nullptr ? nullptr : batch.phase_gradients + first * phases, sum);
}

template <class Real>
void NoisyGradientWorker<Real>::mixture_block(const GradientBatch& batch, std::size_t first, u32 rows, u32 width,
                                              const double* matrices) {
    const MixtureTables& tables = *shared_.tables;
    const u32 lanes = shared_.gradients.float64[width].lanes;
    double* targets[kMostLanes] = {};
    for (u32 row = 0; row < rows; ++row) targets[row] = rows_.data() + row * tables.kept();
    const double* mixture = nullptr;
    if (batch.cotangents == nullptr) {
        mixture_rows(*sweep_, tables, width, matrices, rows, targets);
    } else {
        mixture = sweep_->run(width, matrices, lanes);
        take_rows(tables, mixture, lanes, rows, targets);
    }
    for (u32 row = 0; row < rows; ++row) finish_row(batch, first + row, targets[row]);
    if (batch.cotangents == nullptr) return;
    if (mixture == nullptr) return clear_adjoint(lanes);
    load_rows(rows, lanes);
    sweep_->backward(width, matrices, network_.adjoint());
}

/// Hands the rows to the sweep, as derivatives with respect to what it delivered.
template <class Real>
void NoisyGradientWorker<Real>::load_rows(u32 rows, u32 lanes) {
    const SectorPlaces& detected = shared_.tables->detected();
    u64 state = 0;
    for (u32 photons = detected.most() + 1; photons-- > shared_.plan.least;) {
        const u32 states = static_cast<u32>(detected.states(photons));
        gather(rows_.data(), shared_.tables->kept(), rows, state, states,
               sweep_->cotangents() + detected.begin(photons) * lanes, lanes);
        state += states;
    }
}

template <class Real>
void NoisyGradientWorker<Real>::clear_adjoint(u32 lanes) {
    std::fill_n(network_.adjoint(), u64{shared_.network.modes()} * shared_.network.columns() * 2 * lanes, 0.0);
}

/// Delivers what a distribution says, and replaces it by the derivatives with respect to its probabilities, by which
/// the values are divided.
template <class Real>
void NoisyGradientWorker<Real>::finish_row(const GradientBatch& batch, std::size_t row, double* distribution) {
    const double kept = renormalise_row(*shared_.tables, shared_.spec->photons(), distribution);
    shared_.readout->exact(distribution, values_.data());
    publish(batch, row);
    if (batch.cotangents == nullptr) return;
    const double* const cotangents = load_cotangents(batch, row);
    double mean = 0;
    for (std::size_t o = 0; o < shared_.outputs; ++o) mean += cotangents[o] * values_[o];
    shared_.readout->pull_back(cotangents, distribution);
    const double scale = kept > 0 ? 1 / kept : 0.0;
    for (std::size_t s = 0; s < shared_.tables->kept(); ++s) distribution[s] = (distribution[s] - mean) * scale;
}

template <class Real>
void NoisyGradientWorker<Real>::closed_block(const GradientBatch& batch, std::size_t first, u32 rows, u32 lanes,
                                             const double* matrices) {
    double* const adjoint = network_.adjoint();
    clear_adjoint(lanes);  // of lanes without a row
    for (u32 row = 0; row < rows; ++row) {
        const double* const re = matrices + row;
        if (batch.values != nullptr) {
            closed_form_->evaluate(re, re + lanes, lanes, values_.data());
            publish(batch, first + row);
        }
        if (batch.cotangents == nullptr) continue;
        closed_form_->pull_back(re, re + lanes, lanes, load_cotangents(batch, first + row), adjoint + row,
                                adjoint + lanes + row);
    }
}

template <class Real>
void NoisyGradientWorker<Real>::publish(const GradientBatch& batch, std::size_t row) const {
    if (batch.values == nullptr) return;
    std::transform(values_.begin(), values_.end(), static_cast<Real*>(batch.values) + row * shared_.outputs,
                   [](double value) { return static_cast<Real>(value); });
}

template <class Real>
const double* NoisyGradientWorker<Real>::load_cotangents(const GradientBatch& batch, std::size_t row) {
    std::copy_n(static_cast<const Real*>(batch.cotangents) + row * shared_.outputs, shared_.outputs,
                cotangents_.begin());
    return cotangents_.data();
}

template class NoisyGradientWorker<float>;
template class NoisyGradientWorker<double>;

}  // namespace photonlink::optics
