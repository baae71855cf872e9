#include "photonlink/optics/noise_readout.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "photonlink/optics/readout.hpp"

namespace photonlink::optics {
namespace {

/// Entries of a state at most.
u64 entries_per_state(const ProgramSpec& spec, const NoisePlan& plan) {
    const u64 occupied = std::min(plan.most, spec.modes);
    if (spec.readout.kind == ReadoutKind::ClickPatterns) return 1;
    return spec.readout.kind == ReadoutKind::Correlators ? occupied * (occupied - (occupied > 0 ? 1 : 0)) / 2
                                                         : occupied;
}

}  // namespace

ClickOrder click_order(const ProgramSpec& spec, const NoisePlan& plan) {
    if (plan.space != Space::Fock) return {spec.modes, plan.least, plan.most};
    return {spec.modes, std::min(plan.least, 1u), std::min(plan.most, spec.modes)};
}

u64 kept_states(const ProgramSpec& spec, const NoisePlan& plan) {
    return sector_count(plan.space, spec.modes, plan.least, plan.most);
}

u64 noisy_output_size(const ProgramSpec& spec, const NoisePlan& plan) {
    switch (spec.readout.kind) {
        case ReadoutKind::Probabilities:
            return spec.readout.grouping == Grouping::None ? kept_states(spec, plan) : spec.readout.groups;
        case ReadoutKind::ModeExpectations:
        case ReadoutKind::ClickProbabilities:
            return spec.modes;
        case ReadoutKind::Correlators:
            return u64{spec.modes} * (spec.modes - 1) / 2;
        case ReadoutKind::ClickPatterns:
            return plan.space == Space::DualRail ? kept_states(spec, plan) : click_order(spec, plan).size();
        case ReadoutKind::Samples:
            return 0;
    }
    return 0;
}

OutputRule::OutputRule(const ProgramSpec& spec, const NoisePlan& plan)
    : kind_(spec.readout.kind),
      modes_(spec.modes),
      outputs_(noisy_output_size(spec, plan)),
      turns_(spec.readout.grouping != Grouping::Lex),  // without groups, each output once
      pattern_is_state_(plan.space == Space::DualRail),
      order_(click_order(spec, plan)) {
    if (!turns_) run_ = (kept_states(spec, plan) + outputs_ - 1) / outputs_;
}

u64 SectorReadout::predict_bytes(const ProgramSpec& spec, const NoisePlan& plan) {
    if (OutputRule(spec, plan).by_position()) return 0;
    const u64 per_state = sizeof(u64) + entries_per_state(spec, plan) * sizeof(Entry);
    return saturating_mul(saturating_add(kept_states(spec, plan), 1), per_state);
}

SectorReadout::SectorReadout(const ProgramSpec& spec, const NoisePlan& plan)
    : rule_(spec, plan), states_(kept_states(spec, plan)) {
    if (rule_.by_position()) return;
    begin_.reserve(states_ + 1);
    entries_.reserve(states_ * entries_per_state(spec, plan));
    begin_.push_back(0);
    for (u32 photons = plan.most + 1; photons-- > plan.least;)
        walk_prefixes(plan.space, spec.modes, photons, spec.modes, [&](const u8* state, u32) {
            rule_.visit(begin_.size() - 1, state, [&](std::size_t output, u32 value) {
                entries_.push_back({static_cast<u32>(output), value});
            });
            begin_.push_back(entries_.size());
        });
}

/// visit(output, value) for every output to which a state adds.
template <class Visit>
void SectorReadout::visit(std::size_t state, Visit&& visit) const {
    if (begin_.empty()) return rule_.visit(state, nullptr, visit);
    for (u64 e = begin_[state]; e < begin_[state + 1]; ++e) visit(std::size_t{entries_[e].output}, entries_[e].value);
}

/// exact() where states form groups.
void SectorReadout::group(const double* probabilities, double* values) const {
    std::fill(values, values + outputs(), 0.0);
    if (!rule_.takes_turns()) {
        for (std::size_t at = 0; at < states_; at += rule_.run())
            *values++ = striped_sum(probabilities + at, std::min<std::size_t>(rule_.run(), states_ - at));
        return;
    }
    for (std::size_t at = 0; at < states_; at += outputs())
        std::transform(values, values + std::min(outputs(), states_ - at), probabilities + at, values, std::plus<>());
}

/// pull_back() where states form groups.
void SectorReadout::ungroup(const double* cotangents, double* probabilities) const {
    const std::size_t step = rule_.takes_turns() ? outputs() : rule_.run();
    for (std::size_t at = 0; at < states_; at += step) {
        const std::size_t states = std::min(step, states_ - at);
        if (rule_.takes_turns())
            std::copy_n(cotangents, states, probabilities + at);
        else
            std::fill_n(probabilities + at, states, *cotangents++);
    }
}

void SectorReadout::exact(const double* probabilities, double* values) const {
    if (groups_states()) return group(probabilities, values);
    std::fill(values, values + outputs(), 0.0);
    for (std::size_t state = 0; state < states_; ++state)
        visit(state, [&](std::size_t output, u32 value) { values[output] += value * probabilities[state]; });
}

void SectorReadout::pull_back(const double* cotangents, double* probabilities) const {
    if (groups_states()) return ungroup(cotangents, probabilities);
    std::fill(probabilities, probabilities + states_, 0.0);
    for (std::size_t state = 0; state < states_; ++state)
        visit(state, [&](std::size_t output, u32 value) { probabilities[state] += value * cotangents[output]; });
}

void SectorReadout::estimate(const std::vector<u32>& states, const std::vector<u32>& counts, u32 shots, double* values,
                             double* errors) const {
    SampleMean mean(outputs(), shots, values, errors);
    for (std::size_t i = 0; i < states.size(); ++i)
        visit(states[i], [&](std::size_t output, u32 value) { mean.add(output, value, counts[i]); });
    mean.finish();
}

SampleMean::SampleMean(std::size_t outputs, u32 shots, double* values, double* errors)
    : outputs_(outputs), shots_(shots), values_(values), errors_(errors) {
    std::fill(values, values + outputs, 0.0);
    if (errors != nullptr) std::fill(errors, errors + outputs, 0.0);
}

void SampleMean::add(std::size_t output, double value, u32 count) {
    const double share = static_cast<double>(count) / shots_;
    values_[output] += share * value;
    if (errors_ != nullptr) errors_[output] += share * value * value;
}

void SampleMean::finish() {
    if (errors_ == nullptr) return;
    for (std::size_t o = 0; o < outputs_; ++o)
        errors_[o] = std::sqrt(std::max(0.0, errors_[o] - values_[o] * values_[o]) / shots_);
}

}  // namespace photonlink::optics
