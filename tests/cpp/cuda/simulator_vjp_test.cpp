// Derivatives by the owner of a simulated processor on a runtime made of threads, against the CPU's Differentiator. The
// address sanitizer watches what kernels touch.
#include "../optics/gradient_programs.hpp"
#include "simulator_testing.hpp"

namespace photonlink::cuda::test {
namespace {

using optics::Complex;

constexpr double kTolerance = 1e-11;

/// A batch with its results in memory of its own.
struct Problem : BatchOfFeatures {
    Problem(ProgramSpec program, u64 batch_rows, u64 seed)
        : BatchOfFeatures(std::move(program), batch_rows, seed),
          cotangents(random_cotangents<double>(rows * optics::output_size(spec), seed)) {
        found.values.resize(cotangents.size(), -7.0);
        found.phases.resize(features.size(), -7.0);
        found.interferometers.resize(spec.interferometers.size() * spec.modes * spec.modes, Complex{-7.0});
    }

    VjpBatch batch() {
        return {{features.data(), sizeof(double), phases()},
                rows,
                cotangents.data(),
                found.values.data(),
                found.phases.data(),
                reinterpret_cast<optics::gpu::Complex64*>(found.interferometers.data())};
    }
    void expect_results() const {
        const auto differentiator = make_differentiator<double>(spec);
        const auto expected = differentiate(*differentiator, spec, features.data(), cotangents.data(), rows);
        for (std::size_t i = 0; i < expected.values.size(); ++i)
            ASSERT_NEAR(found.values[i], expected.values[i], kTolerance) << "value " << i;
        for (std::size_t i = 0; i < expected.phases.size(); ++i)
            ASSERT_NEAR(found.phases[i], expected.phases[i], kTolerance) << "phase " << i;
        for (std::size_t i = 0; i < expected.interferometers.size(); ++i)
            ASSERT_NEAR(std::abs(found.interferometers[i] - expected.interferometers[i]), 0, kTolerance * 10)
                << "element " << i;
    }

    std::vector<double> cotangents;
    Gradients<double> found;
};

class CudaSimulatorVjp : public CudaLink {};

TEST_F(CudaSimulatorVjp, AgreesWithTheCpuForEveryGatherAndForClosedForms) {
    for (const ReadoutSpec& readout :
         {ReadoutSpec{ReadoutKind::Probabilities, Space::Unbunched},
          ReadoutSpec{ReadoutKind::Probabilities, Space::DualRail},
          ReadoutSpec{ReadoutKind::ClickPatterns, Space::Fock}, ReadoutSpec{ReadoutKind::Correlators, Space::Unbunched},
          ReadoutSpec{ReadoutKind::Correlators, Space::Fock},
          ReadoutSpec{ReadoutKind::ClickProbabilities, Space::Fock}}) {
        Problem problem(small_program(readout), 11, 3);
        const UserStream stream;
        Simulator simulator(problem.config());
        simulator.vjp(problem.batch(), stream);
        ASSERT_TRUE(simulator.synchronize(stream, kPatience));
        problem.expect_results();
        EXPECT_EQ(simulator.executed(), 11u);
        EXPECT_FALSE(simulator.take_failure().has_value());
        EXPECT_TRUE(simulator.close(kPatience));
    }
}

TEST_F(CudaSimulatorVjp, LargeSpacesAgreeWithTheCpu) {
    Problem problem(large_program(), 1, 3);
    const UserStream stream;
    Simulator simulator(problem.config());
    simulator.vjp(problem.batch(), stream);
    ASSERT_TRUE(simulator.synchronize(stream, 10 * kPatience));
    problem.expect_results();
}

TEST_F(CudaSimulatorVjp, SinglePrecisionAgreesWithTheCpu) {
    constexpr double kSingleTolerance = 1e-5;
    Problem problem(small_program(), 5, 4);
    std::vector<float> cotangents(problem.cotangents.begin(), problem.cotangents.end());
    problem.cotangents.assign(cotangents.begin(), cotangents.end());
    SimulatorConfig config = problem.config();
    config.precision = optics::Precision::Float32;
    VjpBatch batch = problem.batch();
    batch.cotangents = cotangents.data();
    batch.values = nullptr;
    const UserStream stream;
    Simulator simulator(config);
    simulator.vjp(batch, stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    const auto differentiator = make_differentiator<double>(problem.spec);
    const auto expected =
        differentiate(*differentiator, problem.spec, problem.features.data(), problem.cotangents.data(), problem.rows);
    for (std::size_t i = 0; i < expected.phases.size(); ++i)
        ASSERT_NEAR(problem.found.phases[i], expected.phases[i], kSingleTolerance) << "phase " << i;
}

TEST_F(CudaSimulatorVjp, SmallMemoryMeansSmallTilesAndTheSameBits) {
    Problem problem(small_program({ReadoutKind::Probabilities, Space::Fock}), 11, 3);
    const SimulatorConfig config = problem.config();
    const UserStream stream;
    Simulator roomy(config);
    roomy.vjp(problem.batch(), stream);
    ASSERT_TRUE(roomy.synchronize(stream, kPatience));
    const Gradients<double> at_once = problem.found;
    // Three rows, and what alignment may take.
    const optics::gpu::VjpPlan plan(config.program, config.precision, 0);
    Simulator simulator(
        problem.config(roomy.memory_bytes() + plan.table_bytes() + 3 * plan.row_bytes() + (u64{16} << 10)));
    simulator.vjp(problem.batch(), stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    EXPECT_EQ(problem.found.phases, at_once.phases);
    EXPECT_EQ(problem.found.interferometers, at_once.interferometers);
}

TEST_F(CudaSimulatorVjp, CapturedCallsReplayWithNewInterferometersAndCotangents) {
    Problem problem(small_program(), 4, 3);
    Simulator& simulator = *keep(new Simulator(problem.config()));
    const UserStream stream;
    fake::begin_capture(stream);
    simulator.vjp(problem.batch(), stream);
    const fake::Graph graph = fake::end_capture(stream);
    problem.spec.interferometers = random_program(6, {1, 0, 1, 0, 1, 0}, 2, problem.spec.readout, 6).interferometers;
    simulator.set_interferometers(problem.spec.interferometers);
    for (double& cotangent : problem.cotangents) cotangent *= -3;  // in place
    fake::replay(graph, stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    problem.expect_results();
}

TEST_F(CudaSimulatorVjp, RefusesWhatItCannotDo) {
    Problem problem(small_program(), 2, 3);
    SimulatorConfig config = problem.config();
    Simulator simulator(config);
    VjpBatch batch = problem.batch();
    batch.cotangents = nullptr;
    EXPECT_THROW(simulator.vjp(batch, nullptr), std::invalid_argument);
    batch = problem.batch();
    batch.features.bytes = 2;
    EXPECT_THROW(simulator.vjp(batch, nullptr), std::invalid_argument);
    config.shots = 10;
    Simulator sampling(config);
    EXPECT_THROW(sampling.vjp(problem.batch(), nullptr), std::invalid_argument);
    config.shots = 0;
    config.memory_limit = predict_simulator_bytes(config.program, config.precision, 0, 1);
    Simulator tight(config);
    EXPECT_THROW(tight.vjp(problem.batch(), UserStream()), optics::ProgramError);
}

TEST_F(CudaSimulatorVjp, WhatIsNotAskedForIsNotTouched) {
    Problem problem(small_program(), 3, 3);
    const UserStream stream;
    Simulator simulator(problem.config());
    VjpBatch batch = problem.batch();
    batch.values = nullptr;
    batch.interferometer_gradients = nullptr;
    simulator.vjp(batch, stream);
    batch = problem.batch();
    batch.rows = 0;
    batch.phase_gradients = nullptr;
    simulator.vjp(batch, stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    EXPECT_EQ(problem.found.values, std::vector<double>(problem.found.values.size(), -7.0));
    EXPECT_EQ(simulator.executed(), 0u);
    for (const Complex sum : problem.found.interferometers) EXPECT_EQ(sum, Complex{0});  // of no rows
}

}  // namespace
}  // namespace photonlink::cuda::test
