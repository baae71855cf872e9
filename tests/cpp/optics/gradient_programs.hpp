// What the tests of gradients share: programs of every readout, ideal and noisy, and a plain way to run a
// Differentiator.
#pragma once

#include <gtest/gtest.h>

#include "photonlink/optics/gradients.hpp"
#include "programs.hpp"

namespace photonlink::optics::test {

struct GradientCase {
    const char* name;
    std::vector<u32> input;
    ReadoutSpec readout;
    bool interference = true;
};

/// Every readout in every space, with single photons and with several in one mode.
inline std::vector<GradientCase> gradient_cases() {
    using K = ReadoutKind;
    std::vector<GradientCase> cases;
    const ReadoutSpec readouts[] = {{K::Probabilities},     {K::Probabilities, Space::Fock, Grouping::Lex, 5},
                                    {K::ModeExpectations},  {K::Probabilities, Space::Fock, Grouping::Mod, 4},
                                    {K::Correlators},       {K::ClickPatterns},
                                    {K::ClickProbabilities}};
    for (const Space space : {Space::Fock, Space::Unbunched, Space::DualRail})
        for (ReadoutSpec readout : readouts)
            for (const bool interference : {true, false}) {
                readout.space = space;
                cases.push_back({space_name(space), {1, 0, 1, 0, 1, 0}, readout, interference});
                if (space == Space::DualRail) continue;
                cases.push_back({space_name(space), {0, 2, 0, 1, 0}, readout, interference});
                cases.push_back({space_name(space), {0, 0, 1, 0}, readout, interference});
                if (space == Space::Fock) cases.push_back({space_name(space), {3, 0, 2}, readout, interference});
            }
    return cases;
}

inline ProgramSpec make_program(const GradientCase& at, u32 layers, u64 seed) {
    ProgramSpec spec = random_program(static_cast<u32>(at.input.size()), at.input, layers, at.readout, seed);
    spec.interference = at.interference;
    spec.phases.push_back(spec.phases.front());  // two phase shifters may stand on one mode
    return spec;
}

inline std::string describe(const GradientCase& at) {
    std::string text = std::string(at.name) + (at.interference ? "" : " distinguishable") + " kind " +
                       std::to_string(static_cast<int>(at.readout.kind)) + " input";
    for (const u32 n : at.input) text += " " + std::to_string(n);
    return text;
}

inline NoiseSpec detected(NoiseSpec noise, Detectors detectors, u32 min_detected) {
    noise.detectors = detectors;
    noise.min_detected = min_detected;
    return noise;
}

/// Behind imperfect sources each space with vectors and without, closed forms, and several photons in a mode.
inline std::vector<ProgramSpec> few_noisy_programs() {
    const NoiseSpec all = detected(noise_of(0.8, 0.6, 0.9, 0.2, true), Detectors::Resolving, 1);
    const NoiseSpec clicks = detected(noise_of(0.8, 0.6, 0.7, 0.1, false), Detectors::Threshold, 2);
    const NoiseSpec every = detected(all, Detectors::Resolving, 0);
    using K = ReadoutKind;
    const auto program = [](std::vector<u32> input, const ReadoutSpec& readout, const NoiseSpec& noise) {
        ProgramSpec spec = random_program(static_cast<u32>(input.size()), input, 2, readout, 8);
        spec.noise = noise;
        return spec;
    };
    return {program({1, 0, 1, 0, 1}, {K::Probabilities, Space::Fock}, all),
            program({0, 2, 0, 1, 1, 0}, {K::Probabilities, Space::Fock}, clicks),
            program({1, 0, 1, 0, 1, 0}, {K::Probabilities, Space::DualRail}, clicks),
            program({1, 0, 1, 0, 1, 0}, {K::Probabilities, Space::Unbunched, Grouping::Mod, 5}, all),
            program({1, 0, 2, 0, 1}, {K::ClickProbabilities, Space::Fock}, every),
            program({1, 0, 2, 0, 1}, {K::Correlators, Space::Fock}, every)};
}

inline std::string describe(const ProgramSpec& spec) {
    const NoiseSpec& noise = spec.noise;
    std::string text = std::string(space_name(spec.readout.space)) + (spec.interference ? "" : " distinguishable") +
                       " kind " + std::to_string(static_cast<int>(spec.readout.kind)) + " grouping " +
                       std::to_string(static_cast<int>(spec.readout.grouping)) + " overlap " +
                       std::to_string(noise.indistinguishability) + " g2 " + std::to_string(noise.g2) +
                       (noise.g2_distinguishable ? " apart" : " alike") +
                       (noise.detectors == Detectors::Threshold ? " clicks" : "") + " least " +
                       std::to_string(noise.min_detected) + " input";
    for (const u32 n : spec.input) text += " " + std::to_string(n);
    return text;
}

/// All elements of the interferometers, as set_interferometers() takes them.
inline std::vector<Complex> elements(const ProgramSpec& spec) {
    std::vector<Complex> all;
    for (const std::vector<Complex>& matrix : spec.interferometers) all.insert(all.end(), matrix.begin(), matrix.end());
    return all;
}

/// Light that keeps to its modes.
inline void let_straight_through(ProgramSpec& spec) {
    for (std::vector<Complex>& matrix : spec.interferometers)
        for (u32 e = 0; e < matrix.size(); ++e) matrix[e] = e % (spec.modes + 1) == 0 ? 1.0 : 0.0;
}

template <class Real>
struct Gradients {
    std::vector<Real> values;
    std::vector<double> phases;
    std::vector<Complex> interferometers;
};

template <class Real>
std::unique_ptr<Differentiator> make_differentiator(const ProgramSpec& spec, u32 threads = 1,
                                                    std::size_t limit = kGiB) {
    return Differentiator::create(std::make_shared<const ProgramSpec>(spec), kPrecision<Real>, {limit, threads});
}

template <class Real>
Gradients<Real> differentiate(Differentiator& differentiator, const ProgramSpec& spec, const double* phases,
                              const Real* cotangents, std::size_t rows) {
    Gradients<Real> out;
    out.values.resize(rows * differentiator.output_size());
    out.phases.resize(rows * spec.phases.size());
    out.interferometers.resize(spec.interferometers.size() * spec.modes * spec.modes);
    GradientBatch batch;
    batch.rows = rows;
    batch.phases = phases;
    batch.cotangents = cotangents;
    batch.values = out.values.data();
    batch.phase_gradients = out.phases.data();
    batch.interferometer_gradients = out.interferometers.data();
    differentiator.run(batch);
    return out;
}

template <class Real>
std::vector<Real> random_cotangents(std::size_t count, u64 seed) {
    Generator generator(seed);
    std::normal_distribution<double> normal;
    std::vector<Real> cotangents(count);
    for (Real& cotangent : cotangents) cotangent = static_cast<Real>(normal(generator));
    return cotangents;
}

/// No result, no derivative, no division by zero.
inline void expect_zeros(const ProgramSpec& spec) {
    const auto phases = random_phases(spec, 2, 1);
    const auto differentiator = make_differentiator<double>(spec);
    const auto cotangents = random_cotangents<double>(2 * differentiator->output_size(), 1);
    const auto gradients = differentiate(*differentiator, spec, phases.data(), cotangents.data(), 2);
    for (const double value : gradients.values) EXPECT_EQ(value, 0);
    for (const double derivative : gradients.phases) EXPECT_EQ(derivative, 0);
    for (const Complex derivative : gradients.interferometers) EXPECT_EQ(derivative, Complex(0));
}

}  // namespace photonlink::optics::test
