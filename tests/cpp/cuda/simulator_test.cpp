// The owner of a simulated processor on a runtime made of threads: results, streams, graphs, failures and its end. The
// address sanitizer watches what kernels touch.
#include <cmath>

#include "simulator_testing.hpp"

namespace photonlink::cuda::test {
namespace {

/// A batch in memory of its own.
struct Problem : BatchOfFeatures {
    Problem(ProgramSpec program, u64 batch_rows, u64 seed)
        : BatchOfFeatures(std::move(program), batch_rows, seed),
          out(rows * optics::output_size(spec), -7.0),
          kept(rows, -1.0),
          statuses(rows, 77) {}

    SimulatedBatch batch() {
        return {{features.data(), sizeof(double), phases(), out.data(), outputs(), statuses.data(), rows},
                kept.data(),
                nullptr};
    }
    void expect_results() const {
        const std::vector<double> expected = run<double>(spec, features, rows);
        ASSERT_EQ(out.size(), expected.size());
        for (std::size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 1e-12) << "output " << i;
        for (const u32 status : statuses) EXPECT_EQ(status, static_cast<u32>(CallStatus::Ok));
    }

    std::vector<double> out;
    std::vector<double> kept;
    std::vector<u32> statuses;
};

class CudaSimulator : public CudaLink {};

TEST_F(CudaSimulator, ThreadsOnStreamsOfTheirOwnGetTheirResults) {
    const u64 before = fake::live();
    {
        const Problem first(small_program(), 1, 1);
        Simulator simulator(first.config());
        EXPECT_EQ(simulator.output_size(), 20u);
        EXPECT_EQ(simulator.basis_size(), 20u);
        std::atomic<u64> rows{0};
        std::vector<std::thread> threads;
        for (u64 seed = 0; seed < 3; ++seed)
            threads.emplace_back([&simulator, &rows, seed] {
                const UserStream stream;
                for (u64 round = 0; round < 3; ++round) {
                    Problem problem(small_program(), 1 + (seed * 7 + round * 3) % 12, seed * 10 + round);
                    rows += problem.rows;
                    simulator.infer(problem.batch(), stream);
                    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
                    problem.expect_results();
                }
            });
        for (std::thread& thread : threads) thread.join();
        EXPECT_FALSE(simulator.take_failure().has_value());
        EXPECT_EQ(simulator.executed(), rows);
        EXPECT_TRUE(simulator.close(kPatience));
        EXPECT_TRUE(simulator.close(kPatience));
        EXPECT_THROW(simulator.infer(Problem(first).batch(), nullptr), CudaError);
    }
    expect_nothing_left(before);
}

TEST_F(CudaSimulator, SmallMemoryMeansSmallTilesAndTheSameBits) {
    for (const ReadoutSpec& readout :
         {ReadoutSpec{ReadoutKind::Probabilities, Space::Fock}, ReadoutSpec{ReadoutKind::Correlators, Space::Fock},
          ReadoutSpec{ReadoutKind::ClickPatterns, Space::Fock}}) {
        Problem problem(small_program(readout), 11, 3);
        const SimulatorConfig config = problem.config();
        const u64 three = predict_simulator_bytes(config.program, config.precision, 0, 3);
        const UserStream stream;
        Simulator tiled(problem.config(three));
        EXPECT_EQ(tiled.tile_rows(), 3u);
        EXPECT_LE(tiled.memory_bytes(), three);
        tiled.infer(problem.batch(), stream);
        ASSERT_TRUE(tiled.synchronize(stream, kPatience));
        problem.expect_results();
        const std::vector<double> in_tiles = problem.out;
        Simulator whole(problem.config());
        EXPECT_GE(whole.tile_rows(), 11u);
        whole.infer(problem.batch(), stream);
        ASSERT_TRUE(whole.synchronize(stream, kPatience));
        EXPECT_EQ(problem.out, in_tiles);
        EXPECT_EQ(tiled.executed(), 11u);
    }
}

TEST_F(CudaSimulator, ALargeSpaceIsComputedTaskByTask) {
    Problem problem(large_program(), 2, 3);
    Simulator simulator(problem.config());
    EXPECT_EQ(simulator.basis_size(), 75582u);
    const UserStream stream;
    simulator.infer(problem.batch(), stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    problem.expect_results();
}

TEST_F(CudaSimulator, ADatapointThatDoesNotFitComesInTilesOfStatesAndTheSameBits) {
    constexpr u64 kStates = 12870;
    Problem problem(random_program(16, {1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0}, 1,
                                   {ReadoutKind::Correlators, Space::Unbunched}, 5),
                    2, 3);
    const SimulatorConfig config = problem.config();
    const u64 one = predict_simulator_bytes(config.program, config.precision, 0, 1);
    EXPECT_GE(plan_sizes(problem.config(one), 0).tile_states, kStates);
    const SimulatorSizes sizes = plan_sizes(problem.config(one - 1), 0);
    EXPECT_LT(sizes.tile_states, kStates);
    EXPECT_LT(sizes.bytes, one);
    const UserStream stream;
    Simulator whole(config);
    whole.infer(problem.batch(), stream);
    ASSERT_TRUE(whole.synchronize(stream, kPatience));
    problem.expect_results();
    const std::vector<double> expected = problem.out, kept = problem.kept;
    Simulator tiled(problem.config(one - 1));
    EXPECT_EQ(tiled.memory_bytes(), sizes.bytes);
    tiled.infer(problem.batch(), stream);
    ASSERT_TRUE(tiled.synchronize(stream, kPatience));
    EXPECT_EQ(problem.out, expected);
    EXPECT_EQ(problem.kept, kept);
}

TEST_F(CudaSimulator, AReplayedGraphDrawsNewSamples) {
    Problem& problem = *keep(new Problem(small_program(), 2, 3));
    SimulatorConfig config = problem.config();
    config.shots = 50;
    config.seed = 9;
    Simulator& simulator = *keep(new Simulator(config));
    const UserStream stream;
    fake::begin_capture(stream);
    simulator.infer(problem.batch(), stream);
    const fake::Graph graph = fake::end_capture(stream);
    EXPECT_EQ(simulator.executed(), 0u);
    std::vector<u64> ids = {0, 1};
    for (u64 replay = 0; replay < 3; ++replay) {
        fake::replay(graph, stream);
        ASSERT_TRUE(simulator.synchronize(stream, kPatience));
        RunOptions options;
        options.shots = config.shots;
        options.seed = config.seed;
        options.ids = ids.data();
        const std::vector<double> expected = run<double>(problem.spec, problem.features, 2, options);
        for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(problem.out[i], expected[i], 1e-12);
        for (u64& id : ids) id += 2;
    }
    EXPECT_EQ(simulator.executed(), 6u);
    EXPECT_FALSE(simulator.close(kPatience));  // the graph may be replayed whenever its owner likes
    fake::replay(graph, stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    EXPECT_EQ(simulator.executed(), 8u);
}

TEST_F(CudaSimulator, TheFirstFailureIsHandedOutOnceAlsoAfterClosing) {
    Problem problem(small_program(), 5, 3);
    problem.features[problem.spec.phases.size() * 3] = std::nan("");
    Simulator simulator(problem.config());
    const UserStream stream;
    simulator.infer(problem.batch(), stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    EXPECT_EQ(problem.statuses[3], static_cast<u32>(CallStatus::BadFeature));
    EXPECT_TRUE(std::isnan(problem.out[3 * 20]));
    EXPECT_TRUE(std::isnan(problem.kept[3]));
    EXPECT_TRUE(simulator.close(kPatience));
    const auto failure = simulator.take_failure();
    ASSERT_TRUE(failure.has_value());
    EXPECT_EQ(failure->row, 3u);
    EXPECT_FALSE(simulator.take_failure().has_value());
    EXPECT_EQ(simulator.executed(), 5u);
}

TEST_F(CudaSimulator, OtherInterferometersTakeTheirPlace) {
    Problem problem(small_program(), 3, 3);
    Simulator simulator(problem.config());
    const UserStream stream;
    simulator.infer(problem.batch(), stream);
    problem.spec.interferometers = small_program({}, 6).interferometers;
    simulator.set_interferometers(problem.spec.interferometers);
    simulator.infer(problem.batch(), stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    problem.expect_results();
    auto broken = problem.spec.interferometers;
    broken[1][0] *= 2.0;
    EXPECT_THROW(simulator.set_interferometers(broken), optics::ProgramError);
    broken.pop_back();
    EXPECT_THROW(simulator.set_interferometers(broken), optics::ProgramError);
}

TEST_F(CudaSimulator, WhatCannotBeSimulatedIsRefusedBeforeAnythingIsAllocated) {
    const u64 before = fake::live();
    Problem problem(small_program(), 1, 3);
    const auto refused = [&](const SimulatorConfig& config, const std::string& word) {
        try {
            const Simulator simulator(config);
            FAIL() << "not refused: " << word;
        } catch (const std::invalid_argument& error) {
            EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
        }
    };
    refused(problem.config(4096), "limit is 4096 bytes");
    SimulatorConfig config = problem.config();
    config.encoding = nullptr;
    refused(config, "encoding");
    config = problem.config();
    config.program.phases.pop_back();
    refused(config, "phases");
    config = problem.config();
    config.program.noise.transmittance = 0.5;
    refused(config, "noise");
    config = problem.config();
    config.program.readout = {ReadoutKind::Samples, Space::Fock};
    refused(config, "samples readout");
    EXPECT_EQ(fake::live(), before);
    Simulator simulator(problem.config());
    SimulatedBatch batch = problem.batch();
    batch.rows.feature_bytes = 2;
    EXPECT_THROW(simulator.infer(batch, nullptr), std::invalid_argument);
    batch = problem.batch();
    batch.rows.out = nullptr;
    EXPECT_THROW(simulator.infer(batch, nullptr), std::invalid_argument);
    batch = problem.batch();
    batch.rows.rows = 0;
    simulator.infer(batch, nullptr);
    EXPECT_EQ(problem.out[0], -7.0);
}

}  // namespace
}  // namespace photonlink::cuda::test
