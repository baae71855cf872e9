// Samples of a distribution, each a function of (seed, datapoint id, shot) alone.
#pragma once

#include <cstddef>
#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::optics {

/// Draws by inversion of the float64 prefix sums: shot s falls on the first state whose prefix sum exceeds u_s times
/// the total. Holds its scratch, so that sampling allocates nothing once warm.
class Sampler {
  public:
    explicit Sampler(std::size_t basis_size);

    static u64 predict_bytes(u64 basis_size);

    /// Forgets the distribution.
    void begin() { known_ = 0; }

    /// Takes the probabilities of the next `states` states; they need not add up to 1.
    template <class Real>
    void add(const Real* probabilities, std::size_t states);

    /// Counts `shots` draws of datapoint `id` from the whole distribution: distinct states in ascending order and how
    /// often each was drawn.
    void draw(u64 seed, u64 id, u32 shots, std::vector<u32>& states, std::vector<u32>& counts);

    /// The three in one.
    template <class Real>
    void draw(const Real* probabilities, u64 seed, u64 id, u32 shots, std::vector<u32>& states,
              std::vector<u32>& counts);

  private:
    static constexpr u32 kAtATime = 8;  // draws that are located side by side
    static constexpr u32 kWordStates = 64;
    void locate(const double* masses, u32* states) const;
    void collect(std::vector<u32>& states, std::vector<u32>& counts);

    std::size_t known_ = 0;       // states added so far
    std::vector<double> prefix_;  // prefix_[i] = sum of the probabilities up to and including state i
    std::vector<u32> histogram_;  // all zero between calls
    std::vector<u64> drawn_;      // a bit for each state that is not zero there
};

}  // namespace photonlink::optics
