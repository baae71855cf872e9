// Exact results of the bodies against the CPU simulator on the same programs.
#include <cmath>

#include "bodies.hpp"

namespace photonlink::optics::gpu {
namespace {

using namespace test;

struct Case {
    const char* name;
    std::vector<u32> input;
    ReadoutSpec readout;
    bool interference = true;
};

const std::vector<u32> kBunched = {1, 0, 2, 0, 1, 0, 0};
const std::vector<u32> kSingle = {1, 0, 1, 1, 0, 0, 1, 0};
const std::vector<u32> kPairs = {1, 0, 0, 1, 1, 0, 0, 1};
const std::vector<u32> kSix = {1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0};
const std::vector<u32> kEightPairs = {1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0};

const Case kCases[] = {
    {"fock", kBunched, {ReadoutKind::Probabilities, Space::Fock}},
    {"fock_distinguishable", kBunched, {ReadoutKind::Probabilities, Space::Fock}, false},
    {"one_photon", {0, 1, 0}, {ReadoutKind::Probabilities, Space::Fock}},
    {"unbunched", kSingle, {ReadoutKind::Probabilities, Space::Unbunched}},
    {"unbunched_distinguishable", kSingle, {ReadoutKind::Probabilities, Space::Unbunched}, false},
    {"dual_rail", kPairs, {ReadoutKind::Probabilities, Space::DualRail}},
    {"fock_lex", kBunched, {ReadoutKind::Probabilities, Space::Fock, Grouping::Lex, 7}},
    {"fock_mod", kBunched, {ReadoutKind::Probabilities, Space::Fock, Grouping::Mod, 3}},
    {"fock_one_group", kBunched, {ReadoutKind::Probabilities, Space::Fock, Grouping::Lex, 1}},
    {"unbunched_lex", kSingle, {ReadoutKind::Probabilities, Space::Unbunched, Grouping::Lex, 5}},
    {"unbunched_more_groups_than_states", kSingle, {ReadoutKind::Probabilities, Space::Unbunched, Grouping::Mod, 90}},
    {"dual_rail_mod_distinguishable", kPairs, {ReadoutKind::Probabilities, Space::DualRail, Grouping::Mod, 4}, false},
    {"modes_fock", kBunched, {ReadoutKind::ModeExpectations, Space::Fock}},
    {"modes_unbunched", kSingle, {ReadoutKind::ModeExpectations, Space::Unbunched}},
    {"modes_dual_rail", kPairs, {ReadoutKind::ModeExpectations, Space::DualRail}},
    {"correlators_fock", kBunched, {ReadoutKind::Correlators, Space::Fock}},
    {"correlators_fock_distinguishable", kBunched, {ReadoutKind::Correlators, Space::Fock}, false},
    {"correlators_unbunched", kSingle, {ReadoutKind::Correlators, Space::Unbunched}},
    {"clicks_fock", kBunched, {ReadoutKind::ClickProbabilities, Space::Fock}},
    {"clicks_fock_distinguishable", kBunched, {ReadoutKind::ClickProbabilities, Space::Fock}, false},
    {"clicks_fock_many", {9, 0, 8}, {ReadoutKind::ClickProbabilities, Space::Fock}},
    {"clicks_unbunched", kSingle, {ReadoutKind::ClickProbabilities, Space::Unbunched}},
    {"patterns_fock", kBunched, {ReadoutKind::ClickPatterns, Space::Fock}},
    {"patterns_unbunched", kSingle, {ReadoutKind::ClickPatterns, Space::Unbunched}},
};

ProgramSpec program_of(const Case& test_case, u32 layers = 2) {
    ProgramSpec spec =
        random_program(static_cast<u32>(test_case.input.size()), test_case.input, layers, test_case.readout, 5);
    spec.interference = test_case.interference;
    return spec;
}

class GpuExact : public ::testing::TestWithParam<Case> {};

template <class Real>
void compare(const ProgramSpec& spec, u64 rows, const Geometry& geometry, double tolerance,
             u64 tile_states = kTileStates) {
    const std::vector<double> phases = random_phases(spec, rows, 3);
    std::vector<RowReport> reports(rows);
    RunOptions options;
    options.reports = reports.data();
    const std::vector<double> expected = run<double>(spec, phases, rows, options);
    const Answer<Real> found = run_threads<Real>(spec, phases, rows, geometry, {0, 0, 0, tile_states});
    ASSERT_EQ(found.out.size(), expected.size());
    double largest = 0;
    for (const double value : expected) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < expected.size(); ++i)
        ASSERT_NEAR(static_cast<double>(found.out[i]), expected[i],
                    tolerance * (std::abs(expected[i]) + 0.01 * largest))
            << "output " << i;
    for (u64 row = 0; row < rows; ++row) {
        EXPECT_NEAR(found.kept[row], reports[row].kept_fraction, tolerance);
        EXPECT_EQ(found.statuses[row], static_cast<u32>(CallStatus::Ok));
    }
    EXPECT_EQ(found.executed, rows);
    EXPECT_FALSE(found.failure.has_value());
}

TEST_P(GpuExact, AgreesWithTheCpuInDoublePrecision) {
    compare<double>(program_of(GetParam()), 5, {3, 3, 0}, 1e-12);
    compare<double>(program_of(GetParam(), 1), 2, {32, 8, 1}, 1e-12);
}

TEST_P(GpuExact, AgreesWithTheCpuInSinglePrecision) {
    compare<float>(program_of(GetParam(), 3), 7, {3, 4, 2}, 1e-5);
    compare<float>(program_of(GetParam(), 0), 1, {1, 1, 0}, 1e-5);
}

TEST_P(GpuExact, MemoryIsAsPredicted) {
    constexpr u64 kSmallThings = 512;  // mailbox and words
    for (const u64 tile_states : {u64{kLeaf}, kTileStates}) {
        const CallOptions options{0, 0, 0, tile_states};
        const ThreadedSimulator<float> one(program_of(GetParam()), 1, options), six(program_of(GetParam()), 6, options);
        EXPECT_EQ(six.bytes() - one.bytes(), six.predicted_bytes() - one.predicted_bytes());
        EXPECT_LE(one.bytes(),
                  one.predicted_bytes() + kSmallThings);  // suffixes are taken to have parents in all modes
    }
}

INSTANTIATE_TEST_SUITE_P(Programs, GpuExact, ::testing::ValuesIn(kCases),
                         [](const auto& named) { return named.param.name; });

TEST(GpuExactBits, NeitherBatchNorLaunchChangesABit) {
    constexpr u64 kRows = 40;
    for (const Case& test_case : kCases) {
        const ProgramSpec spec = program_of(test_case);
        const std::vector<double> phases = random_phases(spec, kRows, 9);
        const Answer<float> whole = run_threads<float>(spec, phases, kRows, {1, kRows, 0, 1});
        const u64 outputs = whole.out.size() / kRows;
        const auto expect_same = [&](u64 rows, const Geometry& geometry) {
            const Answer<float> found = run_threads<float>(spec, phases, rows, geometry);
            ASSERT_EQ(std::memcmp(found.out.data(), whole.out.data(), rows * outputs * sizeof(float)), 0)
                << test_case.name;
            ASSERT_TRUE(std::equal(found.kept.begin(), found.kept.end(), whole.kept.begin())) << test_case.name;
        };
        expect_same(13, {3, 7, 0, 3});
        expect_same(kRows, {2, kRows, 9});
        expect_same(1, {4, 1, 1});
    }
}

/// Readouts whose probabilities are stored only to be summed up, with more states than a tile need hold.
const Case kTiled[] = {
    {"modes_unbunched", kSix, {ReadoutKind::ModeExpectations, Space::Unbunched}},
    {"correlators_unbunched", kSix, {ReadoutKind::Correlators, Space::Unbunched}},
    {"correlators_unbunched_distinguishable", kSix, {ReadoutKind::Correlators, Space::Unbunched}, false},
    {"correlators_dual_rail", kEightPairs, {ReadoutKind::Correlators, Space::DualRail}},
    {"clicks_fock_many", {9, 0, 8}, {ReadoutKind::ClickProbabilities, Space::Fock}},
};

template <class Real>
void expect_same_in_tiles(const Case& test_case) {
    constexpr u64 kRows = 5;
    const ProgramSpec spec = program_of(test_case);
    const std::vector<double> phases = random_phases(spec, kRows, 9);
    const Answer<Real> whole = run_threads<Real>(spec, phases, kRows, {1, kRows, 0, 1});
    const auto expect_same = [&](u64 tile_states, const Geometry& geometry) {
        const Answer<Real> found = run_threads<Real>(spec, phases, kRows, geometry, {0, 0, 0, tile_states});
        EXPECT_EQ(found.out, whole.out) << test_case.name << ", " << tile_states << " states at a time";
        EXPECT_EQ(found.kept, whole.kept) << test_case.name;
    };
    expect_same(kLeaf, {3, 2, 0, 2});
    expect_same(2 * kLeaf, {32, kRows, 0, 1});
    expect_same(3 * kLeaf, {1, 1, 0, 1});
}

TEST(GpuExactBits, TilesOfStatesChangeNoBit) {
    for (const Case& test_case : kTiled) {
        const ProgramSpec spec = program_of(test_case);
        ASSERT_TRUE(Plan(spec, Precision::Float32, 0, 2 * kLeaf).tiled()) << test_case.name;
        ASSERT_FALSE(Plan(spec, Precision::Float32, 0).tiled()) << test_case.name;
        compare<double>(spec, 3, {3, 2, 0}, 1e-12, kLeaf);
        expect_same_in_tiles<float>(test_case);
        expect_same_in_tiles<double>(test_case);
    }
}

TEST(GpuExactRows, ABadRowIsNanAndTheOthersAreNot) {
    for (const Case& test_case : kCases) {
        const ProgramSpec spec = program_of(test_case);
        std::vector<double> phases = random_phases(spec, 4, 9);
        phases[spec.phases.size() * 2 + 1] = std::numeric_limits<double>::infinity();
        const Answer<double> found = run_threads<double>(spec, phases, 4, {3, 3, 2});
        const u64 outputs = found.out.size() / 4;
        for (u64 i = 0; i < found.out.size(); ++i)
            ASSERT_EQ(std::isnan(found.out[i]), i / outputs == 2) << test_case.name << " output " << i;
        EXPECT_EQ(found.statuses[2], static_cast<u32>(CallStatus::BadFeature));
        EXPECT_EQ(found.statuses[3], static_cast<u32>(CallStatus::Ok));
        ASSERT_TRUE(found.failure.has_value());
        EXPECT_EQ(found.failure->row, 2u);
        EXPECT_EQ(found.failure->status, CallStatus::BadFeature);
    }
}

}  // namespace
}  // namespace photonlink::optics::gpu
