// How long a datapoint takes on a photonic chip, and what a controller does with that number: add it up, wait it out,
// or nothing. The presets with their sources live in Python; here is only the arithmetic.
#pragma once

#include <string>

#include "photonlink/platform.hpp"

namespace photonlink::qsc {

/// Hardware figures of one chip. An event is a detection with at least one photon; a kept sample is one that passed
/// the photon-number and post-selection filters.
struct TimingModel {
    std::string name = "article";
    double configuration_s = 1.0;   // loading a program
    double phase_update_s = 0.020;  // changing at most quick_phase_limit phases
    double full_update_s = 1.0;     // changing more
    u32 quick_phase_limit = 0;      // 0: every change is a quick one
    bool flat = true;               // true: kept samples arrive at kept_rate_hz whatever the program
    double kept_rate_hz = 100e3;
    double clock_hz = 0.0;  // not flat: kept samples arrive at clock_hz * transmittance^photons * kept fraction
    double transmittance = 1.0;
    u32 photons = 0;
};

/// Quantum time of a datapoint that has none (exact results, or no clock). Never zero: zero would be a claim.
inline constexpr i64 kNoQuantumTime = -1;

/// Throws std::invalid_argument naming the field and its value if the model cannot be computed with.
void validate(const TimingModel& timing);

/// Time until `changed` physical phases have settled, in seconds; zero when none changed.
double update_seconds(const TimingModel& timing, u32 changed);

/// Time to collect `shots` kept samples, in seconds; infinite if the program keeps nothing.
double acquisition_seconds(const TimingModel& timing, u32 shots, double kept_fraction);

/// Both together, to the nearest nanosecond; kNoQuantumTime when `shots` is 0. Saturates instead of overflowing.
i64 datapoint_ns(const TimingModel& timing, u32 changed, u32 shots, double kept_fraction);

/// Loading a program, in nanoseconds; kNoQuantumTime when `shots` is 0.
i64 configuration_ns(const TimingModel& timing, u32 shots);

/// Virtual adds modelled time up without waiting; Realtime waits it out and never ends early; None keeps no time.
enum class ClockMode : u8 { Virtual, Realtime, None };

}  // namespace photonlink::qsc
