// What the tests of gradients share: programs of every readout, and a plain way to run a Differentiator.
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

}  // namespace photonlink::optics::test
