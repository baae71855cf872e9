#include "noise_worker.hpp"

#include <algorithm>
#include <string>

#include "batch_split.hpp"
#include "noise_report.hpp"
#include "noise_rows.hpp"
#include "photonlink/optics/readout.hpp"

namespace photonlink::optics {

NoisyWorker::NoisyWorker(const NoisyShared& shared)
    : shared_(shared),
      spec_(*shared.spec),
      interferometer_(spec_, shared.layout.lanes),
      closed_form_(spec_, shared.plan) {
    if (!shared.tables) return;
    sweep_.emplace(*shared.tables, shared.layout.lanes);
    rows_.resize(shared.tables->kept() * shared.layout.lanes);
    sampler_.emplace(shared.tables->kept());
}

u64 NoisyWorker::predict_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes, bool distribution) {
    const u64 bytes = saturating_add(Interferometer::predict_bytes(spec, lanes),
                                     saturating_mul(noisy_output_size(spec, plan), 2 * sizeof(double)));
    if (!distribution) return bytes;
    const u64 states = kept_states(spec, plan);
    const u64 rows = saturating_add(saturating_mul(states, lanes * sizeof(double)), Sampler::predict_bytes(states));
    return saturating_add(bytes, saturating_add(rows, mixture_sweep_bytes(spec, plan, lanes)));
}

void NoisyWorker::run(const SimulationBatch& batch, std::size_t first, std::size_t rows) {
    for_lane_blocks<double>(*shared_.profile, first, rows, shared_.layout.lanes,
                            [&](std::size_t row, u32 count, u32 width) { run_block(batch, row, count, width); });
}

void NoisyWorker::run_block(const SimulationBatch& batch, std::size_t first, u32 rows, u32 width) {
    const SlosKernels<double>& kernels = shared_.profile->widths<double>()[width];
    const u32 lanes = kernels.lanes;
    const double* const columns = interferometer_.compose(kernels, batch.phases + first * spec_.phases.size(), rows);
    if (!shared_.tables || (batch.shots == 0 && has_noisy_closed_form(spec_, shared_.plan))) {
        for (u32 lane = 0; lane < rows; ++lane) finish_closed_form(batch, first + lane, columns + lane, lanes);
        return;
    }
    double* targets[kMostLanes] = {};
    for (u32 lane = 0; lane < rows; ++lane) targets[lane] = result_row(batch, first + lane, lane);
    mixture_rows(*sweep_, *shared_.tables, width, columns, rows, targets);
    for (u32 lane = 0; lane < rows; ++lane) finish_row(batch, first + lane, targets[lane]);
}

void NoisyWorker::finish_closed_form(const SimulationBatch& batch, std::size_t row, const double* columns, u32 lanes) {
    RowReport& report = fresh_report(batch, row, shared_.outputs, scratch_);
    report.kept_fraction = shared_.plan.kept_scale;
    closed_form_.evaluate(columns, columns + lanes, lanes, report.observables.data());
    publish(batch, row, report, shared_.precision);
}

/// Where a distribution is the result itself, the caller's row; else one of this worker's.
double* NoisyWorker::result_row(const SimulationBatch& batch, std::size_t row, u32 lane) {
    const bool wanted = batch.shots == 0 && is_distribution(spec_.readout) && shared_.precision == Precision::Float64;
    void* const out = wanted && batch.observables != nullptr ? batch.observables[row] : nullptr;
    return out != nullptr ? static_cast<double*>(out) : rows_.data() + lane * shared_.tables->kept();
}

void NoisyWorker::finish_row(const SimulationBatch& batch, std::size_t row, double* distribution) {
    const double kept = renormalise_row(*shared_.tables, spec_.photons(), distribution) * shared_.plan.kept_scale;
    const bool published = batch.observables != nullptr && batch.observables[row] == distribution;
    if (published && batch.reports == nullptr) {
        if (batch.kept_fractions != nullptr) batch.kept_fractions[row] = kept;
        return;
    }
    RowReport& report = fresh_report(batch, row, shared_.outputs, scratch_);
    report.kept_fraction = kept;
    if (batch.shots > 0)
        sample(batch, row, distribution, report);
    else
        shared_.readout->exact(distribution, report.observables.data());
    publish(batch, row, report, shared_.precision);
}

void NoisyWorker::sample(const SimulationBatch& batch, std::size_t row, const double* distribution, RowReport& report) {
    if (report.kept_fraction == 0)
        throw PostSelectionError(
            "no sample of row " + std::to_string(row) + " can be kept: no event shows enough photons in the " +
            space_name(spec_.readout.space) + " space; change the phases, the noise or min_detected_photons");
    sampler_->draw(distribution, batch.seed, batch.ids[row], batch.shots, report.state_index, report.counts);
    shared_.readout->estimate(report.state_index, report.counts, batch.shots, report.observables.data(),
                              report.standard_errors.empty() ? nullptr : report.standard_errors.data());
}

}  // namespace photonlink::optics
