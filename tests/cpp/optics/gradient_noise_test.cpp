// Derivatives of programs whose sources and detectors make mixtures: against finite differences, and what is refused.
#include <algorithm>
#include <limits>
#include <string>

#include "gradient_differences.hpp"
#include "photonlink/optics/noise_mixture.hpp"
#include "photonlink/optics/noise_simulator.hpp"

namespace photonlink::optics::test {
namespace {

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

/// Single precision is that of values and cotangents: what lies between is computed in double either way.
TEST(GradientNoise, SinglePrecisionRoundsValuesOnly) {
    for (const ProgramSpec& spec : few_noisy_programs()) {
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

/// Light that nobody detects, and light that cannot reach the space.
TEST(GradientNoise, IsZeroWhereNothingIsKept) {
    ProgramSpec dark = few_noisy_programs()[0], bunched = few_noisy_programs()[3];
    dark.noise.transmittance = 0;
    expect_zeros(dark);
    bunched.input = {3, 0, 0, 0, 0, 0};
    bunched.noise = noise_of(1, 1, 0.9, 0, true);
    let_straight_through(bunched);
    expect_zeros(bunched);
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

}  // namespace
}  // namespace photonlink::optics::test
