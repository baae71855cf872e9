// Results of noisy programs are the same bits for any batch and any number of threads, and the same numbers with any
// kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "programs.hpp"

namespace photonlink::optics::test {
namespace {

constexpr std::size_t kRows = 37;

NoiseSpec detected_noise(double indistinguishability, double g2, bool g2_own, u32 min_detected, Detectors detectors) {
    NoiseSpec noise = noise_of(0.8, 0.6, indistinguishability, g2, g2_own);
    noise.min_detected = min_detected;
    noise.detectors = detectors;
    return noise;
}

ProgramSpec noisy_program(std::vector<u32> input, const ReadoutSpec& readout, const NoiseSpec& noise) {
    const u32 modes = static_cast<u32>(input.size());
    ProgramSpec spec = random_program(modes, std::move(input), 2, readout, 8);
    spec.noise = noise;
    return spec;
}

/// Each way of detecting, space and readout that takes a mixture, and more photons in an input.
std::vector<ProgramSpec> mixtures() {
    const NoiseSpec resolved = detected_noise(0.9, 0.2, true, 1, Detectors::Resolving);
    const NoiseSpec alike = detected_noise(1.0, 0.3, false, 2, Detectors::Resolving);
    const NoiseSpec clicks = detected_noise(0.8, 0.1, true, 2, Detectors::Threshold);
    const NoiseSpec all_clicks = detected_noise(0.7, 0.1, false, kAllPhotons, Detectors::Threshold);
    const ReadoutSpec distribution{ReadoutKind::Probabilities, Space::Fock};
    return {noisy_program({1, 0, 1, 0, 1, 0, 0}, distribution, resolved),
            noisy_program({1, 1, 0, 1, 1, 0}, distribution, all_clicks),
            noisy_program({2, 0, 1, 0, 1}, distribution, alike),
            noisy_program({0, 2, 0, 1, 1, 0}, distribution, clicks),
            noisy_program({1, 0, 1, 0, 1, 0}, {ReadoutKind::Probabilities, Space::DualRail}, clicks),
            noisy_program({1, 0, 1, 0, 1, 0}, {ReadoutKind::Probabilities, Space::Unbunched}, resolved),
            noisy_program({1, 0, 1, 0, 1}, {ReadoutKind::Probabilities, Space::Fock, Grouping::Mod, 5}, resolved),
            noisy_program({1, 0, 1, 0, 1}, {ReadoutKind::Correlators, Space::Fock}, clicks)};
}

template <class Real>
std::unique_ptr<Simulator> with_threads(const ProgramSpec& spec, u32 threads, std::size_t limit = kGiB) {
    return Simulator::create(std::make_shared<const ProgramSpec>(spec), kPrecision<Real>, limit, false, threads);
}

/// The batch in pieces of `piece` rows.
template <class Real>
std::vector<Real> in_pieces(Simulator& simulator, const ProgramSpec& spec, const std::vector<double>& phases,
                            std::size_t piece, RunOptions options) {
    const u64* const ids = options.ids;
    std::vector<Real> all;
    for (std::size_t row = 0; row < kRows; row += piece) {
        options.ids = ids + row;
        const std::vector<Real> some =
            run<Real>(simulator, phases.data() + row * spec.phases.size(), std::min(piece, kRows - row), options);
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

template <class Real>
void expect_same_bits(const ProgramSpec& spec, u32 shots) {
    const std::vector<double> phases = random_phases(spec, kRows, 5);
    std::vector<u64> ids(kRows);
    std::iota(ids.begin(), ids.end(), (u64{1} << 40) + 3);
    RunOptions options;
    options.shots = shots;
    options.seed = 5;
    options.ids = ids.data();
    const std::vector<Real> expected = run<Real>(*with_threads<Real>(spec, 1), phases.data(), kRows, options);
    for (const u32 threads : {1u, 3u}) {
        const auto simulator = with_threads<Real>(spec, threads);
        EXPECT_EQ(simulator->threads(), threads);
        for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, kRows})
            EXPECT_EQ(in_pieces<Real>(*simulator, spec, phases, piece, options), expected)
                << threads << " threads, " << piece << " rows at a time";
    }
    if (shots > 0) return;
    const auto tight = with_threads<Real>(spec, 2, predict_bytes(spec, kPrecision<Real>));
    EXPECT_EQ(tight->threads(), 1u);
    EXPECT_EQ(run<Real>(*tight, phases.data(), kRows, options), expected);
}

TEST(NoiseThreads, AndBatchesGiveTheSameBits) {
    for_each_profile([&](const std::string&) {
        for (const ProgramSpec& spec : mixtures()) expect_same_bits<double>(spec, 0);
        expect_same_bits<float>(mixtures()[0], 0);
        expect_same_bits<double>(mixtures()[0], 50);
    });
}

/// Reports take another way to the same results.
TEST(NoiseThreads, ReportsHoldTheSameBits) {
    for (const ProgramSpec& spec : mixtures()) {
        const std::vector<double> phases = random_phases(spec, kRows, 6);
        std::vector<RowReport> reports(kRows);
        RunOptions options;
        options.reports = reports.data();
        const std::vector<double> expected = run<double>(*with_threads<double>(spec, 1), phases.data(), kRows);
        EXPECT_EQ(run<double>(*with_threads<double>(spec, 2), phases.data(), kRows, options), expected);
        std::vector<double> reported;
        for (const RowReport& report : reports)
            reported.insert(reported.end(), report.observables.begin(), report.observables.end());
        EXPECT_EQ(reported, expected);
    }
}

TEST(NoiseThreads, EveryProfileGivesTheSameNumbers) {
    for (const ProgramSpec& spec : mixtures()) {
        const std::vector<double> phases = random_phases(spec, kRows, 7);
        std::vector<double> expected;
        for_each_profile([&](const std::string&) {
            const std::vector<double> values = run<double>(*with_threads<double>(spec, 1), phases.data(), kRows);
            if (expected.empty()) expected = values;
            for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], expected[i], 1e-13);
        });
    }
}

TEST(NoiseThreads, TheFirstRowThatFailsIsNamed) {
    ProgramSpec spec = noisy_program({1, 1}, {ReadoutKind::Samples, Space::Unbunched},
                                     detected_noise(1.0, 0, true, kAllPhotons, Detectors::Resolving));
    spec.noise.indistinguishability = 1 - 1e-3;
    spec.noise.transmittance = 0;  // nothing ever arrives
    const std::vector<double> phases = random_phases(spec, kRows, 1);
    std::vector<u64> ids(kRows);
    RunOptions options;
    options.shots = 5000;
    options.ids = ids.data();
    try {
        run<double>(*with_threads<double>(spec, 3), phases.data(), kRows, options);
        FAIL() << "no row failed";
    } catch (const PostSelectionError& problem) {
        EXPECT_NE(std::string(problem.what()).find("row 0 "), std::string::npos) << problem.what();
    }
}

}  // namespace
}  // namespace photonlink::optics::test
