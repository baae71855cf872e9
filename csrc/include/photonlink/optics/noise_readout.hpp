// From a distribution over detected states of several photon numbers to the values that a datapoint returns.
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

/// The readout as a sparse matrix, outputs x kept states.
class SectorReadout {
  public:
    SectorReadout(const ProgramSpec& spec, const NoisePlan& plan);

    static u64 predict_bytes(const ProgramSpec& spec, const NoisePlan& plan);

    std::size_t outputs() const { return outputs_; }

    /// outputs() expectation values of a distribution over the kept states.
    void exact(const double* probabilities, double* values) const;

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
    void append(const ProgramSpec& spec, const ClickOrder& order, const u8* state);

    std::size_t outputs_;
    std::size_t states_;
    u64 bucket_ = 1;              // states per output of consecutive ones; used where there are no entries
    bool modular_ = false;        // output = state modulo outputs
    std::vector<u64> begin_;      // states + 1, or none
    std::vector<Entry> entries_;  // by state
};

}  // namespace photonlink::optics
