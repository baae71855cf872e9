// Imperfect sources, loss, detectors and phases, with the parameters and the meaning of Perceval's NoiseModel:
// - every expected photon comes from a source of its own, which fires with probability `brightness`; g2 says how often
//   it then emits a second photon;
// - every photon is then detected with probability `transmittance`, wherever it leaves: loss that is equal in all
//   modes commutes with the interferometers;
// - a source's first photon is in the state that all sources share with probability sqrt(indistinguishability), else in
//   a state of its own. A second photon is in a state of its own, or in the shared one (not g2_distinguishable).
//   Photons in the shared state interfere; every other photon goes its way alone.
#pragma once

#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::optics {

enum class Detectors : u8 {
    Resolving,  // count the photons of each mode
    Threshold,  // click for one photon or more: every count is 0 or 1
};

/// Photons that an event must show at least, if nobody says otherwise: those of the input state.
inline constexpr u32 kAllPhotons = ~u32{0};

struct NoiseSpec {
    double brightness = 1;
    double transmittance = 1;
    double indistinguishability = 1;  // mean overlap of two photons' wave packets
    double g2 = 0;                    // second-order correlation of a source at zero delay
    bool g2_distinguishable = true;
    double phase_imprecision = 0;      // grid in radians on which phases of a request are rounded; 0: none
    std::vector<double> phase_errors;  // radians, added to each phase of a request before rounding; empty: none
    Detectors detectors = Detectors::Resolving;
    u32 min_detected = kAllPhotons;  // events in which fewer photons (or clicks) are detected are not kept
};

}  // namespace photonlink::optics
