#include "photonlink/optics/noise_simulator.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <variant>

#include "noise_adjusted.hpp"
#include "noise_report.hpp"
#include "noise_sampled.hpp"
#include "photonlink/optics/noise_closed_form.hpp"
#include "photonlink/optics/noise_mixture.hpp"
#include "photonlink/optics/noise_readout.hpp"
#include "photonlink/optics/readout.hpp"
#include "photonlink/optics/sampling.hpp"

namespace photonlink::optics {
namespace {

/// Multiply-adds per datapoint above which a mixture is refused: some minutes of one core.
constexpr u64 kMostOperations = u64{1} << 38;

u64 fixed_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes) {
    return saturating_add(Interferometer::predict_bytes(spec, lanes),
                          saturating_mul(noisy_output_size(spec, plan), 2 * sizeof(double)));
}

u64 distribution_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes) {
    const u64 states = kept_states(spec, plan);
    const u32 all_lanes = lanes == 1 ? 1 : lanes + 1;  // single datapoints have a sweep of their own
    u64 bytes = saturating_add(fixed_bytes(spec, plan, lanes), mixture_bytes(spec, plan, all_lanes));
    bytes = saturating_add(bytes, SectorReadout::predict_bytes(spec, plan));
    return saturating_add(bytes, saturating_add(Sampler::predict_bytes(states), saturating_mul(states, 8)));
}

[[noreturn]] void refuse(const ProgramSpec& spec, const NoisePlan& plan, u64 bytes, std::size_t limit) {
    throw ProgramError(
        "the exact distribution of " + std::to_string(spec.photons()) + " noisy photons in " +
        std::to_string(spec.modes) + " modes mixes " + count_text(mixture_configurations(plan)) +
        " configurations of the sources over " + count_text(kept_states(spec, plan)) + " detected states and takes " +
        count_text(bytes) + " bytes and up to " + count_text(mixture_operations(spec, plan)) +
        " operations per datapoint, but the limits are " + std::to_string(limit) + " bytes and " +
        count_text(kMostOperations) +
        " operations; ask for shots, which need no distribution, use fewer photons or modes or a smaller "
        "space, or raise the limit");
}

/// What only readouts of a distribution need.
class NoisyDistribution {
  public:
    NoisyDistribution(const ProgramSpec& spec, const NoisePlan& plan, u32 max_lanes)
        : lanes(max_lanes),
          tables(spec, plan),
          readout(spec, plan),
          sampler(tables.kept()),
          row(tables.kept()),
          narrow_(tables) {
        if (lanes == 2) wide_ = std::make_unique<MixtureSweep<2>>(tables);
        if (lanes == 4) wide_ = std::make_unique<MixtureSweep<4>>(tables);
        if (lanes == 8) wide_ = std::make_unique<MixtureSweep<8>>(tables);
    }

    /// The mixtures of `width` datapoints, 1 or `lanes`; null if nothing can be kept.
    const double* run(u32 width, const double* columns) {
        return width == 1 ? narrow_.run(columns)
                          : std::visit([&](auto& wide) { return evaluate(wide, columns); }, wide_);
    }

    const u32 lanes;
    const MixtureTables tables;
    const SectorReadout readout;
    Sampler sampler;
    std::vector<double> row;  // of one datapoint

  private:
    template <u32 Lanes>
    using Sweep = std::unique_ptr<MixtureSweep<Lanes>>;

    static const double* evaluate(std::monostate, const double*) { return nullptr; }
    template <class S>
    static const double* evaluate(S& sweep, const double* columns) {
        return sweep->run(columns);
    }

    MixtureSweep<1> narrow_;
    std::variant<std::monostate, Sweep<2>, Sweep<4>, Sweep<8>> wide_;
};

/// Imperfect sources and detectors. Always calculates in double precision.
class NoisySimulator final : public Simulator {
  public:
    NoisySimulator(std::shared_ptr<const ProgramSpec> spec, NoisePlan plan, Precision precision,
                   std::size_t memory_limit, bool sampled);

    std::size_t output_size() const override { return outputs_; }
    std::size_t basis_size() const override { return basis_size_; }
    std::size_t preferred_batch() const override { return lanes_; }
    std::size_t memory_bytes() const override {
        return distribution_ ? distribution_bytes(*spec_, plan_, distribution_->lanes)
                             : fixed_bytes(*spec_, plan_, lanes_);
    }
    std::string kernel_profile() const override { return profile_.name; }
    void run(const SimulationBatch& batch) override;

  private:
    u32 lanes_within_limit(bool with_distribution) const;
    void build_distribution();
    const SlosKernels<double>& kernels_for(std::size_t rows, u32 lanes) const;
    void finish_closed_form(const SimulationBatch& batch, std::size_t row, const double* columns, u32 lanes);
    void finish_row(const SimulationBatch& batch, std::size_t row, const double* mixture, u32 lanes);
    double renormalise();
    void sample(const SimulationBatch& batch, std::size_t row, RowReport& report);

    std::shared_ptr<const ProgramSpec> spec_;
    NoisePlan plan_;
    Precision precision_;
    std::size_t memory_limit_;
    const KernelProfile& profile_;
    std::size_t outputs_;
    u64 basis_size_;
    bool closed_;
    u32 lanes_;
    Interferometer interferometer_;
    NoisyClosedForm closed_form_;
    std::unique_ptr<NoisyDistribution> distribution_;
    RowReport scratch_;  // for rows whose caller wants no report
};

NoisySimulator::NoisySimulator(std::shared_ptr<const ProgramSpec> spec, NoisePlan plan, Precision precision,
                               std::size_t memory_limit, bool sampled)
    : spec_(std::move(spec)),
      plan_(std::move(plan)),
      precision_(precision),
      memory_limit_(memory_limit),
      profile_(select_kernel_profile()),
      outputs_(noisy_output_size(*spec_, plan_)),
      basis_size_(kept_states(*spec_, plan_)),
      closed_(has_noisy_closed_form(*spec_, plan_)),
      lanes_(lanes_within_limit(sampled || !closed_)),
      interferometer_(*spec_, lanes_),
      closed_form_(*spec_, plan_) {
    if (sampled || !closed_) build_distribution();
}

/// The widest kernels whose memory fits.
u32 NoisySimulator::lanes_within_limit(bool with_distribution) const {
    u64 bytes = 0;
    if (with_distribution && mixture_operations(*spec_, plan_) > kMostOperations)
        refuse(*spec_, plan_, distribution_bytes(*spec_, plan_, 1), memory_limit_);
    for (u32 i = 0; i < profile_.width_count<double>(); ++i) {
        const u32 lanes = profile_.widths<double>()[i].lanes;
        bytes = with_distribution ? distribution_bytes(*spec_, plan_, lanes) : fixed_bytes(*spec_, plan_, lanes);
        if (bytes <= memory_limit_) return lanes;
    }
    refuse(*spec_, plan_, bytes, memory_limit_);
}

void NoisySimulator::build_distribution() {
    distribution_ = std::make_unique<NoisyDistribution>(*spec_, plan_, std::min(lanes_, lanes_within_limit(true)));
}

/// The kernels of 1 lane for a single row, or those of `lanes`.
const SlosKernels<double>& NoisySimulator::kernels_for(std::size_t rows, u32 lanes) const {
    const SlosKernels<double>* kernels = profile_.widths<double>();
    while (kernels->lanes != (rows == 1 ? 1 : lanes)) ++kernels;
    return *kernels;
}

void NoisySimulator::run(const SimulationBatch& batch) {
    check_batch(*spec_, batch);
    const bool by_closed_form = closed_ && batch.shots == 0;
    if (!by_closed_form && !distribution_) build_distribution();
    const u32 lanes = by_closed_form ? lanes_ : distribution_->lanes;
    for (std::size_t first = 0; first < batch.rows;) {
        const SlosKernels<double>& kernels = kernels_for(batch.rows - first, lanes);
        const u32 rows = static_cast<u32>(std::min<std::size_t>(kernels.lanes, batch.rows - first));
        const double* const columns =
            interferometer_.compose(kernels, batch.phases + first * spec_->phases.size(), rows);
        const double* const mixture = by_closed_form ? nullptr : distribution_->run(kernels.lanes, columns);
        for (u32 lane = 0; lane < rows; ++lane) {
            if (by_closed_form)
                finish_closed_form(batch, first + lane, columns + lane, kernels.lanes);
            else
                finish_row(batch, first + lane, mixture == nullptr ? nullptr : mixture + lane, kernels.lanes);
        }
        first += rows;
    }
}

void NoisySimulator::finish_closed_form(const SimulationBatch& batch, std::size_t row, const double* columns,
                                        u32 lanes) {
    RowReport& report = fresh_report(batch, row, outputs_, scratch_);
    report.kept_fraction = plan_.kept_scale;
    closed_form_.evaluate(columns, columns + lanes, lanes, report.observables.data());
    publish(batch, row, report, precision_);
}

/// Divides the distribution by its mass and returns that. As without noise, what rounding leaves on states that cannot
/// occur is no probability.
double NoisySimulator::renormalise() {
    std::vector<double>& row = distribution_->row;
    const double rounding = spec_->photons() * std::numeric_limits<double>::epsilon();
    const double kept = striped_sum(row.data(), row.size());
    const bool possible = kept > plan_.enough * static_cast<double>(row.size()) * rounding * rounding;
    for (double& probability : row) probability = possible ? probability / kept : 0.0;
    return possible ? kept : 0.0;
}

void NoisySimulator::finish_row(const SimulationBatch& batch, std::size_t row, const double* mixture, u32 lanes) {
    std::vector<double>& distribution = distribution_->row;
    for (std::size_t state = 0; state < distribution.size(); ++state)
        distribution[state] = mixture == nullptr ? 0.0 : mixture[state * lanes];
    RowReport& report = fresh_report(batch, row, outputs_, scratch_);
    report.kept_fraction = renormalise() * plan_.kept_scale;
    if (batch.shots > 0)
        sample(batch, row, report);
    else
        distribution_->readout.exact(distribution.data(), report.observables.data());
    publish(batch, row, report, precision_);
}

void NoisySimulator::sample(const SimulationBatch& batch, std::size_t row, RowReport& report) {
    if (report.kept_fraction == 0)
        throw PostSelectionError(
            "no sample of row " + std::to_string(row) + " can be kept: no event shows enough photons in the " +
            space_name(spec_->readout.space) + " space; change the phases, the noise or min_detected_photons");
    distribution_->sampler.draw(distribution_->row.data(), batch.seed, batch.ids[row], batch.shots, report.state_index,
                                report.counts);
    distribution_->readout.estimate(report.state_index, report.counts, batch.shots, report.observables.data(),
                                    report.standard_errors.empty() ? nullptr : report.standard_errors.data());
}

std::shared_ptr<const ProgramSpec> ideal_program(const ProgramSpec& spec, const NoisePlan& plan) {
    if (has_source_noise(spec) && !(plan.ideal && plan.kept_scale > 0)) return nullptr;
    auto ideal = std::make_shared<ProgramSpec>(spec);
    ideal->noise = NoiseSpec{};
    ideal->readout.space = plan.space;
    return ideal;
}

bool mixture_fits(const ProgramSpec& spec, const NoisePlan& plan, std::size_t memory_limit) {
    return mixture_operations(spec, plan) <= kMostOperations && distribution_bytes(spec, plan, 1) <= memory_limit;
}

}  // namespace

std::shared_ptr<const ProgramSpec> ideal_program(const ProgramSpec& spec) {
    return ideal_program(spec, plan_noise(spec));
}

std::unique_ptr<Simulator> create_noisy_simulator(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                                  std::size_t memory_limit_bytes, bool sampled, u32 threads) {
    NoisePlan plan = plan_noise(*spec);
    const std::shared_ptr<const ProgramSpec> ideal = ideal_program(*spec, plan);
    const double kept_scale = ideal ? plan.kept_scale : 1.0;
    std::unique_ptr<Simulator> inner;
    if (ideal)
        inner = Simulator::create(ideal, precision, memory_limit_bytes, sampled, threads);
    else if (sampled && !mixture_fits(*spec, plan, memory_limit_bytes))
        inner = sampled_simulator(spec, std::move(plan), precision, memory_limit_bytes);
    else
        inner = std::make_unique<NoisySimulator>(spec, std::move(plan), precision, memory_limit_bytes, sampled);
    if (!has_phase_noise(*spec) && kept_scale == 1.0) return inner;
    return adjusted_simulator(std::move(inner), *spec, kept_scale);
}

std::size_t predict_noisy_bytes(const ProgramSpec& spec, Precision precision, bool sampled) {
    const NoisePlan plan = plan_noise(spec);
    if (const auto ideal = ideal_program(spec, plan)) return predict_bytes(*ideal, precision, sampled);
    if (!sampled && has_noisy_closed_form(spec, plan)) return fixed_bytes(spec, plan, 1);
    const u64 exact = distribution_bytes(spec, plan, 1);
    return sampled ? std::min(exact, predict_sampled_bytes(spec, plan)) : exact;
}

std::string noise_method(const ProgramSpec& spec, bool sampled) {
    if (!is_noisy(spec)) return "none";
    const NoisePlan plan = plan_noise(spec);
    if (ideal_program(spec, plan)) return "ideal";
    return !sampled && has_noisy_closed_form(spec, plan) ? "closed form" : "exact mixture";
}

}  // namespace photonlink::optics
