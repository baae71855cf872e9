// From a distribution over basis states to the values that a datapoint returns. Every readout is a linear map: each
// state adds to a few outputs, so the same map serves exact probabilities and sampled counts.
#pragma once

#include <cstddef>
#include <vector>

#include "photonlink/optics/basis.hpp"

namespace photonlink::optics {

/// States whose probabilities are added up at a time, from state 0 on. The same for every way of computing them, since
/// rounding depends on it: sums over more states are sums of the sums of such tiles.
inline constexpr u32 kTileStates = 1024;

/// True if the readout is the distribution itself, which is written to the caller's row and nowhere else.
inline bool is_distribution(const ReadoutSpec& readout) {
    return readout.kind == ReadoutKind::Probabilities && readout.grouping == Grouping::None;
}

/// Sum with eight partial sums, which hides the latency of the adder; always in the same order.
template <class Real>
double striped_sum(const Real* values, std::size_t size) {
    double partial[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= size; i += 8)
        for (std::size_t k = 0; k < 8; ++k) partial[k] += static_cast<double>(values[i + k]);
    for (std::size_t k = 0; i < size; ++i, ++k) partial[k] += static_cast<double>(values[i]);
    return ((partial[0] + partial[1]) + (partial[2] + partial[3])) +
           ((partial[4] + partial[5]) + (partial[6] + partial[7]));
}

/// Sums of tiles lane by lane: striped_sum's bits, for lane arrays (see slos_kernel.hpp) that come in any pieces.
class LaneSum {
  public:
    explicit LaneSum(u32 max_lanes) : partial_(std::size_t{8} * max_lanes) {}

    /// Takes the next states, from `first` on, and adds the sum of each tile that ends among them to `sums`.
    template <class Real>
    void add(const Real* values, std::size_t first, std::size_t states, u32 lanes, double* sums);

    /// Adds the sum of what came since then to `sums`, one per lane; the next state begins a sum.
    void finish(double* sums, u32 lanes);

  private:
    std::size_t taken_ = 0;
    std::vector<double> partial_;
};

class ReadoutMap {
  public:
    explicit ReadoutMap(const ProgramSpec& spec);

    static u64 predict_bytes(const ProgramSpec& spec);

    std::size_t outputs() const { return outputs_; }

    /// Adds to `values`, outputs() of them, what the probabilities of `states` states from `first` on contribute.
    template <class Real>
    void add(const Real* probabilities, std::size_t first, std::size_t states, double* values) const;

    /// outputs() expectation values of a distribution over the whole basis.
    template <class Real>
    void exact(const Real* probabilities, double* values) const;

    /// add() for lane arrays (see slos_kernel.hpp): lane by lane the same bits, if the states come in order from 0 on.
    /// `values` are outputs() lane arrays; `sum` keeps what lies between them until the last state has come.
    template <class Real>
    void accumulate(const Real* probabilities, u32 lanes, std::size_t first_state, std::size_t states, LaneSum& sum,
                    double* values) const;

    /// The transposed map, for gradients: what each of `states` states from `first_state` on adds to
    /// sum(cotangent * output) per unit of its probability. `cotangents` are outputs() lane arrays, `per_state`
    /// receives `states` of them.
    template <class Real>
    void pull_back(const Real* cotangents, u32 lanes, std::size_t first_state, std::size_t states,
                   Real* per_state) const;

    /// Estimates from counts of distinct states, and their standard errors sqrt((<x^2> - <x>^2) / shots): for a
    /// probability that is the binomial sqrt(p (1 - p) / shots). `errors` may be null.
    void estimate(const std::vector<u32>& states, const std::vector<u32>& counts, u32 shots, double* values,
                  double* errors) const;

  private:
    template <class Real>
    void add_groups(const Real* probabilities, std::size_t first, std::size_t states, double* values) const;
    template <class Real>
    void accumulate_buckets(const Real* probabilities, u32 lanes, std::size_t first, std::size_t states, LaneSum& sum,
                            double* values) const;
    template <class Visit>
    void visit(std::size_t state, Visit&& visit) const;
    template <class Visit>
    void visit_occupied(std::size_t state, Visit& visit) const;
    struct Occupied;
    void list_occupied(std::size_t state, Occupied& occupied) const;

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
