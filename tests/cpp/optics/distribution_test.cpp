// Whole distributions against permanents, which know nothing of the sweep.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "permanent.hpp"
#include "programs.hpp"

namespace photonlink::optics {
namespace {

using namespace test;

struct Case {
    u32 modes;
    std::vector<u32> input;
    u32 layers;
    Space space;
};

std::vector<Complex> compose(const ProgramSpec& spec, const double* phases) {
    const u32 m = spec.modes;
    std::vector<Complex> total = spec.interferometers[0];
    for (u32 layer = 0; layer + 1 < spec.interferometers.size(); ++layer) {
        for (std::size_t p = 0; p < spec.phases.size(); ++p)
            if (spec.phases[p].layer == layer)
                for (u32 c = 0; c < m; ++c) total[spec.phases[p].mode * m + c] *= std::polar(1.0, phases[p]);
        std::vector<Complex> next(total.size());
        for (u32 i = 0; i < m; ++i)
            for (u32 j = 0; j < m; ++j)
                for (u32 c = 0; c < m; ++c)
                    next[i * m + c] += spec.interferometers[layer + 1][i * m + j] * total[j * m + c];
        total = next;
    }
    return total;
}

std::vector<u32> photon_modes(const std::vector<u32>& occupation) {
    std::vector<u32> modes;
    for (u32 i = 0; i < occupation.size(); ++i) modes.insert(modes.end(), occupation[i], i);
    return modes;
}

double factorials(const std::vector<u32>& occupation) {
    return std::accumulate(occupation.begin(), occupation.end(), 1.0,
                           [](double product, u32 n) { return product * std::tgamma(n + 1.0); });
}

double probability(const ProgramSpec& spec, const std::vector<Complex>& u, const std::vector<u32>& output) {
    const std::vector<u32> rows = photon_modes(output), columns = photon_modes(spec.input);
    const auto element = [&](std::size_t a, std::size_t b) { return u[rows[a] * spec.modes + columns[b]]; };
    if (spec.interference)
        return std::norm(permanent<Complex>(rows.size(), element)) / factorials(output) / factorials(spec.input);
    return permanent<double>(rows.size(), [&](std::size_t a, std::size_t b) { return std::norm(element(a, b)); }) /
           factorials(output);
}

std::vector<double> expected(const ProgramSpec& spec, const double* phases, double& kept) {
    const std::vector<Complex> u = compose(spec, phases);
    const std::vector<u8> states = basis_states(spec.readout.space, spec.modes, spec.photons());
    std::vector<double> out;
    for (std::size_t at = 0; at < states.size(); at += spec.modes)
        out.push_back(probability(spec, u, std::vector<u32>(states.begin() + at, states.begin() + at + spec.modes)));
    kept = std::accumulate(out.begin(), out.end(), 0.0);
    if (spec.readout.space != Space::Fock)
        for (double& p : out) p /= kept;
    return out;
}

template <class Real>
void compare(const Case& test_case, bool interference, double tolerance) {
    constexpr std::size_t kRows = 5;
    ReadoutSpec readout;
    readout.space = test_case.space;
    ProgramSpec spec = random_program(test_case.modes, test_case.input, test_case.layers, readout, 3);
    spec.interference = interference;
    const std::vector<double> phases = random_phases(spec, kRows, 4);
    std::vector<RowReport> reports(kRows);
    RunOptions options;
    options.reports = reports.data();
    const std::vector<Real> out = run<Real>(spec, phases, kRows, options);
    for (std::size_t row = 0; row < kRows; ++row) {
        double kept = 0;
        const std::vector<double> reference = expected(spec, phases.data() + row * spec.phases.size(), kept);
        EXPECT_NEAR(reports[row].kept_fraction, kept, tolerance);
        for (std::size_t i = 0; i < reference.size(); ++i) {
            EXPECT_NEAR(static_cast<double>(out[row * reference.size() + i]), reference[i], tolerance);
            EXPECT_EQ(static_cast<Real>(reports[row].observables[i]), out[row * reference.size() + i]);
        }
    }
}

class Distributions : public testing::TestWithParam<Case> {};

TEST_P(Distributions, MatchPermanents) {
    for_each_profile([&](const std::string&) {
        for (const bool interference : {true, false}) {
            compare<double>(GetParam(), interference, 1e-12);
            compare<float>(GetParam(), interference, 2e-6);
        }
    });
}

INSTANTIATE_TEST_SUITE_P(Programs, Distributions,
                         testing::Values(Case{1, {3}, 1, Space::Fock}, Case{2, {1, 1}, 0, Space::Fock},
                                         Case{5, {0, 0, 1, 0, 0}, 2, Space::Fock},
                                         Case{4, {1, 0, 2, 1}, 3, Space::Fock}, Case{3, {0, 5, 0}, 1, Space::Fock},
                                         Case{9, {1, 0, 0, 0, 1, 0, 1, 0, 1}, 1, Space::Fock},
                                         Case{5, {1, 1, 1, 1, 1}, 1, Space::Unbunched},
                                         Case{8, {1, 0, 3, 0, 0, 0, 0, 1}, 2, Space::Unbunched},
                                         Case{9, {1, 0, 1, 0, 1, 0, 1, 0, 0}, 1, Space::Unbunched},
                                         Case{2, {0, 1}, 1, Space::DualRail},
                                         Case{6, {1, 0, 1, 0, 0, 1}, 2, Space::DualRail},
                                         Case{10, {1, 0, 1, 0, 1, 0, 2, 0, 0, 0}, 1, Space::DualRail}));

TEST(Distribution, OfAPhotonPairOnABalancedSplitterShowsBunching) {
    ProgramSpec spec;
    spec.modes = 2;
    spec.input = {1, 1};
    const double h = std::sqrt(0.5);
    spec.interferometers = {{h, h, h, -h}};
    spec.readout.space = Space::Fock;
    const std::vector<double> together = run<double>(spec, {}, 1);
    EXPECT_NEAR(together[0], 0.5, 1e-15);
    EXPECT_NEAR(together[1], 0.0, 1e-15);
    spec.interference = false;
    const std::vector<double> apart = run<double>(spec, {}, 1);
    EXPECT_NEAR(apart[0], 0.25, 1e-15);
    EXPECT_NEAR(apart[1], 0.5, 1e-15);
}

TEST(Distribution, WithoutAnyMassIsZeroAndCannotBeSampled) {
    ProgramSpec spec;
    spec.modes = 2;
    spec.input = {1, 1};
    const double h = std::sqrt(0.5);
    spec.interferometers = {{h, h, h, -h}};
    spec.readout.space = Space::Unbunched;
    for (const bool exact_zero : {true, false}) {
        if (!exact_zero) {  // the same physics with entries that do not cancel to the last bit
            const Complex a = std::polar(h, 0.3), b = std::polar(h, 1.1), c = std::polar(h, -0.7);
            spec.interferometers = {{a, b, c, -b * c / a}};
        }
        RowReport report;
        RunOptions options;
        options.reports = &report;
        EXPECT_EQ(run<double>(spec, {}, 1, options), std::vector<double>{0.0});
        EXPECT_EQ(report.kept_fraction, 0.0);
        EXPECT_EQ(run<float>(spec, {}, 1), std::vector<float>{0.0f});
        const u64 id = 0;
        options.ids = &id;
        options.shots = 10;
        EXPECT_THROW(run<double>(spec, {}, 1, options), PostSelectionError);
    }
}

TEST(Distribution, OfThirtyPhotonsStaysInRange) {
    ReadoutSpec readout;
    readout.space = Space::Fock;
    const ProgramSpec spec = random_program(3, {10, 15, 5}, 1, readout, 8);
    const std::vector<double> phases = random_phases(spec, 1, 9);
    const std::vector<double> exact = run<double>(spec, phases, 1);
    EXPECT_NEAR(std::accumulate(exact.begin(), exact.end(), 0.0), 1.0, 1e-10);
    const std::vector<float> rounded = run<float>(spec, phases, 1);
    for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(static_cast<double>(rounded[i]), exact[i], 2e-5);
}

}  // namespace
}  // namespace photonlink::optics
