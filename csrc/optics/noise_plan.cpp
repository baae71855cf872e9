#include "photonlink/optics/noise_plan.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

/// Probabilities that a source and the way to the detectors deliver one photon, or both of a pair.
struct Emission {
    double single;  // the only photon of a source that fired once
    double both;
    double one_of_two;  // a given one of a pair, and not the other
};

/// From g2 = 2 p2 / (p1 + 2 p2)^2 and brightness = p1 + p2.
Emission emission(const NoiseSpec& noise) {
    const double x = noise.brightness * noise.g2;
    const double p2 = x * noise.brightness / (1 - x + std::sqrt(std::max(0.0, 1 - 2 * x)));
    const double t = noise.transmittance;
    return {t * (noise.brightness - p2), t * t * p2, t * (1 - t) * p2};
}

u32 most_photons(Space space, u32 modes, u32 photons) {
    if (space == Space::Unbunched) return std::min(photons, modes);
    return space == Space::DualRail ? std::min(photons, modes / 2) : photons;
}

std::string number(double value) {
    std::string text = std::to_string(value);
    while (text.back() == '0') text.pop_back();
    return text.back() == '.' ? text + '0' : text;
}

void require(bool good, const char* field, double value, const char* expected) {
    if (!good) throw ProgramError(std::string("noise: ") + field + " is " + number(value) + ", expected " + expected);
}

bool is_probability(double value) { return value >= 0 && value <= 1; }

/// Probability of `least` photons or more from all sources together.
double probability_of_enough(const std::vector<SourceMode>& sources, u32 least) {
    std::vector<double> total{1.0};
    for (const SourceMode& source : sources) {
        const std::vector<double> more = source.totals();
        std::vector<double> sum(total.size() + more.size() - 1);
        for (std::size_t a = 0; a < total.size(); ++a)
            for (std::size_t b = 0; b < more.size(); ++b) sum[a + b] += total[a] * more[b];
        total = std::move(sum);
    }
    double enough = 0;
    for (std::size_t k = total.size(); k-- > least;) enough += total[k];
    return enough;
}

}  // namespace

SourceMode::SourceMode(const NoiseSpec& noise, u32 expected, bool interference) : size_(2 * expected + 1) {
    const Emission emitted = emission(noise);
    const double own = interference ? 1 - std::sqrt(noise.indistinguishability) : 1.0;
    const bool second_own = noise.g2_distinguishable || !interference;
    const double first = emitted.single + emitted.one_of_two;
    double single[3][3] = {};  // of one source
    single[0][0] = 1 - (emitted.single + 2 * emitted.one_of_two + emitted.both);
    single[1][0] = (1 - own) * first + (second_own ? 0.0 : emitted.one_of_two);
    single[0][1] = own * first + (second_own ? emitted.one_of_two : 0.0);
    single[2][0] = second_own ? 0.0 : (1 - own) * emitted.both;
    single[1][1] = (second_own ? 1 - own : own) * emitted.both;
    single[0][2] = second_own ? own * emitted.both : 0.0;
    weights_.assign(std::size_t{size_} * size_, 0.0);
    weights_[0] = 1;
    for (u32 source = 0; source < expected; ++source) {
        std::vector<double> sum(weights_.size());
        for (u32 c = 0; c < size_; ++c)
            for (u32 d = 0; d < size_; ++d)
                for (u32 a = 0; a <= std::min(c, 2u); ++a)
                    for (u32 b = 0; b <= std::min(d, 2 - a); ++b)
                        sum[std::size_t{c} * size_ + d] += single[a][b] * weight(c - a, d - b);
        weights_ = std::move(sum);
    }
    measure();
}

void SourceMode::measure() {
    most_common_ = most_own_ = most_ = 0;
    for (u32 c = 0; c < size_; ++c)
        for (u32 d = 0; d < size_; ++d) {
            if (!(weight(c, d) > 0)) continue;
            most_common_ = std::max(most_common_, c);
            most_own_ = std::max(most_own_, d);
            most_ = std::max(most_, c + d);
        }
}

u32 SourceMode::most_own_beside(u32 common) const {
    u32 own = size_ - 1;
    while (own > 0 && !(weight(common, own) > 0)) --own;
    return own;
}

std::vector<double> SourceMode::totals() const {
    std::vector<double> totals(most_ + 1u);
    for (u32 c = 0; c <= most_; ++c)
        for (u32 d = 0; c + d <= most_; ++d) totals[c + d] += weight(c, d);
    return totals;
}

double SourceMode::condition_on(u32 photons) {
    double probability = 0;
    for (u32 c = 0; c < size_; ++c)
        for (u32 d = 0; d < size_; ++d) {
            double& at = weights_[std::size_t{c} * size_ + d];
            if (c + d != photons) at = 0;
            probability += at;
        }
    if (probability > 0)
        for (double& at : weights_) at /= probability;
    measure();
    return probability;
}

bool has_source_noise(const ProgramSpec& spec) {
    const NoiseSpec& noise = spec.noise;
    const bool all_kept = noise.min_detected == kAllPhotons || noise.min_detected == spec.photons();
    return noise.brightness < 1 || noise.transmittance < 1 || noise.indistinguishability < 1 || noise.g2 > 0 ||
           noise.detectors != Detectors::Resolving || !all_kept;
}

bool has_phase_noise(const ProgramSpec& spec) {
    const std::vector<double>& errors = spec.noise.phase_errors;
    return spec.noise.phase_imprecision > 0 ||
           std::any_of(errors.begin(), errors.end(), [](double error) { return error != 0; });
}

void check_noise(const ProgramSpec& spec) {
    const NoiseSpec& noise = spec.noise;
    require(is_probability(noise.brightness), "brightness", noise.brightness, "0 to 1");
    require(is_probability(noise.transmittance), "transmittance", noise.transmittance, "0 to 1");
    require(is_probability(noise.indistinguishability), "indistinguishability", noise.indistinguishability, "0 to 1");
    require(is_probability(noise.g2), "g2", noise.g2, "0 to 1");
    require(noise.brightness * noise.g2 <= 0.5, "brightness * g2", noise.brightness * noise.g2,
            "at most 0.5: no source of two photons at most has more");
    require(noise.phase_imprecision >= 0 && std::isfinite(noise.phase_imprecision), "phase_imprecision",
            noise.phase_imprecision, "a number of radians of at least 0");
    if (!noise.phase_errors.empty() && noise.phase_errors.size() != spec.phases.size())
        throw ProgramError("noise has " + std::to_string(noise.phase_errors.size()) + " phase errors; expected " +
                           std::to_string(spec.phases.size()) + ", one per phase, or none");
    for (const double error : noise.phase_errors)
        require(std::isfinite(error), "phase error", error, "a number of radians");
    if (noise.min_detected != kAllPhotons && noise.min_detected > spec.photons())
        throw ProgramError("min_detected_photons is " + std::to_string(noise.min_detected) + ", but the input has " +
                           std::to_string(spec.photons()) + " photons; expected at most that many");
    if (!has_source_noise(spec)) return;
    const u32 least = std::min(noise.min_detected, spec.photons());
    if (noise.detectors == Detectors::Threshold && least > spec.modes)
        throw ProgramError("threshold detectors of " + std::to_string(spec.modes) + " modes cannot click " +
                           std::to_string(least) + " times; use a smaller min_detected_photons");
    if (spec.photons() * (noise.g2 > 0 ? 2 : 1) > kMaxPhotons)
        throw ProgramError("with g2 above 0, " + std::to_string(spec.photons()) + " expected photons may become " +
                           std::to_string(2 * spec.photons()) + "; this simulator takes at most " +
                           std::to_string(kMaxPhotons));
}

NoisePlan plan_noise(const ProgramSpec& spec) {
    const NoiseSpec& noise = spec.noise;
    const u32 photons = spec.photons();
    NoisePlan plan{spec.readout.space,
                   noise.detectors == Detectors::Threshold,
                   std::min(noise.min_detected, photons),
                   photons * (noise.g2 > 0 ? 2u : 1u),
                   {},
                   1.0,
                   1.0,
                   false,
                   false};
    for (const u32 expected : spec.input)
        if (expected > 0) plan.sources.emplace_back(noise, expected, spec.interference);
    if (plan.clicks && plan.space == Space::Fock) plan.space = Space::Unbunched;
    if (plan.space == Space::DualRail) plan.least = photons;  // one in each pair, and no fewer
    if (plan.least == plan.most) {
        // Every photon must arrive. If each must click, too, none shares a mode, and counting would show the same.
        std::size_t source = 0;
        for (const u32 expected : spec.input)
            if (expected > 0) plan.kept_scale *= plan.sources[source++].condition_on(expected);
        plan.clicks = false;
        plan.ideal = noise.indistinguishability == 1 || !spec.interference;
    }
    plan.enough = plan.kept_scale > 0 ? probability_of_enough(plan.sources, plan.least) : 0.0;
    plan.complete = spec.readout.space == Space::Fock &&
                    (plan.least == 0 || (plan.least == plan.most && noise.detectors == Detectors::Resolving));
    plan.most = most_photons(plan.space, spec.modes, plan.most);
    return plan;
}

}  // namespace photonlink::optics
