// Between probabilities and outputs of one block of datapoints, forward and back: readouts of a distribution are linear
// maps, outside the full Fock space divided by the probability of the space.
#pragma once

#include <vector>

#include "photonlink/optics/gradient_sweep.hpp"
#include "photonlink/optics/readout.hpp"

namespace photonlink::optics {

/// Rows of one block in the caller's memory, output_size() values each; null where there are none.
template <class Real>
struct GradientRows {
    u32 rows;
    const Real* cotangents;
    Real* values;
};

template <class Real>
class GradientReadout {
  public:
    GradientReadout(const ProgramSpec& spec, const ReadoutMap& map, u32 max_lanes);

    static u64 predict_bytes(const ProgramSpec& spec, u32 max_lanes);

    void begin(u32 lanes, const GradientRows<Real>& rows);
    /// Whether values or derivatives depend on what take() would be given.
    bool needs_probabilities() const { return renormalised_ || rows_.values != nullptr; }
    /// With a single lane: where probabilities from `first` on may be put before take(), which then need not; or null.
    Real* place(std::size_t first) const { return plain_ ? rows_.values + first : nullptr; }
    /// Takes the probabilities of some states, which come in order.
    void take(const StateTile<Real>& tile);
    /// Renormalises and delivers the values.
    void finish();
    /// Replaces the tile's values by the derivatives with respect to its probabilities.
    void pull_back(const StateTile<Real>& tile) const;

  private:
    void load_cotangents(const StateTile<Real>& tile, Real* out) const;
    void deliver(const StateTile<Real>& tile) const;
    void renormalise();

    const ReadoutMap& map_;
    bool plain_;  // the distribution itself: its values lie in the caller's rows from the start
    bool renormalised_;
    double noise_floor_;  // a smaller probability of the space is rounding
    std::size_t outputs_;
    u32 lanes_ = 0;
    GradientRows<Real> rows_{};
    LaneSum kept_sum_;              // of the tile of states at hand
    LaneSum output_sum_;            // likewise
    std::vector<double> kept_;      // per lane: probability of the space
    std::vector<double> mean_;      // per lane: sum of cotangent * value
    std::vector<double> scale_;     // per lane: 1 / kept, or 0
    std::vector<Real> cotangents_;  // lane arrays of the outputs
    std::vector<double> values_;    // likewise
    std::vector<Real> tile_;        // cotangents of the states in take()
};

}  // namespace photonlink::optics
