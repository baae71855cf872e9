// Sampled calls by the owner of a simulated processor on a runtime made of threads: the states behind their results,
// drawn from a distribution and without one, are the CPU's. The address sanitizer watches what kernels touch.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "simulator_testing.hpp"

namespace photonlink::cuda::test {
namespace {

using optics::Grouping;
using optics::Precision;

constexpr u64 kSeed = 9;
constexpr u32 kShots = 15;
constexpr const char* kByDistribution = "inverse_cdf";
constexpr const char* kWithoutDistribution = "clifford_clifford_2017";

/// A sampled batch in memory of its own.
struct Problem : BatchOfFeatures {
    Problem(ProgramSpec program, u64 batch_rows, u64 seed)
        : BatchOfFeatures(std::move(program), batch_rows, seed),
          out(rows * optics::output_size(spec) + 1, -7.0),
          kept(rows, -1.0),
          statuses(rows, 77),
          states(rows * kShots, ~0u) {}

    SimulatorConfig config(u64 limit) const {
        SimulatorConfig config = BatchOfFeatures::config(limit);
        config.seed = kSeed;
        config.shots = kShots;
        return config;
    }
    /// A limit that a distribution does not fit into, and shots of two rows do.
    u64 tight() const { return predict_simulator_bytes(spec, Precision::Float64, kShots, 2); }

    SimulatedBatch batch() {
        return {{features.data(), sizeof(double), phases(), out.data(), outputs(), statuses.data(), rows},
                kept.data(),
                states.data()};
    }

    /// What the CPU gives for datapoints first_id.., with the same sampler.
    void expect_results(const char* sampler, u64 first_id = 0) const {
        const std::size_t limit =
            sampler == kByDistribution ? kGiB : optics::predict_bytes(spec, Precision::Float64, true);
        const auto cpu =
            optics::Simulator::create(std::make_shared<const ProgramSpec>(spec), Precision::Float64, limit, true, 1);
        ASSERT_STREQ(cpu->sampler(), sampler);
        std::vector<u64> ids(rows);
        std::iota(ids.begin(), ids.end(), first_id);
        std::vector<optics::RowReport> reports(rows);
        RunOptions options;
        options.shots = kShots;
        options.seed = kSeed;
        options.ids = ids.data();
        options.reports = reports.data();
        const std::vector<double> expected = run<double>(*cpu, features.data(), rows, options);
        for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(out[i], expected[i], 1e-12) << "output " << i;
        for (u64 row = 0; row < rows; ++row) {
            EXPECT_EQ(statuses[row], static_cast<u32>(CallStatus::Ok));
            EXPECT_NEAR(kept[row], reports[row].kept_fraction, 1e-12);
            EXPECT_EQ(sorted_states(row), states_of(reports[row])) << "row " << row;
        }
        EXPECT_EQ(out.back(), -7.0);
    }

    std::vector<u32> sorted_states(u64 row) const {
        std::vector<u32> own(states.begin() + row * kShots, states.begin() + (row + 1) * kShots);
        std::sort(own.begin(), own.end());
        return own;
    }
    static std::vector<u32> states_of(const optics::RowReport& report) {
        std::vector<u32> all;
        for (std::size_t entry = 0; entry < report.counts.size(); ++entry)
            all.insert(all.end(), report.counts[entry], report.state_index[entry]);
        return all;
    }

    std::vector<double> out;
    std::vector<double> kept;
    std::vector<u32> statuses;
    std::vector<u32> states;
};

ProgramSpec program(ReadoutSpec readout, u64 seed = 5) {
    return random_program(10, {1, 0, 1, 0, 1, 0, 1, 0, 0, 0}, 2, readout, seed);
}

const ReadoutSpec kReadouts[] = {
    {ReadoutKind::Probabilities, Space::Fock},
    {ReadoutKind::Probabilities, Space::Unbunched, Grouping::Lex, 6},
    {ReadoutKind::Probabilities, Space::Fock, Grouping::Mod, 5},
    {ReadoutKind::ModeExpectations, Space::Unbunched},
    {ReadoutKind::Correlators, Space::Fock},
    {ReadoutKind::ClickPatterns, Space::Fock},
    {ReadoutKind::ClickProbabilities, Space::Fock},
    {ReadoutKind::Samples, Space::Unbunched},
};

class CudaShots : public CudaLink {};

TEST_F(CudaShots, EveryReadoutHandsOutTheStatesBehindIt) {
    const UserStream stream;
    for (const ReadoutSpec& readout : kReadouts) {
        SCOPED_TRACE(&readout - kReadouts);
        Problem problem(program(readout), 3, 3);
        for (const bool distribution : {true, false}) {
            Simulator simulator(problem.config(distribution ? kGiB : problem.tight()));
            const char* const sampler = distribution ? kByDistribution : kWithoutDistribution;
            ASSERT_STREQ(simulator.sampler(), sampler);
            EXPECT_EQ(simulator.output_size(), optics::output_size(problem.spec));
            EXPECT_EQ(simulator.tile_rows() == 2, !distribution);
            simulator.infer(problem.batch(), stream);
            ASSERT_TRUE(simulator.synchronize(stream, kPatience));
            problem.expect_results(sampler);
            EXPECT_EQ(simulator.executed(), 3u);
        }
    }
}

TEST_F(CudaShots, ALargeSpaceIsSampledWithoutItsDistribution) {
    std::vector<u32> input(24);
    for (u32 p = 0; p < 10; ++p) input[2 * p] = 1;  // 92 561 040 states
    Problem problem(random_program(24, input, 1, {ReadoutKind::Correlators, Space::Fock}, 3), 1, 4);
    SimulatorConfig config = problem.config(u64{1} << 20);
    Simulator simulator(config);
    EXPECT_LE(simulator.memory_bytes(), config.memory_limit);
    const UserStream stream;
    simulator.infer(problem.batch(), stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    problem.expect_results(kWithoutDistribution);
}

TEST_F(CudaShots, AReplayedGraphDrawsNewShots) {
    Problem& problem = *keep(new Problem(program({ReadoutKind::ModeExpectations, Space::Fock}), 3, 3));
    Simulator& simulator = *keep(new Simulator(problem.config(problem.tight())));
    const UserStream stream;
    fake::begin_capture(stream);
    simulator.infer(problem.batch(), stream);
    const fake::Graph graph = fake::end_capture(stream);
    for (u64 replay = 0; replay < 2; ++replay) {
        fake::replay(graph, stream);
        ASSERT_TRUE(simulator.synchronize(stream, kPatience));
        problem.expect_results(kWithoutDistribution, 3 * replay);
    }
    EXPECT_EQ(simulator.executed(), 6u);
}

TEST_F(CudaShots, OtherInterferometersTakeTheirPlace) {
    Problem problem(program({ReadoutKind::ModeExpectations, Space::Fock}), 3, 3);
    Simulator simulator(problem.config(problem.tight()));
    problem.spec.interferometers = program({}, 6).interferometers;
    simulator.set_interferometers(problem.spec.interferometers);
    const UserStream stream;
    simulator.infer(problem.batch(), stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    problem.expect_results(kWithoutDistribution);
}

/// Every photon leaves through the mode that it came in by.
ProgramSpec straight_program(Space space) {
    ProgramSpec spec = random_program(10, {4, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, {ReadoutKind::ModeExpectations, space}, 2);
    for (auto& matrix : spec.interferometers) {
        std::fill(matrix.begin(), matrix.end(), optics::Complex(0));
        for (u32 i = 0; i < spec.modes; ++i) matrix[i * spec.modes + i] = 1;
    }
    return spec;
}

TEST_F(CudaShots, ARowOfWhichNothingCanBeKeptFails) {
    Problem problem(straight_program(Space::Unbunched), 2, 3);
    problem.spec.interference = false;  // quicker to draw
    problem.features[0] = std::nan("");
    Simulator simulator(problem.config(problem.tight()));
    ASSERT_STREQ(simulator.sampler(), kWithoutDistribution);
    const UserStream stream;
    simulator.infer(problem.batch(), stream);
    ASSERT_TRUE(simulator.synchronize(stream, kPatience));
    EXPECT_EQ(problem.statuses[0], static_cast<u32>(CallStatus::BadFeature));
    EXPECT_TRUE(std::isnan(problem.kept[0]));
    EXPECT_EQ(problem.statuses[1], static_cast<u32>(CallStatus::Refused));
    EXPECT_EQ(problem.kept[1], 0.0);
    EXPECT_TRUE(std::isnan(problem.out[10]));
    ASSERT_TRUE(simulator.take_failure().has_value());
}

TEST_F(CudaShots, WhatCannotBeSampledIsRefused) {
    const auto refused = [](const SimulatorConfig& config, const std::string& word) {
        try {
            const Simulator simulator(config);
            FAIL() << "not refused: " << word;
        } catch (const std::invalid_argument& error) {
            EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
        }
    };
    std::vector<u32> input(40);
    std::fill_n(input.begin(), 20, 1u);
    const Problem many(random_program(40, input, 1, {ReadoutKind::Samples, Space::Fock}, 1), 1, 3);
    refused(many.config(kGiB), "at most 2^32");
    Problem wide(program({ReadoutKind::ModeExpectations, Space::Fock}), 1, 3);
    refused(wide.config(1 << 14), "use a samples readout");
    SimulatorConfig config = wide.config(kGiB);
    config.shots = 0;
    Simulator exact(config);
    EXPECT_THROW(exact.infer(wide.batch(), nullptr), std::invalid_argument);
    Simulator sampled(wide.config(wide.tight()));
    EXPECT_THROW(sampled.vjp({{wide.features.data(), 8, 10}, 1, wide.out.data(), nullptr, nullptr, nullptr}, nullptr),
                 std::invalid_argument);
}

}  // namespace
}  // namespace photonlink::cuda::test
