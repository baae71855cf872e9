#include "slos_worker.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "batch_split.hpp"

namespace photonlink::optics {

template <class Real>
SlosWorker<Real>::SlosWorker(const SlosShared<Real>& shared)
    : shared_(shared),
      spec_(*shared.spec),
      interferometer_(spec_, shared.layout.composed_lanes()),
      closed_form_(spec_, interferometer_.occupation()) {
    if (!shared.needs.distribution) return;
    const u32 lanes = shared.layout.lanes, rows = shared.layout.rows;
    if (lanes > 0) {
        lanes_.emplace(spec_, interferometer_.occupation(), lanes);
        stored_.resize(shared.basis_size * (is_distribution(spec_.readout) && !shared.needs.sampled ? 1 : lanes));
    }
    if (rows > 0) {
        rows_.emplace(shared.row_plan, rows);
        row_columns_.emplace(spec_, interferometer_.occupation(), rows);
        tiles_.resize(std::size_t{rows} * kTileStates);
    }
    if (shared.needs.sampled) sampler_.emplace(shared.basis_size);
}

template <class Real>
void SlosWorker<Real>::reserve(u32 shots) {
    const std::size_t distinct = std::min<u64>(shots, shared_.basis_size);
    scratch_[0].state_index.reserve(distinct);
    scratch_[0].counts.reserve(distinct);
    for (RowReport& report : scratch_) report.observables.reserve(shared_.outputs);
}

template <class Real>
const SlosKernels<Real>& SlosWorker<Real>::kernels_for(std::size_t rows, u32 max_lanes) const {
    return shared_.profile->template widths<Real>()[kernel_width<Real>(*shared_.profile, rows, max_lanes)];
}

/// The kernels that take the most of `rows` rows.
template <class Real>
const RowKernels<Real>& SlosWorker<Real>::row_kernels_for(std::size_t rows) const {
    const RowKernels<Real>* kernels = shared_.profile->template rows<Real>();
    while (kernels->rows > std::min<std::size_t>(rows, shared_.layout.rows)) ++kernels;
    return *kernels;
}

template <class Real>
const double* SlosWorker<Real>::compose(const SimulationBatch& batch, std::size_t first, u32 rows,
                                        const SlosKernels<Real>& kernels) {
    return interferometer_.compose(kernels, batch.phases + first * spec_.phases.size(), rows);
}

/// Where the distribution itself was asked for: the caller's row, in which it is computed; else null.
template <class Real>
Real* SlosWorker<Real>::result_row(const SimulationBatch& batch, std::size_t row) const {
    if (batch.shots > 0 || !is_distribution(spec_.readout) || batch.observables == nullptr) return nullptr;
    return static_cast<Real*>(batch.observables[row]);
}

/// False if lanes would not do, or not pay.
template <class Real>
bool SlosWorker<Real>::fits_lanes(const SimulationBatch& batch, std::size_t first, std::size_t rows) const {
    if (!lanes_) return false;
    if (rows_ && are_few_rows(spec_, rows)) return false;
    if (stored_.size() > shared_.basis_size) return true;
    for (std::size_t row = first; row < first + rows; ++row)
        if (result_row(batch, row) == nullptr) return rows == 1;  // there is one place for results that nobody takes
    return true;
}

template <class Real>
void SlosWorker<Real>::run(const SimulationBatch& batch, std::size_t first, std::size_t rows) {
    const bool by_closed_form = batch.shots == 0 && !shared_.needs.distribution;
    const bool side_by_side = by_closed_form || fits_lanes(batch, first, rows);
    for (const std::size_t end = first + rows; first < end;) {
        const std::size_t left = end - first;
        if (!side_by_side && rows_) {
            const RowKernels<Real>& kernels = row_kernels_for(left);
            run_rows(batch, first, kernels);
            first += kernels.rows;
            continue;
        }
        const SlosKernels<Real>& kernels =
            side_by_side ? kernels_for(left, shared_.layout.composed_lanes()) : kernels_for(1, 1);
        const u32 count = static_cast<u32>(std::min<std::size_t>(kernels.lanes, left));
        if (by_closed_form)
            run_closed_form(batch, first, count, kernels.lanes, compose(batch, first, count, kernels));
        else
            run_lanes(batch, first, count, kernels);
        first += count;
    }
}

template <class Real>
void SlosWorker<Real>::run_closed_form(const SimulationBatch& batch, std::size_t first, u32 rows, u32 lanes,
                                       const double* columns) {
    for (u32 lane = 0; lane < rows; ++lane) {
        RowReport& report = batch.reports != nullptr ? batch.reports[first + lane] : scratch_[0];
        report = RowReport{1.0, std::move(report.observables), {}, {}, {}};
        report.observables.resize(shared_.outputs);
        closed_form_.evaluate(columns + lane, columns + lanes + lane, lanes, report.observables.data());
        if (batch.kept_fractions != nullptr) batch.kept_fractions[first + lane] = 1.0;
        publish(batch, first + lane, report);
    }
}

template <class Real>
bool SlosWorker<Real>::shares_states(const SimulationBatch& batch) const {
    return batch.rows == 1 && rows_ && spec_.readout.space == Space::Fock && batch.reports == nullptr &&
           result_row(batch, 0) != nullptr;
}

template <class Real>
void SlosWorker<Real>::run_states(const SimulationBatch& batch, u32 part, u32 parts) {
    const RowKernels<Real>& kernels = row_kernels_for(1);
    begin_rows(batch, 0, kernels);
    const StateRange states = part_of_states(shared_.basis_size, part, parts);
    Real* const at = result_row(batch, 0) + states.first;
    rows_->finish(kernels, *row_columns_, states.first, states.count, &at);
    if (part == 0) end_row(batch, begin_row(batch, 0, 0));
}

template <class Real>
void SlosWorker<Real>::begin_rows(const SimulationBatch& batch, std::size_t first, const RowKernels<Real>& kernels) {
    const SlosKernels<Real>& composing = kernels_for(kernels.rows, shared_.layout.composed_lanes());
    row_columns_->load(kernels.rows, compose(batch, first, kernels.rows, composing), composing.lanes);
    rows_->begin(kernels, *row_columns_);
}

template <class Real>
void SlosWorker<Real>::run_rows(const SimulationBatch& batch, std::size_t first, const RowKernels<Real>& kernels) {
    begin_rows(batch, first, kernels);
    Passing passing[kMostKernelRows];
    for (u32 r = 0; r < kernels.rows; ++r) passing[r] = begin_row(batch, first + r, r);
    for (u64 state = 0; state < shared_.basis_size; state += kTileStates) {
        const u64 states = std::min<u64>(kTileStates, shared_.basis_size - state);
        Real* at[kMostKernelRows];
        for (u32 r = 0; r < kernels.rows; ++r) {
            Real* const target = result_row(batch, first + r);
            at[r] = target != nullptr ? target + state : tiles_.data() + r * kTileStates;
        }
        rows_->finish(kernels, *row_columns_, state, states, at);
        for (u32 r = 0; r < kernels.rows; ++r) take(batch, passing[r], state, states, at[r]);
    }
    for (u32 r = 0; r < kernels.rows; ++r) end_row(batch, passing[r]);
}

template <class Real>
void SlosWorker<Real>::run_lanes(const SimulationBatch& batch, std::size_t first, u32 rows,
                                 const SlosKernels<Real>& kernels) {
    Real* targets[kMostLanes] = {};
    // Then the distributions are all that is wanted, and nothing is left to do with them.
    bool done = batch.reports == nullptr && batch.kept_fractions == nullptr && spec_.readout.space == Space::Fock;
    for (u32 lane = 0; lane < rows; ++lane) {
        Real* const target = result_row(batch, first + lane);
        targets[lane] = target != nullptr ? target : stored_.data() + lane * shared_.basis_size;
        done &= target != nullptr;
    }
    lanes_->run(kernels, compose(batch, first, rows, kernels), targets, rows);
    if (done) return;
    for (u32 lane = 0; lane < rows; ++lane) {
        Passing passing = begin_row(batch, first + lane, 0);
        for (u64 state = 0; state < shared_.basis_size; state += kTileStates)
            take(batch, passing, state, std::min<u64>(kTileStates, shared_.basis_size - state), targets[lane] + state);
        end_row(batch, passing);
    }
}

template <class Real>
typename SlosWorker<Real>::Passing SlosWorker<Real>::begin_row(const SimulationBatch& batch, std::size_t row,
                                                               u32 place) {
    RowReport& report = batch.reports != nullptr ? batch.reports[row] : scratch_[place];
    const bool read_out = batch.shots == 0 && (batch.reports != nullptr || result_row(batch, row) == nullptr);
    if (batch.reports != nullptr || read_out || batch.shots > 0) report.observables.assign(shared_.outputs, 0.0);
    if (batch.shots > 0) sampler_->begin();
    return {row, &report, read_out, 0.0};
}

template <class Real>
void SlosWorker<Real>::take(const SimulationBatch& batch, Passing& passing, u64 first, u64 states,
                            const Real* probabilities) {
    if (spec_.readout.space != Space::Fock) passing.kept += striped_sum(probabilities, states);
    if (batch.shots > 0) sampler_->add(probabilities, states);
    if (passing.read_out) shared_.readout->add(probabilities, first, states, passing.report->observables.data());
}

template <class Real>
void SlosWorker<Real>::end_row(const SimulationBatch& batch, const Passing& passing) {
    // Rounding leaves about photons * epsilon of amplitude on states that cannot occur; a mass of that size is no
    // probability.
    const bool post_selected = spec_.readout.space != Space::Fock;
    const double noise = spec_.photons() * static_cast<double>(std::numeric_limits<Real>::epsilon());
    const bool possible = !post_selected || passing.kept > static_cast<double>(shared_.basis_size) * noise * noise;
    const std::size_t row = passing.row;
    RowReport& report = *passing.report;
    report.kept_fraction = !post_selected ? 1.0 : possible ? passing.kept : 0.0;
    if (batch.kept_fractions != nullptr) batch.kept_fractions[row] = report.kept_fraction;
    if (batch.shots > 0) return sample_row(batch, row, report);
    report.standard_errors.clear();
    report.state_index.clear();
    report.counts.clear();
    if (post_selected) scale_results(batch, row, possible ? 1.0 / passing.kept : 0.0, report);
    if (result_row(batch, row) == nullptr) publish(batch, row, report);
}

/// Renormalises within the space.
template <class Real>
void SlosWorker<Real>::scale_results(const SimulationBatch& batch, std::size_t row, double scale, RowReport& report) {
    for (double& value : report.observables) value *= scale;
    Real* const probabilities = result_row(batch, row);
    if (probabilities == nullptr) return;
    for (u64 i = 0; i < shared_.basis_size; ++i)
        probabilities[i] = static_cast<Real>(static_cast<double>(probabilities[i]) * scale);
}

template <class Real>
void SlosWorker<Real>::sample_row(const SimulationBatch& batch, std::size_t row, RowReport& report) {
    if (report.kept_fraction == 0)
        throw PostSelectionError("no sample of row " + std::to_string(row) +
                                 " can be kept: the program puts no probability into the " +
                                 space_name(spec_.readout.space) + " space; change the phases or use the fock space");
    report.standard_errors.resize(batch.reports != nullptr ? shared_.outputs : 0);
    sampler_->draw(batch.seed, batch.ids[row], batch.shots, report.state_index, report.counts);
    shared_.readout->estimate(report.state_index, report.counts, batch.shots, report.observables.data(),
                              report.standard_errors.empty() ? nullptr : report.standard_errors.data());
    publish(batch, row, report);
}

template <class Real>
void SlosWorker<Real>::publish(const SimulationBatch& batch, std::size_t row, const RowReport& report) const {
    Real* const out = batch.observables == nullptr ? nullptr : static_cast<Real*>(batch.observables[row]);
    if (out == nullptr) return;
    std::transform(report.observables.begin(), report.observables.end(), out,
                   [](double value) { return static_cast<Real>(value); });
}

template class SlosWorker<float>;
template class SlosWorker<double>;

}  // namespace photonlink::optics
