#include "photonlink/qsc/clock.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>

namespace photonlink::qsc {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

void require(bool good, const TimingModel& timing, const char* field, double value, const char* expected) {
    if (good) return;
    throw std::invalid_argument("timing model '" + timing.name + "': " + field + " is " + std::to_string(value) +
                                ", expected " + expected);
}

bool is_duration(double seconds) { return std::isfinite(seconds) && seconds >= 0.0; }
bool is_rate(double hertz) { return std::isfinite(hertz) && hertz > 0.0; }

i64 to_ns(double seconds) {
    constexpr double kLongest = 9.2e18;  // just below 2^63 ns, 291 years
    const double ns = seconds * 1e9;
    return ns < kLongest ? std::llround(ns) : std::numeric_limits<i64>::max();
}

}  // namespace

void validate(const TimingModel& timing) {
    const char* duration = "a finite number of seconds, at least 0";
    require(is_duration(timing.configuration_s), timing, "configuration_s", timing.configuration_s, duration);
    require(is_duration(timing.phase_update_s), timing, "phase_update_s", timing.phase_update_s, duration);
    require(is_duration(timing.full_update_s), timing, "full_update_s", timing.full_update_s, duration);
    if (timing.flat) {
        require(is_rate(timing.kept_rate_hz), timing, "kept_rate_hz", timing.kept_rate_hz, "a finite rate above 0");
        return;
    }
    require(is_rate(timing.clock_hz), timing, "clock_hz", timing.clock_hz, "a finite rate above 0");
    require(timing.transmittance > 0.0 && timing.transmittance <= 1.0, timing, "transmittance", timing.transmittance,
            "above 0 and at most 1");
    require(timing.photons > 0, timing, "photons", timing.photons, "at least 1");
}

double update_seconds(const TimingModel& timing, u32 changed) {
    if (changed == 0) return 0.0;
    const bool quick = timing.quick_phase_limit == 0 || changed <= timing.quick_phase_limit;
    return quick ? timing.phase_update_s : timing.full_update_s;
}

double acquisition_seconds(const TimingModel& timing, u32 shots, double kept_fraction) {
    if (timing.flat) return shots / timing.kept_rate_hz;
    const double rate = timing.clock_hz * std::pow(timing.transmittance, timing.photons) * kept_fraction;
    return rate > 0.0 ? shots / rate : kNever;  // also for a kept fraction that is not a number
}

i64 datapoint_ns(const TimingModel& timing, u32 changed, u32 shots, double kept_fraction) {
    if (shots == 0) return kNoQuantumTime;
    return to_ns(update_seconds(timing, changed) + acquisition_seconds(timing, shots, kept_fraction));
}

i64 configuration_ns(const TimingModel& timing, u32 shots) {
    return shots == 0 ? kNoQuantumTime : to_ns(timing.configuration_s);
}

}  // namespace photonlink::qsc
