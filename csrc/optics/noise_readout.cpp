#include "photonlink/optics/noise_readout.hpp"

#include <algorithm>
#include <cmath>

namespace photonlink::optics {
namespace {

bool by_position(const ProgramSpec& spec) {
    return spec.readout.kind == ReadoutKind::Probabilities || spec.readout.kind == ReadoutKind::Samples;
}

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
    return SectorBasis::count(plan.space, spec.modes, plan.least, plan.most);
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

u64 SectorReadout::predict_bytes(const ProgramSpec& spec, const NoisePlan& plan) {
    if (by_position(spec)) return 0;
    const u64 per_state = sizeof(u64) + entries_per_state(spec, plan) * sizeof(Entry);
    return saturating_mul(saturating_add(kept_states(spec, plan), 1), per_state);
}

SectorReadout::SectorReadout(const ProgramSpec& spec, const NoisePlan& plan)
    : outputs_(noisy_output_size(spec, plan)), states_(kept_states(spec, plan)) {
    if (by_position(spec)) {
        if (spec.readout.grouping == Grouping::Lex) bucket_ = (states_ + outputs_ - 1) / outputs_;
        modular_ = spec.readout.grouping == Grouping::Mod;
        return;
    }
    const ClickOrder order = click_order(spec, plan);
    begin_.reserve(states_ + 1);
    entries_.reserve(states_ * entries_per_state(spec, plan));
    begin_.push_back(0);
    for (u32 photons = plan.most + 1; photons-- > plan.least;)
        walk_prefixes(plan.space, spec.modes, photons, spec.modes, [&](const u8* state, u32) {
            append(spec, order, state);
            begin_.push_back(entries_.size());
        });
}

void SectorReadout::append(const ProgramSpec& spec, const ClickOrder& order, const u8* state) {
    if (spec.readout.kind == ReadoutKind::ClickPatterns) {
        // In the dual-rail space every state is a pattern, and there are no others.
        const u64 position = spec.readout.space == Space::DualRail ? begin_.size() - 1 : order.rank(state);
        entries_.push_back({static_cast<u32>(position), 1});
        return;
    }
    const bool clicks = spec.readout.kind == ReadoutKind::ClickProbabilities;
    u32 pair = 0;
    for (u32 i = 0; i < spec.modes; ++i) {
        if (spec.readout.kind != ReadoutKind::Correlators) {
            if (state[i] > 0) entries_.push_back({i, clicks ? u32{1} : u32{state[i]}});
            continue;
        }
        for (u32 j = i + 1; j < spec.modes; ++j, ++pair)
            if (state[i] > 0 && state[j] > 0) entries_.push_back({pair, u32{state[i]} * state[j]});
    }
}

/// visit(output, value) for every output to which a state adds.
template <class Visit>
void SectorReadout::visit(std::size_t state, Visit&& visit) const {
    if (begin_.empty()) {
        if (outputs_ > 0) visit(modular_ ? state % outputs_ : state / bucket_, 1.0);
        return;
    }
    for (u64 e = begin_[state]; e < begin_[state + 1]; ++e)
        visit(std::size_t{entries_[e].output}, static_cast<double>(entries_[e].value));
}

void SectorReadout::exact(const double* probabilities, double* values) const {
    std::fill(values, values + outputs_, 0.0);
    for (std::size_t state = 0; state < states_; ++state)
        visit(state, [&](std::size_t output, double value) { values[output] += value * probabilities[state]; });
}

void SectorReadout::estimate(const std::vector<u32>& states, const std::vector<u32>& counts, u32 shots, double* values,
                             double* errors) const {
    std::fill(values, values + outputs_, 0.0);
    if (errors != nullptr) std::fill(errors, errors + outputs_, 0.0);
    for (std::size_t i = 0; i < states.size(); ++i) {
        const double share = static_cast<double>(counts[i]) / shots;
        visit(states[i], [&](std::size_t output, double value) {
            values[output] += share * value;
            if (errors != nullptr) errors[output] += share * value * value;
        });
    }
    if (errors == nullptr) return;
    for (std::size_t o = 0; o < outputs_; ++o)
        errors[o] = std::sqrt(std::max(0.0, errors[o] - values[o] * values[o]) / shots);
}

}  // namespace photonlink::optics
