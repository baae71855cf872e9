#include "photonlink/optics/simulator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "photonlink/optics/closed_forms.hpp"
#include "photonlink/optics/noise_simulator.hpp"
#include "photonlink/optics/readout.hpp"
#include "photonlink/optics/sampling.hpp"
#include "photonlink/optics/slos_sweep.hpp"

namespace photonlink::optics {
namespace {

constexpr u32 kMaxLanes = 16;  // of any kernel profile

template <class Real>
u64 distribution_bytes(const ProgramSpec& spec, u32 lanes) {
    const u64 states = state_count(spec.readout.space, spec.modes, spec.photons());
    u64 bytes = SlosSweep<Real>::predict_bytes(spec, lanes);
    bytes = saturating_add(bytes, ReadoutMap::predict_bytes(spec));
    bytes = saturating_add(bytes, Sampler::predict_bytes(states));
    return saturating_add(bytes, saturating_mul(states, lanes * sizeof(Real)));
}

template <class Real>
u64 total_bytes(const ProgramSpec& spec, u32 lanes, bool with_distribution) {
    const u64 observables = saturating_mul(output_size(spec), 2 * sizeof(double));
    const u64 fixed = saturating_add(Interferometer::predict_bytes(spec, lanes), observables);
    return with_distribution ? saturating_add(fixed, distribution_bytes<Real>(spec, lanes)) : fixed;
}

[[noreturn]] void refuse_memory(const ProgramSpec& spec, u64 bytes, std::size_t limit) {
    const u64 states = state_count(spec.readout.space, spec.modes, spec.photons());
    throw ProgramError("simulating " + std::to_string(spec.photons()) + " photons in " + std::to_string(spec.modes) +
                       " modes needs " + (bytes == kSaturated ? "more than 2^64" : std::to_string(bytes)) + " bytes (" +
                       (states == kSaturated ? "more than 2^64" : std::to_string(states)) + " basis states in the " +
                       space_name(spec.readout.space) + " space), but the limit is " + std::to_string(limit) +
                       " bytes; use fewer photons or modes, a smaller space, or raise the limit");
}

/// What only readouts of a distribution need.
template <class Real>
struct Distribution {
    Distribution(const ProgramSpec& spec, const std::vector<u32>& occupation, u32 max_lanes)
        : lanes(max_lanes),
          sweep(spec, occupation, max_lanes),
          readout(spec),
          sampler(sweep.basis_size()),
          rows(sweep.basis_size() * max_lanes) {}

    u32 lanes;
    SlosSweep<Real> sweep;
    ReadoutMap readout;
    Sampler sampler;
    std::vector<Real> rows;  // one distribution per lane
};

template <class Real>
class SlosSimulator final : public Simulator {
  public:
    SlosSimulator(std::shared_ptr<const ProgramSpec> spec, std::size_t memory_limit, bool sampled);

    std::size_t output_size() const override { return outputs_; }
    std::size_t basis_size() const override { return basis_size_; }
    std::size_t preferred_batch() const override { return lanes_; }
    std::size_t memory_bytes() const override {
        return total_bytes<Real>(*spec_, distribution_ ? distribution_->lanes : lanes_, distribution_ != nullptr);
    }
    std::string kernel_profile() const override { return profile_.name; }
    void run(const SimulationBatch& batch) override;

  private:
    u32 lanes_within_limit(bool with_distribution) const;
    void build_distribution();
    const SlosKernels<Real>& kernels_for(std::size_t rows, u32 max_lanes) const;
    void run_closed_form(const SimulationBatch& batch, std::size_t first, u32 rows, u32 lanes, const double* columns);
    void run_distribution(const SimulationBatch& batch, std::size_t first, u32 rows, const SlosKernels<Real>& kernels,
                          const double* columns);
    bool distribution_is_result(const SimulationBatch& batch) const;
    void finish_row(const SimulationBatch& batch, std::size_t row, Real* probabilities);
    void sample_row(const SimulationBatch& batch, std::size_t row, const Real* probabilities, RowReport& report);
    void publish(const SimulationBatch& batch, std::size_t row, const RowReport& report) const;
    double renormalise(Real* probabilities) const;

    std::shared_ptr<const ProgramSpec> spec_;
    std::size_t memory_limit_;
    const KernelProfile& profile_;
    std::size_t outputs_;
    u64 basis_size_;
    bool closed_;
    u32 lanes_;
    Interferometer interferometer_;
    ClosedForm closed_form_;
    std::unique_ptr<Distribution<Real>> distribution_;
    RowReport scratch_;  // for rows whose caller wants no report
};

template <class Real>
SlosSimulator<Real>::SlosSimulator(std::shared_ptr<const ProgramSpec> spec, std::size_t memory_limit, bool sampled)
    : spec_(std::move(spec)),
      memory_limit_(memory_limit),
      profile_(select_kernel_profile()),
      outputs_(optics::output_size(*spec_)),
      basis_size_(state_count(spec_->readout.space, spec_->modes, spec_->photons())),
      closed_(has_closed_form(*spec_)),
      lanes_(lanes_within_limit(sampled || !closed_)),
      interferometer_(*spec_, lanes_),
      closed_form_(*spec_, interferometer_.occupation()) {
    if (sampled || !closed_) build_distribution();
}

/// The widest kernels whose memory fits.
template <class Real>
u32 SlosSimulator<Real>::lanes_within_limit(bool with_distribution) const {
    u64 bytes = 0;
    for (u32 i = 0; i < profile_.width_count<Real>(); ++i) {
        const u32 lanes = profile_.widths<Real>()[i].lanes;
        bytes = total_bytes<Real>(*spec_, lanes, with_distribution);
        if (bytes <= memory_limit_) return lanes;
    }
    refuse_memory(*spec_, bytes, memory_limit_);
}

template <class Real>
void SlosSimulator<Real>::build_distribution() {
    const u32 lanes = std::min(lanes_, lanes_within_limit(true));
    if (!SlosTables::can_number(spec_->readout.space, spec_->modes, spec_->photons()))
        throw ProgramError("the " + std::string(space_name(spec_->readout.space)) + " space of " +
                           std::to_string(spec_->photons()) + " photons in " + std::to_string(spec_->modes) +
                           " modes has more states than the 2^32 that a simulation can number; use fewer of both");
    distribution_ = std::make_unique<Distribution<Real>>(*spec_, interferometer_.occupation(), lanes);
}

/// The narrowest kernels that take all rows at once, or the widest permitted.
template <class Real>
const SlosKernels<Real>& SlosSimulator<Real>::kernels_for(std::size_t rows, u32 max_lanes) const {
    const SlosKernels<Real>* const widths = profile_.widths<Real>();
    const SlosKernels<Real>* best = nullptr;
    for (u32 i = 0; i < profile_.width_count<Real>(); ++i)
        if (widths[i].lanes <= max_lanes && (best == nullptr || widths[i].lanes >= rows)) best = &widths[i];
    return *best;
}

template <class Real>
void SlosSimulator<Real>::run(const SimulationBatch& batch) {
    check_batch(*spec_, batch);
    const bool by_closed_form = closed_ && batch.shots == 0;
    if (!by_closed_form && !distribution_) build_distribution();
    const u32 max_lanes = by_closed_form ? lanes_ : distribution_->lanes;
    for (std::size_t first = 0; first < batch.rows;) {
        const SlosKernels<Real>& kernels = kernels_for(batch.rows - first, max_lanes);
        const u32 rows = static_cast<u32>(std::min<std::size_t>(kernels.lanes, batch.rows - first));
        const double* const columns =
            interferometer_.compose(kernels, batch.phases + first * spec_->phases.size(), rows);
        if (by_closed_form)
            run_closed_form(batch, first, rows, kernels.lanes, columns);
        else
            run_distribution(batch, first, rows, kernels, columns);
        first += rows;
    }
}

template <class Real>
void SlosSimulator<Real>::run_closed_form(const SimulationBatch& batch, std::size_t first, u32 rows, u32 lanes,
                                          const double* columns) {
    for (u32 lane = 0; lane < rows; ++lane) {
        RowReport& report = batch.reports != nullptr ? batch.reports[first + lane] : scratch_;
        report = RowReport{1.0, std::move(report.observables), {}, {}, {}};
        report.observables.resize(outputs_);
        closed_form_.evaluate(columns + lane, columns + lanes + lane, lanes, report.observables.data());
        if (batch.kept_fractions != nullptr) batch.kept_fractions[first + lane] = 1.0;
        publish(batch, first + lane, report);
    }
}

/// The distribution itself was asked for: it is written to the caller's row and passes through no double copy.
template <class Real>
bool SlosSimulator<Real>::distribution_is_result(const SimulationBatch& batch) const {
    return batch.shots == 0 && spec_->readout.kind == ReadoutKind::Probabilities &&
           spec_->readout.grouping == Grouping::None;
}

template <class Real>
void SlosSimulator<Real>::run_distribution(const SimulationBatch& batch, std::size_t first, u32 rows,
                                           const SlosKernels<Real>& kernels, const double* columns) {
    const bool in_place = distribution_is_result(batch);
    Real* targets[kMaxLanes] = {};
    for (u32 lane = 0; lane < rows; ++lane) {
        void* const row = batch.observables == nullptr ? nullptr : batch.observables[first + lane];
        targets[lane] =
            in_place && row != nullptr ? static_cast<Real*>(row) : distribution_->rows.data() + lane * basis_size_;
    }
    distribution_->sweep.run(kernels, columns, targets, rows);
    for (u32 lane = 0; lane < rows; ++lane) finish_row(batch, first + lane, targets[lane]);
}

/// Divides by the mass of the space and returns it. Rounding leaves about photons * epsilon of amplitude on states that
/// cannot occur; a mass of that size is no probability.
template <class Real>
double SlosSimulator<Real>::renormalise(Real* probabilities) const {
    if (spec_->readout.space == Space::Fock) return 1.0;
    const double noise = spec_->photons() * static_cast<double>(std::numeric_limits<Real>::epsilon());
    const double kept = striped_sum(probabilities, basis_size_);
    const bool possible = kept > static_cast<double>(basis_size_) * noise * noise;
    const double scale = possible ? 1.0 / kept : 0.0;
    for (u64 i = 0; i < basis_size_; ++i)
        probabilities[i] = static_cast<Real>(static_cast<double>(probabilities[i]) * scale);
    return possible ? kept : 0.0;
}

template <class Real>
void SlosSimulator<Real>::finish_row(const SimulationBatch& batch, std::size_t row, Real* probabilities) {
    const double kept = renormalise(probabilities);
    if (batch.kept_fractions != nullptr) batch.kept_fractions[row] = kept;
    if (batch.reports == nullptr && distribution_is_result(batch)) return;
    RowReport& report = batch.reports != nullptr ? batch.reports[row] : scratch_;
    report.kept_fraction = kept;
    report.observables.resize(outputs_);
    report.standard_errors.resize(batch.shots > 0 && batch.reports != nullptr ? outputs_ : 0);
    if (batch.shots > 0) {
        sample_row(batch, row, probabilities, report);
    } else {
        report.state_index.clear();
        report.counts.clear();
        distribution_->readout.exact(probabilities, report.observables.data());
    }
    publish(batch, row, report);
}

template <class Real>
void SlosSimulator<Real>::sample_row(const SimulationBatch& batch, std::size_t row, const Real* probabilities,
                                     RowReport& report) {
    if (report.kept_fraction == 0)
        throw PostSelectionError("no sample of row " + std::to_string(row) +
                                 " can be kept: the program puts no probability into the " +
                                 space_name(spec_->readout.space) + " space; change the phases or use the fock space");
    distribution_->sampler.draw(probabilities, batch.seed, batch.ids[row], batch.shots, report.state_index,
                                report.counts);
    distribution_->readout.estimate(report.state_index, report.counts, batch.shots, report.observables.data(),
                                    report.standard_errors.empty() ? nullptr : report.standard_errors.data());
}

template <class Real>
void SlosSimulator<Real>::publish(const SimulationBatch& batch, std::size_t row, const RowReport& report) const {
    Real* const out = batch.observables == nullptr ? nullptr : static_cast<Real*>(batch.observables[row]);
    if (out == nullptr) return;
    std::transform(report.observables.begin(), report.observables.end(), out,
                   [](double value) { return static_cast<Real>(value); });
}

template <class Real>
u64 least_bytes(const ProgramSpec& spec, bool sampled) {
    return total_bytes<Real>(spec, 1, sampled || !has_closed_form(spec));
}

}  // namespace

std::size_t predict_bytes(const ProgramSpec& spec, Precision precision, bool sampled) {
    if (is_noisy(spec)) return predict_noisy_bytes(spec, precision, sampled);
    return precision == Precision::Float32 ? least_bytes<float>(spec, sampled) : least_bytes<double>(spec, sampled);
}

std::unique_ptr<Simulator> Simulator::create(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                             std::size_t memory_limit_bytes, bool sampled) {
    check_spec(*spec);
    if (is_noisy(*spec)) return create_noisy_simulator(std::move(spec), precision, memory_limit_bytes, sampled);
    if (precision == Precision::Float32)
        return std::make_unique<SlosSimulator<float>>(std::move(spec), memory_limit_bytes, sampled);
    return std::make_unique<SlosSimulator<double>>(std::move(spec), memory_limit_bytes, sampled);
}

}  // namespace photonlink::optics
