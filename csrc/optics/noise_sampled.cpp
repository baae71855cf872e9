#include "noise_sampled.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "noise_report.hpp"
#include "photonlink/optics/interferometer.hpp"
#include "photonlink/optics/noise_readout.hpp"
#include "photonlink/optics/noise_sampling.hpp"

namespace photonlink::optics {
namespace {

/// A shot is given up after so many events that are not kept, although enough photons arrive: the wait must end.
constexpr u32 kMostAttempts = 20'000;

class SampledSimulator final : public Simulator {
  public:
    SampledSimulator(std::shared_ptr<const ProgramSpec> spec, NoisePlan plan, Precision precision);

    std::size_t output_size() const override { return rule_.outputs(); }
    std::size_t basis_size() const override { return states_; }
    std::size_t preferred_batch() const override { return 1; }
    std::size_t memory_bytes() const override { return predict_sampled_bytes(*spec_, plan_); }
    std::string kernel_profile() const override { return profile_.name; }
    const char* sampler() const override { return "sampled_sources"; }
    void run(const SimulationBatch& batch) override;

  private:
    /// A sample: its position among the kept states, and the shot in which it was seen.
    struct Sample {
        u32 position;
        u32 shot;
        bool operator<(const Sample& other) const { return position < other.position; }
    };

    u64 draw_shots(const SimulationBatch& batch, std::size_t row);
    void count(const SimulationBatch& batch, RowReport& report);

    std::shared_ptr<const ProgramSpec> spec_;
    NoisePlan plan_;
    Precision precision_;
    const KernelProfile& profile_;
    OutputRule rule_;
    u64 states_;
    Interferometer interferometer_;
    SourceSampler sampler_;
    std::vector<u8> seen_;  // shots x modes, of one datapoint
    std::vector<Sample> samples_;
    RowReport scratch_;  // for rows whose caller wants no report
};

SampledSimulator::SampledSimulator(std::shared_ptr<const ProgramSpec> spec, NoisePlan plan, Precision precision)
    : spec_(std::move(spec)),
      plan_(std::move(plan)),
      precision_(precision),
      profile_(select_kernel_profile()),
      rule_(*spec_, plan_),
      states_(kept_states(*spec_, plan_)),
      interferometer_(*spec_, 1),
      sampler_(*spec_, plan_, profile_) {}

void SampledSimulator::run(const SimulationBatch& batch) {
    check_batch(*spec_, batch);
    if (batch.shots == 0)
        throw ProgramError("this program was set up for samples, because its exact distribution over " +
                           std::to_string(states_) + " detected states is out of reach: ask for shots");
    const SlosKernels<double>& one_lane = profile_.widths<double>()[profile_.width_count<double>() - 1];
    for (std::size_t row = 0; row < batch.rows; ++row) {
        sampler_.load(interferometer_.compose(one_lane, batch.phases + row * spec_->phases.size(), 1));
        const u64 attempts = draw_shots(batch, row);
        RowReport& report = fresh_report(batch, row, rule_.outputs(), scratch_);
        // Unbiased for two shots or more: the last event was kept for certain.
        const double kept = batch.shots > 1 ? (batch.shots - 1.0) / static_cast<double>(attempts - 1)
                                            : 1.0 / static_cast<double>(attempts);
        report.kept_fraction = plan_.kept_scale * plan_.enough * kept;
        count(batch, report);
        publish(batch, row, report, precision_);
    }
}

/// Returns the number of events in which enough photons arrived.
u64 SampledSimulator::draw_shots(const SimulationBatch& batch, std::size_t row) {
    const u32 modes = spec_->modes;
    const bool possible = plan_.kept_scale * plan_.enough > 0;
    seen_.resize(std::size_t{batch.shots} * modes);
    u64 attempts = 0;
    for (u32 shot = 0; shot < batch.shots; ++shot) {
        u32 attempt = 0;
        while (possible && attempt < kMostAttempts &&
               !sampler_.draw(batch.seed, batch.ids[row], shot, attempt, seen_.data() + std::size_t{shot} * modes))
            ++attempt;
        if (!possible || attempt == kMostAttempts)
            throw PostSelectionError("a sample of row " + std::to_string(row) + " was given up after " +
                                     std::to_string(attempt) +
                                     " events that cannot be kept; change the phases, the noise or "
                                     "min_detected_photons, or use the fock space");
        attempts += attempt + 1;
    }
    return attempts;
}

void SampledSimulator::count(const SimulationBatch& batch, RowReport& report) {
    samples_.clear();
    for (u32 shot = 0; shot < batch.shots; ++shot) {
        const u8* const state = seen_.data() + std::size_t{shot} * spec_->modes;
        samples_.push_back({static_cast<u32>(sampler_.position(state)), shot});
    }
    std::sort(samples_.begin(), samples_.end());
    SampleMean mean(rule_.outputs(), batch.shots, report.observables.data(),
                    report.standard_errors.empty() ? nullptr : report.standard_errors.data());
    for (auto first = samples_.begin(); first != samples_.end();) {
        const auto end = std::upper_bound(first, samples_.end(), *first);
        const u32 times = static_cast<u32>(end - first);
        report.state_index.push_back(first->position);
        report.counts.push_back(times);
        rule_.visit(first->position, seen_.data() + std::size_t{first->shot} * spec_->modes,
                    [&](std::size_t output, u32 value) { mean.add(output, value, times); });
        first = end;
    }
    mean.finish();
}

}  // namespace

u64 predict_sampled_bytes(const ProgramSpec& spec, const NoisePlan& plan) {
    const u64 fixed = saturating_add(SourceSampler::predict_bytes(spec, plan), Interferometer::predict_bytes(spec, 1));
    return saturating_add(fixed, saturating_mul(noisy_output_size(spec, plan), 2 * sizeof(double)));
}

std::unique_ptr<Simulator> sampled_simulator(std::shared_ptr<const ProgramSpec> spec, NoisePlan plan,
                                             Precision precision, std::size_t memory_limit) {
    const u64 bytes = predict_sampled_bytes(*spec, plan);
    if (bytes > memory_limit)
        throw ProgramError("estimating the outputs of this noisy program takes " + count_text(bytes) +
                           " bytes, but the limit is " + std::to_string(memory_limit) +
                           " bytes; use a samples readout, mode expectations, correlators or a grouping, or raise the "
                           "limit");
    if (kept_states(*spec, plan) > u64{1} << 32)
        throw ProgramError(
            "the kept events of this noisy program show more than the 2^32 states that results can "
            "number; use fewer photons or modes, or a smaller space");
    return std::make_unique<SampledSimulator>(std::move(spec), std::move(plan), precision);
}

}  // namespace photonlink::optics
