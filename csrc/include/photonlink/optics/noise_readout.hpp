// From detected states of several photon numbers to the values that a datapoint returns.
#pragma once

#include <cstddef>
#include <vector>

#include "photonlink/optics/noise_basis.hpp"
#include "photonlink/optics/noise_plan.hpp"

namespace photonlink::optics {

/// Patterns that a click_patterns readout lists.
ClickOrder click_order(const ProgramSpec& spec, const NoisePlan& plan);

/// States of kept events.
u64 kept_states(const ProgramSpec& spec, const NoisePlan& plan);

/// Values per datapoint.
u64 noisy_output_size(const ProgramSpec& spec, const NoisePlan& plan);

/// What a detected state adds to each output.
class OutputRule {
  public:
    OutputRule(const ProgramSpec& spec, const NoisePlan& plan);

    std::size_t outputs() const { return outputs_; }

    /// True if the position of a state among the kept ones decides, whatever its photons.
    bool by_position() const { return kind_ == ReadoutKind::Probabilities || kind_ == ReadoutKind::Samples; }

    /// Whether outputs take turns, state by state, or `run()` consecutive states are one output; if by_position().
    bool takes_turns() const { return turns_; }
    u64 run() const { return run_; }

    /// visit(output, value) for every output to which the state at `position` adds. `state` may be null if
    /// by_position().
    template <class Visit>
    void visit(u64 position, const u8* state, Visit&& visit) const;

  private:
    ReadoutKind kind_;
    u32 modes_;
    std::size_t outputs_;
    u64 run_ = 1;
    bool turns_;
    bool pattern_is_state_;  // in the dual-rail space every state is a click pattern, and there are no others
    ClickOrder order_;
};

/// The readout as a sparse matrix, outputs x kept states.
class SectorReadout {
  public:
    SectorReadout(const ProgramSpec& spec, const NoisePlan& plan);

    static u64 predict_bytes(const ProgramSpec& spec, const NoisePlan& plan);

    std::size_t outputs() const { return rule_.outputs(); }

    /// outputs() expectation values of a distribution over the kept states.
    void exact(const double* probabilities, double* values) const;

    /// The transposed matrix: from derivatives with respect to the outputs to those with respect to the probabilities.
    void pull_back(const double* cotangents, double* probabilities) const;

    /// Estimates from counts of distinct states and, unless `errors` is null, their standard errors.
    void estimate(const std::vector<u32>& states, const std::vector<u32>& counts, u32 shots, double* values,
                  double* errors) const;

  private:
    struct Entry {
        u32 output;
        u32 value;
    };

    template <class Visit>
    void visit(std::size_t state, Visit&& visit) const;
    /// Whether each state belongs to one output, by its position, if only to one of its own.
    bool groups_states() const { return rule_.by_position() && outputs() > 0; }
    void group(const double* probabilities, double* values) const;
    void ungroup(const double* cotangents, double* probabilities) const;

    OutputRule rule_;
    std::size_t states_;
    std::vector<u64> begin_;      // states + 1, or none
    std::vector<Entry> entries_;  // by state
};

/// Adds up what samples say about the outputs.
class SampleMean {
  public:
    /// `errors` may be null.
    SampleMean(std::size_t outputs, u32 shots, double* values, double* errors);

    void add(std::size_t output, double value, u32 count);
    /// Standard errors of the means.
    void finish();

  private:
    std::size_t outputs_;
    u32 shots_;
    double* values_;
    double* errors_;
};

template <class Visit>
void OutputRule::visit(u64 position, const u8* state, Visit&& visit) const {
    if (kind_ == ReadoutKind::Samples) return;
    if (kind_ == ReadoutKind::Probabilities) {
        visit(static_cast<std::size_t>(turns_ ? position % outputs_ : position / run_), 1u);
        return;
    }
    if (kind_ == ReadoutKind::ClickPatterns) {
        visit(static_cast<std::size_t>(pattern_is_state_ ? position : order_.rank(state)), 1u);
        return;
    }
    std::size_t pair = 0;  // of modes (i, i + 1)
    for (u32 i = 0; i < modes_; pair += modes_ - 1 - i, ++i) {
        if (state[i] == 0) continue;
        if (kind_ != ReadoutKind::Correlators) {
            visit(std::size_t{i}, kind_ == ReadoutKind::ClickProbabilities ? 1u : u32{state[i]});
            continue;
        }
        for (u32 j = i + 1; j < modes_; ++j)
            if (state[j] > 0) visit(pair + j - i - 1, u32{state[i]} * state[j]);
    }
}

}  // namespace photonlink::optics
