#include "gradient_noisy_worker.hpp"

#include <algorithm>
#include <utility>

#include "lane_rows.hpp"
#include "noise_rows.hpp"
#include "photonlink/optics/readout.hpp"

namespace photonlink::optics {

NoisyGradientShared::NoisyGradientShared(const std::shared_ptr<const ProgramSpec>& program, NoisePlan noise_plan,
                                         const GradientLayout& chosen)
    : GradientCommon(program, noisy_output_size(*program, noise_plan), chosen), plan(std::move(noise_plan)) {
    keeps_events = plan.enough > 0;
    if (has_noisy_closed_form(*spec, plan)) return;
    tables = std::make_unique<const MixtureTables>(*spec, plan, profile);
    readout = std::make_unique<const SectorReadout>(*spec, plan);
    row_ns += mixture_row_ns(*spec, plan);
    levels = kept_levels = tables->shared().most();
}

template <class Real>
NoisyGradientWorker<Real>::NoisyGradientWorker(const NoisyGradientShared& shared)
    : Block(shared, shared.outputs), shared_(shared) {
    if (shared.tables == nullptr) {
        closed_form_.emplace(*shared.spec, shared.plan);
        return;
    }
    sweep_.emplace(*shared.spec, shared.network.occupation(), *shared.tables, shared.layout.lanes);
    rows_.resize(shared.tables->kept() * shared.layout.lanes);
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
    this->run_blocks(batch, first, rows, sum, [&](const GradientRows<Real>& at, u32 width, const double* matrices) {
        if (sweep_)
            mixture_block(at, width, matrices);
        else
            this->run_closed_form(*closed_form_, *closed_form_, at, width, matrices);
    });
}

template <class Real>
void NoisyGradientWorker<Real>::mixture_block(const GradientRows<Real>& rows, u32 width, const double* matrices) {
    const MixtureTables& tables = *shared_.tables;
    const u32 lanes = shared_.profile.widths<double>()[width].lanes;
    double* targets[kMostLanes] = {};
    for (u32 row = 0; row < rows.rows; ++row) targets[row] = rows_.data() + row * tables.kept();
    const double* mixture = nullptr;
    if (rows.cotangents == nullptr) {
        mixture_rows(*sweep_, tables, width, matrices, rows.rows, targets);
    } else {
        mixture = sweep_->run(width, matrices, lanes);
        take_rows(tables, mixture, lanes, rows.rows, targets);
    }
    for (u32 row = 0; row < rows.rows; ++row) finish_row(rows, row, targets[row]);
    if (rows.cotangents == nullptr) return;
    if (mixture == nullptr) return this->clear_adjoint(lanes);
    load_rows(rows.rows, lanes);
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

/// Delivers what a distribution says, and replaces it by the derivatives with respect to its probabilities, by which
/// the values are divided.
template <class Real>
void NoisyGradientWorker<Real>::finish_row(const GradientRows<Real>& rows, u32 row, double* distribution) {
    const double kept = renormalise_row(*shared_.tables, shared_.spec->photons(), distribution);
    shared_.readout->exact(distribution, values_.data());
    this->publish(rows, row);
    if (rows.cotangents == nullptr) return;
    const double* const cotangents = this->load_cotangents(rows, row);
    for (std::size_t o = 0; o < shared_.outputs; ++o) values_[o] *= cotangents[o];
    const double mean = striped_sum(values_.data(), shared_.outputs);
    shared_.readout->pull_back(cotangents, distribution);
    const double scale = kept > 0 ? 1 / kept : 0.0;
    for (std::size_t s = 0; s < shared_.tables->kept(); ++s) distribution[s] = (distribution[s] - mean) * scale;
}

template class NoisyGradientWorker<float>;
template class NoisyGradientWorker<double>;

}  // namespace photonlink::optics
