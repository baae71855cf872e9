#include "photonlink/optics/sampling.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "photonlink/optics/philox.hpp"
#include "programs.hpp"

namespace photonlink::optics {
namespace {

using namespace test;

/// How many standard deviations a chi-square statistic lies above its mean (Wilson-Hilferty); cells with fewer than
/// five expected counts are pooled.
double chi_square_z(const std::vector<double>& expected, const std::vector<double>& counted) {
    double statistic = 0, pooled_expected = 0, pooled_counted = 0;
    double cells = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (expected[i] < 5) {
            pooled_expected += expected[i];
            pooled_counted += counted[i];
            continue;
        }
        statistic += std::pow(counted[i] - expected[i], 2) / expected[i];
        cells += 1;
    }
    if (pooled_expected > 0) {
        statistic += std::pow(pooled_counted - pooled_expected, 2) / pooled_expected;
        cells += 1;
    }
    const double freedom = cells - 1, spread = 2.0 / (9 * freedom);
    return (std::cbrt(statistic / freedom) - (1 - spread)) / std::sqrt(spread);
}

constexpr double kOneInTenThousand = 3.72;  // one-sided normal quantile

TEST(Sampler, PicksTheFirstStateWhosePrefixSumExceedsTheDraw) {
    const std::vector<double> probabilities = {0.0, 0.25, 0.0, 0.5, 0.125, 0.125, 0.0};
    Sampler sampler(probabilities.size());
    std::vector<u32> states, counts;
    for (u64 id = 0; id < 200; ++id) {
        constexpr u32 kShots = 7;
        sampler.draw(probabilities.data(), 3, id, kShots, states, counts);
        std::vector<u32> expected(probabilities.size());
        for (u32 shot = 0; shot < kShots; ++shot) {
            double uniforms[2];
            sampling_uniforms(3, id, shot / 2, uniforms);
            double sum = 0;
            u32 state = 0;
            while (sum + probabilities[state] <= uniforms[shot % 2]) sum += probabilities[state++];
            ++expected[state];
        }
        std::vector<u32> counted(probabilities.size());
        for (std::size_t i = 0; i < states.size(); ++i) {
            EXPECT_TRUE(i == 0 || states[i] > states[i - 1]);
            counted[states[i]] = counts[i];
        }
        EXPECT_EQ(counted, expected);
    }
}

TEST(Sampler, ExtendsTheSameShots) {
    const std::vector<float> probabilities(40, 1.0f / 40);
    Sampler sampler(probabilities.size());
    std::vector<u32> few_states, few_counts, many_states, many_counts;
    sampler.draw(probabilities.data(), 1, 2, 11, few_states, few_counts);
    sampler.draw(probabilities.data(), 1, 2, 500, many_states, many_counts);
    for (std::size_t i = 0; i < few_states.size(); ++i) {
        const auto at = std::find(many_states.begin(), many_states.end(), few_states[i]);
        ASSERT_NE(at, many_states.end());
        EXPECT_GE(many_counts[at - many_states.begin()], few_counts[i]);
    }
    EXPECT_EQ(std::accumulate(many_counts.begin(), many_counts.end(), 0u), 500u);
}

class SampledSpaces : public testing::TestWithParam<Space> {};

TEST_P(SampledSpaces, FrequenciesFollowTheDistribution) {
    constexpr u32 kShots = 200000;
    ReadoutSpec readout;
    readout.space = GetParam();
    const ProgramSpec spec = random_program(8, {1, 0, 1, 0, 1, 0, 1, 0}, 1, readout, 31);
    const std::vector<double> phases = random_phases(spec, 1, 32);
    std::vector<double> expected = run<double>(spec, phases, 1);
    for (double& p : expected) p *= kShots;
    RowReport report;
    const u64 id = 77;
    RunOptions options{kShots, 5, &id, &report};
    run<float>(spec, phases, 1, options);
    std::vector<double> counted(expected.size());
    for (std::size_t i = 0; i < report.state_index.size(); ++i) counted[report.state_index[i]] = report.counts[i];
    EXPECT_EQ(std::accumulate(counted.begin(), counted.end(), 0.0), kShots);
    EXPECT_LT(chi_square_z(expected, counted), kOneInTenThousand);
}

INSTANTIATE_TEST_SUITE_P(All, SampledSpaces, testing::Values(Space::Fock, Space::Unbunched, Space::DualRail));

class SampledReadouts : public testing::TestWithParam<ReadoutKind> {};

/// Estimates of many datapoints scatter around the exact value as their standard errors say.
TEST_P(SampledReadouts, ScatterAsTheirStandardErrorsSay) {
    constexpr std::size_t kRows = 400;
    const ProgramSpec spec = random_program(5, {1, 0, 2, 0, 0}, 1, {GetParam(), Space::Fock, Grouping::None, 0}, 41);
    const std::vector<double> one = random_phases(spec, 1, 42);
    std::vector<double> phases;
    for (std::size_t row = 0; row < kRows; ++row) phases.insert(phases.end(), one.begin(), one.end());
    const std::vector<double> exact = run<double>(spec, one, 1);
    std::vector<u64> ids(kRows);
    std::iota(ids.begin(), ids.end(), 0u);
    std::vector<RowReport> reports(kRows);
    run<double>(spec, phases, kRows, RunOptions{1000, 6, ids.data(), reports.data()});
    for (std::size_t o = 0; o < exact.size(); ++o) {
        double mean = 0, variance = 0, claimed = 0;
        for (const RowReport& report : reports) {
            ASSERT_EQ(report.standard_errors.size(), exact.size());
            mean += report.observables[o] / kRows;
            variance += std::pow(report.observables[o] - exact[o], 2) / kRows;
            claimed += std::pow(report.standard_errors[o], 2) / kRows;
        }
        EXPECT_NEAR(mean, exact[o], 5 * std::sqrt(claimed / kRows) + 1e-12);
        EXPECT_NEAR(variance, claimed, 0.4 * claimed + 1e-12);  // five standard deviations of a variance of 400
    }
}

INSTANTIATE_TEST_SUITE_P(All, SampledReadouts,
                         testing::Values(ReadoutKind::Probabilities, ReadoutKind::ModeExpectations,
                                         ReadoutKind::Correlators, ReadoutKind::ClickPatterns,
                                         ReadoutKind::ClickProbabilities));

TEST(SampledReadout, OfProbabilitiesIsTheFrequencyWithItsBinomialError) {
    const ProgramSpec spec = random_program(4, {1, 1, 0, 0}, 1, {}, 3);
    const u64 id = 9;
    RowReport report;
    const std::vector<double> values =
        run<double>(spec, random_phases(spec, 1, 4), 1, RunOptions{250, 0, &id, &report});
    double total = 0;
    for (std::size_t i = 0; i < report.state_index.size(); ++i) {
        const double p = report.counts[i] / 250.0;
        EXPECT_NEAR(values[report.state_index[i]], p, 1e-15);
        EXPECT_NEAR(report.standard_errors[report.state_index[i]], std::sqrt(p * (1 - p) / 250), 1e-12);
        total += p;
    }
    EXPECT_NEAR(total, 1.0, 1e-12);
}

TEST(SampledReadout, OfSamplesHasCountsOnly) {
    const ProgramSpec spec =
        random_program(4, {1, 1, 0, 0}, 1, {ReadoutKind::Samples, Space::Fock, Grouping::None, 0}, 3);
    const u64 id = 9;
    RowReport report;
    EXPECT_TRUE(run<float>(spec, random_phases(spec, 1, 4), 1, RunOptions{50, 0, &id, &report}).empty());
    EXPECT_EQ(std::accumulate(report.counts.begin(), report.counts.end(), 0u), 50u);
}

}  // namespace
}  // namespace photonlink::optics
