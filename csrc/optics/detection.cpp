#include "photonlink/optics/detection.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "noise_report.hpp"

namespace photonlink::optics {
namespace {

// What the arithmetic of any simulator in double precision may add to a distribution of mass 1.
constexpr double kRounding = 1e-6;

u64 predict(const ProgramSpec& spec, const NoisePlan& plan, bool distribution) {
    u64 bytes = saturating_mul(noisy_output_size(spec, plan), 2 * sizeof(double));
    if (!distribution) return bytes;
    const u64 states = kept_states(spec, plan);
    bytes = saturating_add(bytes, SectorReadout::predict_bytes(spec, plan));
    return saturating_add(bytes, saturating_add(Sampler::predict_bytes(states), saturating_mul(states, 8)));
}

NoisePlan checked_plan(const ProgramSpec& spec, std::size_t memory_limit, bool distribution) {
    check_spec(spec);
    NoisePlan plan = plan_noise(spec);
    const u64 bytes = predict(spec, plan, distribution);
    const u64 states = kept_states(spec, plan);
    if (bytes > memory_limit || states > u64{1} << 32)
        throw ProgramError("reading out " + count_text(states) + " detected states takes " + count_text(bytes) +
                           " bytes, but the limits are " + std::to_string(memory_limit) +
                           " bytes and 2^32 states; use fewer photons or modes, a smaller space or a grouping");
    return plan;
}

}  // namespace

DetectionReadout::DetectionReadout(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                   std::size_t memory_limit_bytes, bool distribution)
    : spec_(std::move(spec)),
      plan_(checked_plan(*spec_, memory_limit_bytes, distribution)),
      precision_(precision),
      rule_(*spec_, plan_),
      states_(kept_states(*spec_, plan_)),
      order_(plan_.space, spec_->modes, plan_.least, plan_.most) {
    if (!distribution) return;
    readout_.emplace(*spec_, plan_);
    sampler_.emplace(states_);
}

void DetectionReadout::check(const std::vector<double>& probabilities) const {
    if (probabilities.size() != states_)
        throw std::runtime_error("the processor returned " + std::to_string(probabilities.size()) +
                                 " probabilities, expected " + std::to_string(states_) + ", one per kept state");
    double total = 0;
    for (const double probability : probabilities) {
        if (!(probability >= -kRounding && probability <= 1 + kRounding))
            throw std::runtime_error("the processor returned a probability of " + std::to_string(probability) +
                                     ", expected 0 to 1");
        total += probability;
    }
    if (total > 1 + kRounding)
        throw std::runtime_error("the probabilities of kept states that the processor returned add up to " +
                                 std::to_string(total) + ", expected at most 1");
}

/// Divides the distribution by its mass and returns that. What rounding leaves on states that cannot occur is no
/// probability.
double DetectionReadout::normalise(std::vector<double>& probabilities) const {
    double kept = 0;
    for (double& probability : probabilities) kept += probability = std::max(probability, 0.0);
    const double rounding = spec_->photons() * std::numeric_limits<double>::epsilon();
    const bool possible = kept > static_cast<double>(states_) * rounding * rounding;
    for (double& probability : probabilities) probability = possible ? probability / kept : 0.0;
    return possible ? std::min(kept, 1.0) : 0.0;
}

void DetectionReadout::finish(const SimulationBatch& batch, std::size_t row, std::vector<double> probabilities) {
    check(probabilities);
    RowReport& report = fresh_report(batch, row, output_size(), scratch_);
    report.kept_fraction = normalise(probabilities);
    if (batch.shots == 0) {
        readout_->exact(probabilities.data(), report.observables.data());
    } else if (report.kept_fraction == 0) {
        throw PostSelectionError(
            "no sample of row " + std::to_string(row) + " can be kept: no event shows enough photons in the " +
            space_name(spec_->readout.space) + " space; change the phases, the noise or min_detected_photons");
    } else {
        sampler_->draw(probabilities.data(), batch.seed, batch.ids[row], batch.shots, report.state_index,
                       report.counts);
        readout_->estimate(report.state_index, report.counts, batch.shots, report.observables.data(),
                           report.standard_errors.empty() ? nullptr : report.standard_errors.data());
    }
    publish(batch, row, report, precision_);
}

void DetectionReadout::begin() {
    seen_states_.clear();
    seen_.clear();
    kept_ = events_ = 0;
}

bool DetectionReadout::keeps(const u8* state) const {
    u32 photons = 0;
    for (u32 mode = 0; mode < spec_->modes; ++mode) photons += state[mode];
    return photons >= plan_.least && photons <= plan_.most && lies_in(plan_.space, state, spec_->modes);
}

void DetectionReadout::add(const DetectedEvents& events, u64 most) {
    const std::size_t modes = spec_->modes;
    if (events.states.size() != events.counts.size() * modes)
        throw std::runtime_error("the processor returned " + std::to_string(events.states.size()) +
                                 " occupation numbers for " + std::to_string(events.counts.size()) +
                                 " states, expected " + std::to_string(modes) + " each");
    u64 total = 0;
    for (const u32 count : events.counts) total += count;
    if (total == 0 || total > most)
        throw std::runtime_error("the processor returned " + std::to_string(total) + " events, expected 1 to " +
                                 std::to_string(most));
    events_ += total;
    for (std::size_t i = 0; i < events.counts.size(); ++i) {
        const u8* const state = events.states.data() + i * modes;
        if (events.counts[i] == 0 || !keeps(state)) continue;
        seen_.push_back({static_cast<u32>(order_.rank(state)), events.counts[i], seen_states_.size()});
        seen_states_.insert(seen_states_.end(), state, state + modes);
        kept_ += events.counts[i];
    }
}

void DetectionReadout::finish(const SimulationBatch& batch, std::size_t row) {
    RowReport& report = fresh_report(batch, row, output_size(), scratch_);
    report.kept_fraction = static_cast<double>(kept_) / static_cast<double>(events_);
    std::sort(seen_.begin(), seen_.end(), [](const Seen& a, const Seen& b) { return a.position < b.position; });
    SampleMean mean(output_size(), batch.shots, report.observables.data(),
                    report.standard_errors.empty() ? nullptr : report.standard_errors.data());
    for (const Seen& seen : seen_) {
        if (report.state_index.empty() || report.state_index.back() != seen.position) {
            report.state_index.push_back(seen.position);
            report.counts.push_back(0);
        }
        report.counts.back() += seen.count;
        rule_.visit(seen.position, seen_states_.data() + seen.state,
                    [&](std::size_t output, u32 value) { mean.add(output, value, seen.count); });
    }
    mean.finish();
    publish(batch, row, report, precision_);
}

}  // namespace photonlink::optics
