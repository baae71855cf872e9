// A datapoint's bits depend on the datapoint, not on the company it was computed in.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "programs.hpp"

namespace photonlink::optics {
namespace {

using namespace test;

constexpr std::size_t kRows = 67;

struct Case {
    ReadoutKind kind;
    Space space;
    Grouping grouping;
    bool interference;
    u32 shots;
};

const Case kCases[] = {
    {ReadoutKind::Probabilities, Space::Fock, Grouping::None, true, 0},
    {ReadoutKind::Probabilities, Space::Fock, Grouping::None, false, 0},
    {ReadoutKind::Probabilities, Space::Unbunched, Grouping::None, true, 0},
    {ReadoutKind::Probabilities, Space::DualRail, Grouping::Lex, true, 0},
    {ReadoutKind::Correlators, Space::Unbunched, Grouping::None, true, 0},
    {ReadoutKind::Correlators, Space::Fock, Grouping::None, true, 0},
    {ReadoutKind::ClickProbabilities, Space::Fock, Grouping::None, true, 0},
    {ReadoutKind::Probabilities, Space::Unbunched, Grouping::Mod, true, 25},
};

ProgramSpec program_of(const Case& test_case) {
    ReadoutSpec readout{test_case.kind, test_case.space, test_case.grouping,
                        test_case.grouping == Grouping::None ? 0u : 3u};
    ProgramSpec spec = random_program(8, {1, 0, 1, 0, 2, 0, 0, 0}, 2, readout, 21);
    spec.interference = test_case.interference;
    return spec;
}

template <class Real>
void expect_same_bits(const Case& test_case) {
    const ProgramSpec spec = program_of(test_case);
    const auto simulator = make_simulator<Real>(spec);
    const std::vector<double> phases = random_phases(spec, kRows, 22);
    std::vector<u64> ids(kRows);
    std::iota(ids.begin(), ids.end(), u64{1} << 35);
    RunOptions options;
    options.shots = test_case.shots;
    options.seed = 9;
    options.ids = ids.data();
    const std::vector<Real> whole = run<Real>(*simulator, phases.data(), kRows, options);
    const std::size_t width = simulator->output_size();
    for (std::size_t batch = 1; batch <= kRows; ++batch)
        for (std::size_t first = 0; first < kRows; first += batch) {
            const std::size_t rows = std::min(batch, kRows - first);
            options.ids = ids.data() + first;
            const std::vector<Real> part =
                run<Real>(*simulator, phases.data() + first * spec.phases.size(), rows, options);
            ASSERT_EQ(std::memcmp(part.data(), whole.data() + first * width, rows * width * sizeof(Real)), 0)
                << "batch " << batch << ", first row " << first;
        }
}

TEST(Invariance, AnyBatchGivesTheSameBits) {
    for_each_profile([&](const std::string&) {
        for (const Case& test_case : kCases) {
            SCOPED_TRACE("case " + std::to_string(&test_case - kCases));
            expect_same_bits<float>(test_case);
            expect_same_bits<double>(test_case);
        }
    });
}

TEST(Invariance, AnyOrderGivesTheSameBits) {
    const ProgramSpec spec = program_of(kCases[7]);
    const auto simulator = make_simulator<float>(spec);
    const std::size_t sites = spec.phases.size(), width = simulator->output_size();
    const std::vector<double> phases = random_phases(spec, kRows, 5);
    std::vector<u64> order(kRows);
    std::iota(order.begin(), order.end(), 0u);
    RunOptions options;
    options.shots = 100;
    options.ids = order.data();
    const std::vector<float> straight = run<float>(*simulator, phases.data(), kRows, options);
    Generator generator(6);
    std::shuffle(order.begin(), order.end(), generator);
    std::vector<double> shuffled;
    for (const u64 row : order)
        shuffled.insert(shuffled.end(), phases.begin() + row * sites, phases.begin() + (row + 1) * sites);
    const std::vector<float> mixed = run<float>(*simulator, shuffled.data(), kRows, options);
    for (std::size_t at = 0; at < kRows; ++at)
        EXPECT_EQ(std::memcmp(&mixed[at * width], &straight[order[at] * width], width * sizeof(float)), 0);
}

TEST(Invariance, FewerLanesUnderAMemoryLimitGiveTheSameBits) {
    const ProgramSpec spec = program_of(kCases[0]);
    const std::vector<double> phases = random_phases(spec, kRows, 7);
    const auto roomy = make_simulator<float>(spec);
    const auto tight = make_simulator<float>(spec, predict_bytes(spec, Precision::Float32));
    EXPECT_LT(tight->memory_bytes(), roomy->memory_bytes());
    EXPECT_LT(tight->preferred_batch(), roomy->preferred_batch());
    EXPECT_EQ(run<float>(*tight, phases.data(), kRows), run<float>(*roomy, phases.data(), kRows));
}

TEST(Invariance, NullRowsAreSkipped) {
    const ProgramSpec spec = program_of(kCases[2]);
    const auto simulator = make_simulator<double>(spec);
    const std::vector<double> phases = random_phases(spec, 3, 1);
    const std::vector<double> all = run<double>(*simulator, phases.data(), 3);
    const std::size_t width = simulator->output_size();
    std::vector<double> out(width);
    void* targets[] = {nullptr, out.data(), nullptr};
    double kept[3] = {};
    SimulationBatch batch;
    batch.rows = 3;
    batch.phases = phases.data();
    batch.observables = targets;
    batch.kept_fractions = kept;
    simulator->run(batch);
    EXPECT_EQ(std::memcmp(out.data(), &all[width], width * sizeof(double)), 0);
    for (const double fraction : kept) EXPECT_TRUE(fraction > 0 && fraction < 1);
}

}  // namespace
}  // namespace photonlink::optics
