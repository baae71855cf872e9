// Deep networks: what datapoints have in common is composed once, to the same bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "programs.hpp"

namespace photonlink::optics {
namespace {

using test::for_each_profile;

constexpr u32 kLayers = 7;

ProgramSpec deep_program() {
    const ReadoutSpec readout{ReadoutKind::Probabilities, Space::Fock, Grouping::None, 0};
    ProgramSpec spec = test::random_program(5, {1, 0, 2, 0, 1}, kLayers, readout, 31);
    spec.phases.insert(spec.phases.end(), {{4, 3}, {0, 1}, {4, 3}, {2, 0}});  // modes that others drive, too
    return spec;
}

/// Rows that each change a few phases of the row before: in late layers mostly, sometimes in all, sometimes in none.
std::vector<double> walk(const ProgramSpec& spec, std::size_t rows) {
    test::Generator generator(17);
    std::uniform_real_distribution<double> angle(-4, 4);
    const std::size_t sites = spec.phases.size();
    std::vector<double> phases(sites);
    for (double& phase : phases) phase = angle(generator);
    for (std::size_t row = 1; row < rows; ++row) {
        const u32 from = static_cast<u32>(generator() % (kLayers + 3));  // beyond the last layer: none
        for (std::size_t site = 0; site < sites; ++site) {
            const bool changes = spec.phases[site].layer == from || generator() % 64 == 0;
            const double last = phases[phases.size() - sites];
            phases.push_back(changes ? (generator() % 4 == 0 ? -0.0 : angle(generator)) : last);
        }
    }
    return phases;
}

template <class Real>
void check_bits(const ProgramSpec& spec, const std::vector<double>& phases, std::size_t rows) {
    const std::size_t sites = spec.phases.size();
    const auto simulator = test::make_simulator<Real>(spec);
    const auto one_by_one = test::make_simulator<Real>(spec);
    const std::vector<Real> together = test::run<Real>(*simulator, phases.data(), rows);
    const std::size_t width = simulator->output_size();
    for (std::size_t row = 0; row < rows; ++row) {
        const double* const at = &phases[row * sites];
        // Beside a datapoint that has no phase in common with it, nothing is shared.
        std::vector<double> apart(at, at + sites);
        for (std::size_t site = 0; site < sites; ++site) apart.push_back(at[site] + 1);
        const std::vector<Real> expected = test::run<Real>(*test::make_simulator<Real>(spec), apart.data(), 2);
        const std::vector<Real> alone = test::run<Real>(*one_by_one, at, 1);
        EXPECT_EQ(std::memcmp(&together[row * width], expected.data(), width * sizeof(Real)), 0) << "row " << row;
        EXPECT_EQ(std::memcmp(alone.data(), expected.data(), width * sizeof(Real)), 0) << "row " << row;
    }
}

TEST(SharedLayers, PhasesOnOneModeAddUp) {
    const ProgramSpec spec = deep_program();
    ProgramSpec merged = spec;
    const std::size_t merged_sites = kLayers * spec.modes, sites = spec.phases.size();
    merged.phases.resize(merged_sites);
    constexpr std::size_t kRows = 40;
    const std::vector<double> phases = walk(spec, kRows);
    std::vector<double> sums;
    for (std::size_t row = 0; row < kRows; ++row) {
        const double* const at = &phases[row * sites];
        sums.insert(sums.end(), at, at + merged_sites);
        for (std::size_t site = merged_sites; site < sites; ++site)
            sums[row * merged_sites + spec.phases[site].layer * spec.modes + spec.phases[site].mode] += at[site];
    }
    const std::vector<double> got = test::run<double>(spec, phases, kRows);
    const std::vector<double> expected = test::run<double>(merged, sums, kRows);
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-13);
}

TEST(SharedLayers, GiveTheBitsOfTheWholeNetwork) {
    const ProgramSpec spec = deep_program();
    constexpr std::size_t kWalked = 144;
    std::vector<double> phases = walk(spec, kWalked);
    // Sixteen rows with the same phases up to some layer, for every such layer.
    for (u32 layer = 0; layer <= kLayers; ++layer)
        for (u32 row = 1; row < 16; ++row)
            for (std::size_t site = 0; site < spec.phases.size(); ++site)
                if (spec.phases[site].layer < layer)
                    phases[(16 * layer + row) * spec.phases.size() + site] =
                        phases[16 * layer * spec.phases.size() + site];
    // The same up to the last layer, then new from the second on and shared up to the third only, then again to the
    // last: what was composed for the first sixteen must not come back.
    constexpr u32 kUpTo[] = {kLayers, 3, kLayers};
    const std::size_t sites = spec.phases.size();
    std::vector<double> base = walk(spec, 1);
    for (u32 turn = 0; turn < 3; ++turn) {
        for (std::size_t site = 0; site < sites && turn == 1; ++site)
            if (spec.phases[site].layer == 1) base[site] += 0.5;
        for (u32 row = 0; row < 16; ++row)
            for (std::size_t site = 0; site < sites; ++site)
                phases.push_back(base[site] + (spec.phases[site].layer < kUpTo[turn] ? 0.0 : 0.1 * row));
    }
    constexpr std::size_t kRows = kWalked + 48;
    for_each_profile([&](const std::string&) {
        check_bits<float>(spec, phases, kRows);
        check_bits<double>(spec, phases, kRows);
    });
}

}  // namespace
}  // namespace photonlink::optics
