// Samples without a distribution, against the distribution where there is one and against closed forms where not.
#include "photonlink/optics/clifford.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "permanent.hpp"
#include "photonlink/optics/closed_forms.hpp"
#include "photonlink/optics/interferometer.hpp"
#include "programs.hpp"

namespace photonlink::optics {
namespace {

using namespace test;

TEST(CliffordMinors, AreThePermanentsWithoutOneColumn) {
    Generator generator(3);
    std::normal_distribution<double> normal;
    for_each_profile([&](const std::string&) {
        const KernelProfile& profile = select_kernel_profile();
        for (u32 rows = 1; rows <= 7; ++rows) {
            std::vector<Complex> matrix(rows * (rows + 1));
            for (Complex& element : matrix) element = {normal(generator), normal(generator)};
            std::vector<Complex> minors(rows + 1);
            profile.minors(rows, reinterpret_cast<const double*>(matrix.data()),
                           reinterpret_cast<double*>(minors.data()));
            for (u32 without = 0; without <= rows; ++without) {
                std::vector<Complex> rest;
                for (u32 r = 0; r < rows; ++r)
                    for (u32 c = 0; c <= rows; ++c)
                        if (c != without) rest.push_back(matrix[r * (rows + 1) + c]);
                const Complex whole = permanent<Complex>(
                    rows, [&](std::size_t row, std::size_t column) { return rest[row * rows + column]; });
                const Complex expected = whole * std::ldexp(1.0, static_cast<int>(rows) - 1);
                EXPECT_LT(std::abs(minors[without] - expected), 1e-9 * (1 + std::abs(expected)))
                    << rows << " rows, without column " << without;
            }
        }
    });
}

TEST(BasisStates, AreFoundByTheirRank) {
    const std::tuple<Space, u32, u32> cases[] = {{Space::Fock, 1, 4},      {Space::Fock, 6, 4},
                                                 {Space::Unbunched, 7, 3}, {Space::Unbunched, 5, 5},
                                                 {Space::DualRail, 2, 1},  {Space::DualRail, 8, 4}};
    for (const auto& [space, modes, photons] : cases) {
        const Basis basis(space, modes, photons);
        const std::vector<u8> states = basis_states(space, modes, photons);
        std::vector<u8> state(modes);
        for (u64 rank = 0; rank < basis.size(); ++rank) {
            basis.unrank(rank, state.data());
            EXPECT_TRUE(std::equal(state.begin(), state.end(), states.begin() + rank * modes));
            EXPECT_TRUE(lies_in(space, state.data(), modes));
        }
    }
}

struct Drawn {
    std::vector<u32> input;
    bool interference;
};

class CliffordDistribution : public testing::TestWithParam<Drawn> {};

/// Chi-square with states of small expectation pooled; the limit is passed by chance once in 10^5 runs of a fair
/// sampler, and the seed is fixed.
TEST_P(CliffordDistribution, IsTheExactOne) {
    constexpr u32 kShots = 60'000;
    const u32 modes = static_cast<u32>(GetParam().input.size());
    ProgramSpec spec = random_program(modes, GetParam().input, 1, {ReadoutKind::Probabilities, Space::Fock}, 8);
    spec.interference = GetParam().interference;
    const std::vector<double> phases = random_phases(spec, 1, 9);
    const std::vector<double> exact = run<double>(spec, phases, 1);
    Interferometer interferometer(spec, 1);
    const KernelProfile& profile = select_kernel_profile();
    const double* const columns =
        interferometer.compose(profile.widths<double>()[profile.width_count<double>() - 1], phases.data(), 1);
    CliffordSampler sampler(spec, interferometer.occupation(), profile);
    sampler.load(columns);
    const Basis basis(Space::Fock, modes, spec.photons());
    std::vector<double> seen(basis.size());
    std::vector<u8> state(modes);
    for (u32 shot = 0; shot < kShots; ++shot) {
        sampler.draw(17, 5, shot, 0, state.data());
        ++seen[basis.rank(state.data())];
    }
    double chi = 0, pooled_seen = 0, pooled_expected = 0;
    u32 cells = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        const double expected = exact[i] * kShots;
        if (expected < 10) {
            pooled_seen += seen[i];
            pooled_expected += expected;
            continue;
        }
        chi += (seen[i] - expected) * (seen[i] - expected) / expected;
        ++cells;
    }
    if (pooled_expected > 0) {
        chi += (pooled_seen - pooled_expected) * (pooled_seen - pooled_expected) / pooled_expected;
        ++cells;
    }
    const double freedom = cells - 1.0;
    EXPECT_LT(chi, freedom + 4.3 * std::sqrt(2 * freedom) + 12) << cells << " cells";
}

INSTANTIATE_TEST_SUITE_P(Inputs, CliffordDistribution,
                         testing::Values(Drawn{{1, 1, 1, 0, 0, 0}, true}, Drawn{{1, 0, 1, 0, 1, 1, 0}, true},
                                         Drawn{{3, 0, 1, 0}, true}, Drawn{{2, 2, 0, 1, 0}, true}, Drawn{{4}, true},
                                         Drawn{{1, 1, 1, 1, 1, 0}, true}, Drawn{{2, 0, 1, 1}, false}));

std::vector<u32> alternating(u32 modes, u32 photons) {
    std::vector<u32> input(modes);
    for (u32 p = 0; p < photons; ++p) input[p * modes / photons] = 1;
    return input;
}

std::unique_ptr<Simulator> sampled_simulator(const ProgramSpec& spec, std::size_t limit, u32 threads) {
    return Simulator::create(std::make_shared<const ProgramSpec>(spec), Precision::Float64, limit, true, threads);
}

class LargeSpaces : public testing::TestWithParam<std::pair<u32, u32>> {};

TEST_P(LargeSpaces, SamplesEstimateWhatClosedFormsGive) {
    constexpr u32 kShots = 400;
    const auto [modes, photons] = GetParam();
    const ProgramSpec spec =
        random_program(modes, alternating(modes, photons), 1, {ReadoutKind::Correlators, Space::Fock}, 2);
    const std::vector<double> phases = random_phases(spec, 1, 3);
    const std::vector<double> exact = run<double>(spec, phases, 1);
    const auto simulator = sampled_simulator(spec, kGiB, 0);
    EXPECT_STREQ(simulator->sampler(), "clifford_clifford_2017");
    EXPECT_LT(simulator->memory_bytes(), std::size_t{1} << 20);
    const u64 id = 7;
    RowReport report;
    RunOptions options;
    options.shots = kShots;
    options.ids = &id;
    options.reports = &report;
    const std::vector<double> values = run<double>(*simulator, phases.data(), 1, options);
    double worst = 0;
    for (std::size_t pair = 0; pair < exact.size(); ++pair)
        worst = std::max(worst, std::abs(values[pair] - exact[pair]) / (report.standard_errors[pair] + 0.05));
    EXPECT_LT(worst, 5);
    EXPECT_EQ(std::accumulate(report.counts.begin(), report.counts.end(), 0u), kShots);
    EXPECT_TRUE(std::is_sorted(report.state_index.begin(), report.state_index.end()));
    EXPECT_EQ(report.kept_fraction, 1.0);
}

INSTANTIATE_TEST_SUITE_P(Sizes, LargeSpaces, testing::Values(std::make_pair(24u, 12u), std::make_pair(30u, 10u)));

/// A program that fits, and a limit that makes it sampled without its distribution.
ProgramSpec small_program(ReadoutSpec readout) { return random_program(12, alternating(12, 5), 1, readout, 12); }
std::size_t tight(ProgramSpec spec) {
    spec.readout = {ReadoutKind::Probabilities, spec.readout.space, Grouping::None, 0};
    return predict_bytes(spec, Precision::Float64);  // holds the distribution, but not what drawing from it takes
}

TEST(CliffordSimulator, ThreadsAndBatchesGiveTheSameSamples) {
    constexpr std::size_t kRows = 3;
    const ProgramSpec spec = small_program({ReadoutKind::ModeExpectations, Space::Unbunched});
    const std::vector<double> phases = random_phases(spec, kRows, 4);
    const u64 ids[kRows] = {1, 1ULL << 40, 3};
    std::vector<RowReport> reference(kRows);
    for (const u32 threads : {1u, 2u, 5u}) {
        const auto simulator = sampled_simulator(spec, tight(spec), threads);
        ASSERT_STREQ(simulator->sampler(), "clifford_clifford_2017");
        for (const bool together : {true, false}) {
            std::vector<RowReport> reports(kRows);
            for (std::size_t row = 0; row < kRows; row += together ? kRows : 1) {
                RunOptions options;
                options.shots = 3000;
                options.seed = 6;
                options.ids = ids + row;
                options.reports = reports.data() + row;
                run<double>(*simulator, phases.data() + row * spec.phases.size(), together ? kRows : 1, options);
            }
            if (threads == 1 && together) reference = reports;
            for (std::size_t row = 0; row < kRows; ++row) {
                EXPECT_EQ(reports[row].state_index, reference[row].state_index);
                EXPECT_EQ(reports[row].counts, reference[row].counts);
                EXPECT_EQ(reports[row].observables, reference[row].observables);
                EXPECT_EQ(reports[row].kept_fraction, reference[row].kept_fraction);
            }
        }
    }
}

TEST(CliffordSimulator, ReadoutsAgreeWithTheDistribution) {
    constexpr u32 kShots = 20'000;
    const ReadoutSpec readouts[] = {{ReadoutKind::Probabilities, Space::Fock, Grouping::Lex, 6},
                                    {ReadoutKind::Probabilities, Space::Fock, Grouping::Mod, 7},
                                    {ReadoutKind::Probabilities, Space::Unbunched, Grouping::None, 0},
                                    {ReadoutKind::ModeExpectations, Space::Unbunched, Grouping::None, 0},
                                    {ReadoutKind::Correlators, Space::Fock, Grouping::None, 0},
                                    {ReadoutKind::ClickPatterns, Space::Fock, Grouping::None, 0},
                                    {ReadoutKind::ClickPatterns, Space::Unbunched, Grouping::None, 0},
                                    {ReadoutKind::ClickProbabilities, Space::Fock, Grouping::None, 0}};
    for (const ReadoutSpec& readout : readouts) {
        SCOPED_TRACE(&readout - readouts);
        const ProgramSpec spec = small_program(readout);
        const std::vector<double> phases = random_phases(spec, 1, 4);
        RowReport exact, sampled;
        RunOptions options;
        options.reports = &exact;
        run<double>(*make_simulator<double>(spec), phases.data(), 1, options);
        const auto simulator = sampled_simulator(spec, predict_bytes(spec, Precision::Float64, true), 1);
        ASSERT_STREQ(simulator->sampler(), "clifford_clifford_2017");
        const u64 id = 3;
        options.shots = kShots;
        options.ids = &id;
        options.reports = &sampled;
        run<double>(*simulator, phases.data(), 1, options);
        for (std::size_t o = 0; o < exact.observables.size(); ++o)
            EXPECT_NEAR(sampled.observables[o], exact.observables[o], 5 * sampled.standard_errors[o] + 6.0 / kShots);
        EXPECT_NEAR(sampled.kept_fraction, exact.kept_fraction, 5 * std::sqrt(0.25 / kShots));
    }
}

TEST(CliffordSimulator, RefusesWhatItCannotDo) {
    const ProgramSpec spec = small_program({ReadoutKind::ModeExpectations, Space::Unbunched});
    const auto simulator = sampled_simulator(spec, tight(spec), 1);
    const std::vector<double> phases = random_phases(spec, 1, 4);
    EXPECT_THROW(run<double>(*simulator, phases.data(), 1), ProgramError);
    const ProgramSpec whole = random_program(24, alternating(24, 12), 1, {ReadoutKind::Probabilities, Space::Fock}, 1);
    EXPECT_THROW(sampled_simulator(whole, kGiB, 1), ProgramError);
    const ProgramSpec many = random_program(40, alternating(40, 20), 1, {ReadoutKind::Samples, Space::Fock}, 1);
    EXPECT_THROW(sampled_simulator(many, kGiB, 1), ProgramError);
}

/// Every photon leaves through the first mode: nothing lies in the unbunched space.
TEST(CliffordSimulator, GivesUpOnSpacesThatKeepNothing) {
    ProgramSpec spec = small_program({ReadoutKind::ModeExpectations, Space::Unbunched});
    for (std::vector<Complex>& matrix : spec.interferometers) {
        std::fill(matrix.begin(), matrix.end(), Complex(0));
        for (u32 i = 0; i < spec.modes; ++i) matrix[i * spec.modes + i] = 1;
    }
    std::fill(spec.input.begin(), spec.input.end(), 0u);
    spec.input[0] = 4;
    const auto simulator = sampled_simulator(spec, tight(spec), 1);
    const u64 id = 0;
    RunOptions options;
    options.shots = 10;
    options.ids = &id;
    const std::vector<double> phases = random_phases(spec, 1, 4);
    EXPECT_THROW(run<double>(*simulator, phases.data(), 1, options), PostSelectionError);
}

}  // namespace
}  // namespace photonlink::optics
