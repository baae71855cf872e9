// What the noise of a program amounts to: how many photons each input mode delivers in which state, and which detected
// states are kept.
#pragma once

#include <cstddef>
#include <vector>

#include "photonlink/optics/program.hpp"

namespace photonlink::optics {

/// What one input mode sends into the interferometer. Loss lies here, too.
class SourceMode {
  public:
    /// `expected` sources on one mode. Without `interference` every photon is in a state of its own.
    SourceMode(const NoiseSpec& noise, u32 expected, bool interference);

    /// Probability of `common` photons in the shared state and `own` ones in states of their own, after loss.
    double weight(u32 common, u32 own) const { return weights_[std::size_t{common} * size_ + own]; }
    u32 most_common() const { return most_common_; }
    u32 most_own() const { return most_own_; }
    /// Largest number of photons in states of their own beside `common` ones in the shared state; 0 if none can be.
    u32 most_own_beside(u32 common) const;
    /// Largest number of photons.
    u32 most() const { return most_; }
    /// Probability of each number of photons, 0 to most().
    std::vector<double> totals() const;

    /// Given that exactly `photons` photons arrive; returns the probability of that.
    double condition_on(u32 photons);

  private:
    void measure();

    u32 size_;
    std::vector<double> weights_;  // size_ x size_
    u32 most_common_ = 0;
    u32 most_own_ = 0;
    u32 most_ = 0;
};

struct NoisePlan {
    Space space;                      // of detected states; unbunched where detectors only click
    bool clicks;                      // detectors cannot tell one photon from two
    u32 least;                        // detected photons or clicks of kept events
    u32 most;                         // likewise, the largest number
    std::vector<SourceMode> sources;  // occupied input modes, ascending
    double kept_scale;                // probability of what the sources above are conditioned on
    double enough;                    // probability, given that, of `least` photons or more
    bool ideal;                       // the sources deliver exactly the input state and the detectors do not matter
    bool complete;                    // every event is kept, seen photon by photon (or readouts need clicks only)
};

/// True if sources, detectors or the filter differ from the noiseless ones.
bool has_source_noise(const ProgramSpec& spec);

/// True if the phases of a request are not executed as they are.
bool has_phase_noise(const ProgramSpec& spec);

/// Throws ProgramError unless the noise of the spec is possible.
void check_noise(const ProgramSpec& spec);

/// Requires check_noise().
NoisePlan plan_noise(const ProgramSpec& spec);

}  // namespace photonlink::optics
