// From a distribution over basis states to the values that a datapoint returns. Every readout is a linear map: each
// state adds to a few outputs, so the same map serves exact probabilities and sampled counts.
#pragma once

#include <cstddef>
#include <vector>

#include "photonlink/optics/basis.hpp"

namespace photonlink::optics {

class ReadoutMap {
  public:
    explicit ReadoutMap(const ProgramSpec& spec);

    static u64 predict_bytes(const ProgramSpec& spec);

    std::size_t outputs() const { return outputs_; }

    /// outputs() expectation values of a distribution over the whole basis.
    template <class Real>
    void exact(const Real* probabilities, double* values) const;

    /// Estimates from counts of distinct states, and their standard errors sqrt((<x^2> - <x>^2) / shots): for a
    /// probability that is the binomial sqrt(p (1 - p) / shots). `errors` may be null.
    void estimate(const std::vector<u32>& states, const std::vector<u32>& counts, u32 shots, double* values,
                  double* errors) const;

  private:
    template <class Visit>
    void visit(std::size_t state, Visit&& visit) const;
    template <class Visit>
    void visit_modes(std::size_t state, Visit&& visit) const;

    ReadoutKind kind_;
    Grouping grouping_;
    u32 modes_;
    u32 photons_;
    u64 basis_size_;
    std::size_t outputs_;
    u64 bucket_ = 1;                // states per group of LexGrouping
    std::vector<u8> photon_modes_;  // the mode of each photon of each state, ascending
    std::vector<u32> pattern_;      // click pattern of each state of the full Fock space
};

}  // namespace photonlink::optics
