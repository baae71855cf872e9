// Derivatives of programs whose sources and detectors make mixtures: against finite differences, and what must not
// change a bit of them.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>

#include "gradient_differences.hpp"
#include "photonlink/optics/noise_mixture.hpp"
#include "photonlink/optics/noise_simulator.hpp"

namespace photonlink::optics::test {
namespace {

NoiseSpec detected(NoiseSpec noise, Detectors detectors, u32 min_detected) {
    noise.detectors = detectors;
    noise.min_detected = min_detected;
    return noise;
}

/// Every kind of photon in a state of its own, and of detector; few events kept, and all.
std::vector<NoiseSpec> noises() {
    const NoiseSpec overlap = noise_of(1, 1, 0.8, 0, true), none_alike = noise_of(1, 1, 0, 0, true);
    const NoiseSpec loss = noise_of(0.9, 0.6, 1, 0, true), all = noise_of(0.8, 0.6, 0.9, 0.2, true);
    const NoiseSpec alike = noise_of(0.8, 0.6, 0.9, 0.2, false);
    return {overlap,
            none_alike,
            alike,
            detected(loss, Detectors::Resolving, 1),
            detected(all, Detectors::Resolving, 2),
            detected(all, Detectors::Resolving, 0),
            detected(overlap, Detectors::Threshold, 1),
            detected(all, Detectors::Threshold, kAllPhotons),
            detected(alike, Detectors::Threshold, 0)};
}

/// Smaller than the noiseless programs: two photons may become four.
std::vector<ProgramSpec> noisy_programs() {
    std::vector<ProgramSpec> programs;
    u64 seed = 40;
    for (GradientCase at : gradient_cases()) {
        if (at.readout.space == Space::DualRail)
            at.input = {1, 0, 0, 1};
        else if (at.input.size() > 5 || at.input.front() > 2)  // five photons cannot click in three modes
            at.input = {1, 0, 1, 0};
        for (const NoiseSpec& noise : noises()) {
            ProgramSpec spec = make_program(at, 1, ++seed);
            spec.noise = noise;
            if (noise.min_detected != kAllPhotons)
                spec.noise.min_detected = std::min(noise.min_detected, spec.photons());
            for (u32 p = 0; seed % 5 == 0 && p < spec.phases.size(); ++p) spec.noise.phase_errors.push_back(0.1 * p);
            if (is_noisy(spec) && ideal_program(spec) == nullptr) programs.push_back(std::move(spec));
        }
    }
    return programs;
}

std::string describe(const ProgramSpec& spec) {
    const NoiseSpec& noise = spec.noise;
    std::string text =
        std::string(space_name(spec.readout.space)) + " kind " + std::to_string(static_cast<int>(spec.readout.kind)) +
        " grouping " + std::to_string(static_cast<int>(spec.readout.grouping)) + " overlap " +
        std::to_string(noise.indistinguishability) + " g2 " + std::to_string(noise.g2) +
        (noise.g2_distinguishable ? " apart" : " alike") + (noise.detectors == Detectors::Threshold ? " clicks" : "") +
        " least " + std::to_string(noise.min_detected) + " input";
    for (const u32 n : spec.input) text += " " + std::to_string(n);
    return text;
}

TEST(GradientNoise, EveryReadoutAgreesWithFiniteDifferences) {
    constexpr std::size_t kRows = 2;
    u64 seed = 1;
    for (const ProgramSpec& spec : noisy_programs()) {
        SCOPED_TRACE(describe(spec));
        const auto phases = random_phases(spec, kRows, ++seed);
        const auto differentiator = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<double>(kRows * differentiator->output_size(), seed);
        const auto gradients = differentiate(*differentiator, spec, phases.data(), cotangents.data(), kRows);
        const auto simulator = make_simulator<double>(spec);
        ASSERT_EQ(gradients.values, run<double>(*simulator, phases.data(), kRows));
        ASSERT_NO_FATAL_FAILURE(expect_phase_differences(*simulator, phases, kRows, cotangents, gradients.phases));
        if (seed % 4 != 0) continue;
        ASSERT_NO_FATAL_FAILURE(
            expect_matrix_differences(spec, phases, kRows, cotangents, gradients.interferometers, seed));
    }
}

TEST(GradientNoise, LargerProgramsAgreeWithFiniteDifferences) {
    const NoiseSpec all = noise_of(0.9, 0.8, 0.9, 0.05, true);
    const NoiseSpec clicks = detected(noise_of(0.9, 0.8, 0.9, 0.05, false), Detectors::Threshold, 3);
    for (const NoiseSpec& noise : {all, clicks, noise_of(1, 1, 0.9, 0, true)}) {
        ProgramSpec spec =
            random_program(9, {1, 0, 1, 0, 1, 0, 0, 1, 0}, 1, {ReadoutKind::Probabilities, Space::Unbunched}, 9);
        spec.noise = noise;
        const auto phases = random_phases(spec, 1, 5);
        const auto differentiator = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<double>(differentiator->output_size(), 6);
        const auto gradients = differentiate(*differentiator, spec, phases.data(), cotangents.data(), 1);
        expect_phase_differences(*make_simulator<double>(spec), phases, 1, cotangents, gradients.phases);
        expect_matrix_differences(spec, phases, 1, cotangents, gradients.interferometers, 7);
    }
}

/// Each space with vectors and without, closed forms, and several photons in a mode.
std::vector<ProgramSpec> few_programs() {
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

template <class Real>
Gradients<Real> in_pieces(Differentiator& differentiator, const ProgramSpec& spec, const std::vector<double>& phases,
                          const std::vector<Real>& cotangents, std::size_t rows, std::size_t piece) {
    Gradients<Real> all;
    for (std::size_t row = 0; row < rows; row += piece) {
        const auto some =
            differentiate(differentiator, spec, phases.data() + row * spec.phases.size(),
                          cotangents.data() + row * differentiator.output_size(), std::min(piece, rows - row));
        all.values.insert(all.values.end(), some.values.begin(), some.values.end());
        all.phases.insert(all.phases.end(), some.phases.begin(), some.phases.end());
    }
    return all;
}

template <class Real>
void expect_same_bits(const ProgramSpec& spec) {
    SCOPED_TRACE(describe(spec));
    constexpr std::size_t kRows = 37;  // two full groups and one of 5
    const auto phases = random_phases(spec, kRows, 8);
    const auto differentiator = make_differentiator<Real>(spec);
    const auto cotangents = random_cotangents<Real>(kRows * differentiator->output_size(), 9);
    const auto whole = differentiate(*differentiator, spec, phases.data(), cotangents.data(), kRows);
    EXPECT_EQ(run<Real>(spec, phases, kRows), whole.values);
    const Real* const none = nullptr;
    for (const std::size_t rows : {std::size_t{1}, std::size_t{2}, kRows}) {
        const auto alone = differentiate(*differentiator, spec, phases.data(), none, rows).values;
        EXPECT_TRUE(std::equal(alone.begin(), alone.end(), whole.values.begin())) << rows;
    }
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}}) {
        const auto pieces = in_pieces(*differentiator, spec, phases, cotangents, kRows, piece);
        EXPECT_EQ(pieces.values, whole.values) << piece;
        EXPECT_EQ(pieces.phases, whole.phases) << piece;
    }
    const std::size_t least = predict_gradient_bytes(spec, kPrecision<Real>);
    const auto tight = make_differentiator<Real>(spec, 1, least);
    EXPECT_EQ(tight->lanes(), 1u);
    const auto narrow = differentiate(*tight, spec, phases.data(), cotangents.data(), kRows);
    EXPECT_EQ(narrow.phases, whole.phases);
    EXPECT_EQ(narrow.interferometers, whole.interferometers);
    EXPECT_THROW(make_differentiator<Real>(spec, 1, least - 1), ProgramError);
}

TEST(GradientNoise, BatchAndMemoryDoNotChangeABit) {
    for (const std::string& profile : supported_profiles()) {
        SCOPED_TRACE(profile);
        const ForcedProfile forced(profile);
        for (const ProgramSpec& spec : few_programs()) {
            expect_same_bits<double>(spec);
            expect_same_bits<float>(spec);
        }
    }
}

TEST(GradientNoise, ThreadsDoNotChangeABit) {
    constexpr std::size_t kRows = 1413;  // enough for three threads to pay; a wave of groups, others, and one of 5
    for (const ProgramSpec& spec : few_programs()) {
        SCOPED_TRACE(describe(spec));
        const auto phases = random_phases(spec, kRows, 8);
        const auto alone = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<double>(kRows * alone->output_size(), 9);
        const auto whole = differentiate(*alone, spec, phases.data(), cotangents.data(), kRows);
        const auto threaded = make_differentiator<double>(spec, 3);
        EXPECT_EQ(threaded->threads(), 3u);
        const auto shared = differentiate(*threaded, spec, phases.data(), cotangents.data(), kRows);
        EXPECT_EQ(shared.values, whole.values);
        EXPECT_EQ(shared.phases, whole.phases);
        EXPECT_EQ(shared.interferometers, whole.interferometers);
        const double* const none = nullptr;
        EXPECT_EQ(differentiate(*threaded, spec, phases.data(), none, kRows).values, whole.values);
    }
}

TEST(GradientNoise, EveryProfileAgrees) {
    for (const ProgramSpec& spec : few_programs()) {
        SCOPED_TRACE(describe(spec));
        const auto phases = random_phases(spec, 20, 8);
        Gradients<double> first;
        for (const std::string& profile : supported_profiles()) {
            const ForcedProfile forced(profile);
            const auto differentiator = make_differentiator<double>(spec);
            EXPECT_EQ(differentiator->kernel_profile(), profile);
            const auto cotangents = random_cotangents<double>(20 * differentiator->output_size(), 9);
            const auto gradients = differentiate(*differentiator, spec, phases.data(), cotangents.data(), 20);
            if (first.phases.empty()) first = gradients;
            for (std::size_t i = 0; i < first.phases.size(); ++i)
                ASSERT_NEAR(gradients.phases[i], first.phases[i], 1e-12);
        }
    }
}

/// Single precision is that of values and cotangents: what lies between is computed in double either way.
TEST(GradientNoise, SinglePrecisionRoundsValuesOnly) {
    for (const ProgramSpec& spec : few_programs()) {
        SCOPED_TRACE(describe(spec));
        const auto phases = random_phases(spec, 5, 8);
        const auto exact = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<float>(5 * exact->output_size(), 9);
        const std::vector<double> same(cotangents.begin(), cotangents.end());
        const auto expected = differentiate(*exact, spec, phases.data(), same.data(), 5);
        const auto rounded =
            differentiate(*make_differentiator<float>(spec), spec, phases.data(), cotangents.data(), 5);
        EXPECT_EQ(rounded.phases, expected.phases);
        EXPECT_EQ(rounded.interferometers, expected.interferometers);
        EXPECT_EQ(rounded.values, std::vector<float>(expected.values.begin(), expected.values.end()));
    }
}

TEST(GradientNoise, TakesOtherInterferometers) {
    for (const ProgramSpec& spec : few_programs()) {
        ProgramSpec other = spec;
        other.interferometers = random_program(spec.modes, spec.input, 2, spec.readout, 80).interferometers;
        const auto phases = random_phases(spec, 3, 1);
        const auto differentiator = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<double>(3 * differentiator->output_size(), 2);
        const auto expected =
            differentiate(*make_differentiator<double>(other), other, phases.data(), cotangents.data(), 3);
        std::vector<Complex> matrices;
        for (const auto& matrix : other.interferometers) matrices.insert(matrices.end(), matrix.begin(), matrix.end());
        differentiator->set_interferometers(matrices.data());
        EXPECT_EQ(differentiate(*differentiator, spec, phases.data(), cotangents.data(), 3).phases, expected.phases);
        matrices[3] *= 1.1;
        EXPECT_THROW(differentiator->set_interferometers(matrices.data()), ProgramError);
    }
}

/// No result, no derivative, no division by zero: light that nobody detects, and light that cannot reach the space.
TEST(GradientNoise, IsZeroWhereNothingIsKept) {
    ProgramSpec dark = few_programs()[0], bunched = few_programs()[3];
    dark.noise.transmittance = 0;
    bunched.input = {3, 0, 0, 0, 0, 0};
    bunched.noise = noise_of(1, 1, 0.9, 0, true);
    for (auto& matrix : bunched.interferometers)
        for (u32 e = 0; e < 36; ++e) matrix[e] = e % 7 == 0 ? 1.0 : 0.0;
    for (const ProgramSpec& spec : {dark, bunched}) {
        const auto phases = random_phases(spec, 2, 1);
        const auto differentiator = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<double>(2 * differentiator->output_size(), 1);
        const auto gradients = differentiate(*differentiator, spec, phases.data(), cotangents.data(), 2);
        for (const double value : gradients.values) EXPECT_EQ(value, 0);
        for (const double derivative : gradients.phases) EXPECT_EQ(derivative, 0);
        for (const Complex derivative : gradients.interferometers) EXPECT_EQ(derivative, Complex(0));
    }
}

TEST(GradientNoise, WhatIsNotFiniteIsRefused) {
    std::vector<ProgramSpec> programs = few_programs();
    for (const u32 least : {1u, kAllPhotons}) {
        ProgramSpec dark = programs[0];
        dark.noise.transmittance = 0;
        dark.noise.min_detected = least;
        programs.push_back(dark);
    }
    for (const ProgramSpec& spec : programs) {
        SCOPED_TRACE(describe(spec));
        auto phases = random_phases(spec, 1, 1);
        const auto differentiator = make_differentiator<double>(spec);
        auto cotangents = random_cotangents<double>(differentiator->output_size(), 2);
        cotangents[2] = std::numeric_limits<double>::quiet_NaN();
        EXPECT_THROW(differentiate(*differentiator, spec, phases.data(), cotangents.data(), 1), ProgramError);
        cotangents[2] = 0;
        phases[1] = std::numeric_limits<double>::infinity();
        EXPECT_THROW(differentiate(*differentiator, spec, phases.data(), cotangents.data(), 1), ProgramError);
    }
}

/// Before anything is allocated, with the memory that it would take and what to do.
TEST(GradientNoise, TooMuchIsRefusedWithItsSize) {
    ProgramSpec spec = random_program(16, {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0}, 1,
                                      {ReadoutKind::Probabilities, Space::Fock}, 1);
    spec.noise = noise_of(1, 1, 0.9, 0.1, true);
    try {
        make_differentiator<double>(spec);
        FAIL() << "up to 16 photons in 16 modes fit into 1 GiB";
    } catch (const ProgramError& problem) {
        const std::string text = problem.what();
        EXPECT_NE(text.find(std::to_string(predict_gradient_bytes(spec, Precision::Float64))), std::string::npos)
            << text;
        EXPECT_NE(text.find("parameter shift"), std::string::npos) << text;
    }
}

/// However much memory there is.
TEST(GradientNoise, TooMuchWorkIsRefused) {
    std::vector<u32> input(26);
    for (std::size_t mode = 0; mode < input.size(); mode += 2) input[mode] = 1;
    ProgramSpec spec = random_program(26, input, 1, {ReadoutKind::Probabilities, Space::Unbunched}, 1);
    spec.noise = noise_of(1, 1, 0.9, 0, true);
    constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
    ASSERT_LT(predict_gradient_bytes(spec, Precision::Float64), kAll);
    ASSERT_GT(mixture_operations(spec, plan_noise(spec)), kMostMixtureOperations);
    EXPECT_THROW(make_differentiator<double>(spec, 1, kAll), ProgramError);
}

TEST(GradientNoise, FewerThreadsAreTakenWhereMemoryIsShort) {
    for (const ProgramSpec& spec : few_programs()) {
        SCOPED_TRACE(describe(spec));
        setenv("PHOTONLINK_THREADS", "4", 1);
        EXPECT_EQ(make_differentiator<double>(spec, 0)->threads(), 4u);
        const std::size_t least = predict_gradient_bytes(spec, Precision::Float64);
        EXPECT_EQ(make_differentiator<double>(spec, 0, least)->threads(), 1u);
        EXPECT_THROW(make_differentiator<double>(spec, 4, least), ProgramError);
        unsetenv("PHOTONLINK_THREADS");
    }
}

}  // namespace
}  // namespace photonlink::optics::test
