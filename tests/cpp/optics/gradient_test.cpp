// Derivatives against central finite differences of the simulator, which computes observables by other code.
#include "gradient_differences.hpp"

namespace photonlink::optics::test {
namespace {

TEST(Gradient, EveryReadoutAgreesWithFiniteDifferences) {
    constexpr std::size_t kRows = 3;
    u64 seed = 1;
    for (const GradientCase& at : gradient_cases()) {
        SCOPED_TRACE(describe(at));
        const ProgramSpec spec = make_program(at, 2, ++seed);
        const auto phases = random_phases(spec, kRows, seed);
        const auto differentiator = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<double>(kRows * differentiator->output_size(), seed);
        const auto gradients = differentiate(*differentiator, spec, phases.data(), cotangents.data(), kRows);

        const auto expected = run<double>(spec, phases, kRows);
        for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(gradients.values[i], expected[i], 1e-13);

        const auto simulator = make_simulator<double>(spec);
        ASSERT_NO_FATAL_FAILURE(expect_phase_differences(*simulator, phases, kRows, cotangents, gradients.phases));

        ASSERT_NO_FATAL_FAILURE(
            expect_matrix_differences(spec, phases, kRows, cotangents, gradients.interferometers, seed));
    }
}

/// Where every photon must be detected, loss decides how often that happens and nothing else; phases may be off.
TEST(Gradient, LossAndErrorsOfPhasesAgreeWithFiniteDifferences) {
    constexpr std::size_t kRows = 2;
    u64 seed = 300;
    for (const GradientCase& at : gradient_cases()) {
        SCOPED_TRACE(describe(at));
        ProgramSpec spec = make_program(at, 1, ++seed);
        spec.noise.brightness = 0.9;
        spec.noise.transmittance = 0.6;
        for (u32 p = 0; seed % 2 == 0 && p < spec.phases.size(); ++p) spec.noise.phase_errors.push_back(0.1 * p - 0.2);
        if (at.readout.space != Space::Fock) spec.noise.detectors = Detectors::Threshold;
        const auto phases = random_phases(spec, kRows, seed);
        const auto differentiator = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<double>(kRows * differentiator->output_size(), seed);
        const auto gradients = differentiate(*differentiator, spec, phases.data(), cotangents.data(), kRows);
        const auto simulator = make_simulator<double>(spec);
        EXPECT_EQ(gradients.values, run<double>(*simulator, phases.data(), kRows));
        ASSERT_NO_FATAL_FAILURE(expect_phase_differences(*simulator, phases, kRows, cotangents, gradients.phases));
    }
}

TEST(Gradient, SinglePrecisionAgreesWithDouble) {
    constexpr std::size_t kRows = 20;
    u64 seed = 100;
    for (const GradientCase& at : gradient_cases()) {
        SCOPED_TRACE(describe(at));
        const ProgramSpec spec = make_program(at, 1, ++seed);
        const auto phases = random_phases(spec, kRows, seed);
        const auto exact = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<float>(kRows * exact->output_size(), seed);
        const std::vector<double> same(cotangents.begin(), cotangents.end());
        const auto expected = differentiate(*exact, spec, phases.data(), same.data(), kRows);
        const auto rounded =
            differentiate(*make_differentiator<float>(spec), spec, phases.data(), cotangents.data(), kRows);
        for (std::size_t i = 0; i < expected.values.size(); ++i)
            ASSERT_NEAR(rounded.values[i], expected.values[i], 2e-6);
        for (std::size_t i = 0; i < expected.phases.size(); ++i)
            ASSERT_NEAR(rounded.phases[i], expected.phases[i], 3e-5);
        for (std::size_t i = 0; i < expected.interferometers.size(); ++i)
            ASSERT_LT(std::abs(rounded.interferometers[i] - expected.interferometers[i]), 2e-4);
    }
}

TEST(Gradient, LargerProgramsAgreeWithFiniteDifferences) {
    struct Size {
        u32 modes, photons;
        Space space;
    };
    for (const Size size : {Size{9, 5, Space::Fock}, Size{12, 6, Space::Unbunched}, Size{12, 6, Space::DualRail}}) {
        std::vector<u32> input(size.modes);
        for (u32 p = 0; p < size.photons; ++p) input[p * size.modes / size.photons] = 1;
        const ProgramSpec spec =
            random_program(size.modes, input, 1, {ReadoutKind::Probabilities, size.space}, size.modes);
        const auto phases = random_phases(spec, 1, 5);
        const auto differentiator = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<double>(differentiator->output_size(), 6);
        const auto gradients = differentiate(*differentiator, spec, phases.data(), cotangents.data(), 1);
        expect_phase_differences(*make_simulator<double>(spec), phases, 1, cotangents, gradients.phases);
    }
}

/// Light that cannot reach the space.
TEST(Gradient, IsZeroWhereTheSpaceHasNoProbability) {
    ProgramSpec spec = random_program(4, {2, 0, 0, 0}, 1, {ReadoutKind::Probabilities, Space::Unbunched}, 1);
    let_straight_through(spec);
    expect_zeros(spec);
}

}  // namespace
}  // namespace photonlink::optics::test
