// Every readout against its definition, applied to the full distribution state by state.
#include <gtest/gtest.h>

#include <numeric>

#include "photonlink/optics/closed_forms.hpp"
#include "programs.hpp"

namespace photonlink::optics {
namespace {

using namespace test;

struct Case {
    u32 modes;
    std::vector<u32> input;
    Space space;
};

/// values[o] = sum over states of p(state) * value(state)[o].
template <class Value>
std::vector<double> expectation(const ProgramSpec& spec, const std::vector<double>& phases, std::size_t outputs,
                                const Value& add) {
    ProgramSpec full = spec;
    full.readout = {};
    full.readout.space = spec.readout.space;
    const std::vector<double> distribution = run<double>(full, phases, 1);
    const std::vector<u8> states = basis_states(spec.readout.space, spec.modes, spec.photons());
    std::vector<double> out(outputs);
    for (std::size_t s = 0; s < distribution.size(); ++s) add(out, distribution[s], &states[s * spec.modes], s);
    return out;
}

void expect_close(const ProgramSpec& spec, const std::vector<double>& phases, const std::vector<double>& expected) {
    EXPECT_EQ(output_size(spec), expected.size());
    const std::vector<double> precise = run<double>(spec, phases, 1);
    const std::vector<float> rounded = run<float>(spec, phases, 1);
    ASSERT_EQ(precise.size(), expected.size());
    for (std::size_t o = 0; o < expected.size(); ++o) {
        EXPECT_NEAR(precise[o], expected[o], 1e-12);
        EXPECT_NEAR(static_cast<double>(rounded[o]), expected[o], 4e-6);  // correlators reach n^2 / 4
    }
}

class Readouts : public testing::TestWithParam<std::tuple<Case, bool>> {
  protected:
    ProgramSpec spec(ReadoutKind kind, Grouping grouping = Grouping::None, u32 groups = 0) const {
        const Case& test_case = std::get<0>(GetParam());
        ProgramSpec made =
            random_program(test_case.modes, test_case.input, 1, {kind, test_case.space, grouping, groups}, 17);
        made.interference = std::get<1>(GetParam());
        return made;
    }
    std::vector<double> phases() const { return random_phases(spec(ReadoutKind::Samples), 1, 18); }
};

TEST_P(Readouts, ModeExpectations) {
    const ProgramSpec program = spec(ReadoutKind::ModeExpectations);
    expect_close(program, phases(),
                 expectation(program, phases(), program.modes, [&](auto& out, double p, const u8* state, std::size_t) {
                     for (u32 i = 0; i < program.modes; ++i) out[i] += p * state[i];
                 }));
}

TEST_P(Readouts, Correlators) {
    const ProgramSpec program = spec(ReadoutKind::Correlators);
    const u32 m = program.modes;
    expect_close(
        program, phases(),
        expectation(program, phases(), m * (m - 1) / 2, [&](auto& out, double p, const u8* state, std::size_t) {
            std::size_t pair = 0;
            for (u32 i = 0; i < m; ++i)
                for (u32 j = i + 1; j < m; ++j) out[pair++] += p * state[i] * state[j];
        }));
}

TEST_P(Readouts, ClickProbabilities) {
    const ProgramSpec program = spec(ReadoutKind::ClickProbabilities);
    expect_close(program, phases(),
                 expectation(program, phases(), program.modes, [&](auto& out, double p, const u8* state, std::size_t) {
                     for (u32 i = 0; i < program.modes; ++i) out[i] += state[i] > 0 ? p : 0.0;
                 }));
}

TEST_P(Readouts, ClickPatterns) {
    const ProgramSpec program = spec(ReadoutKind::ClickPatterns);
    const u32 m = program.modes;
    const std::vector<u8> patterns = click_patterns(program.readout.space, m, program.photons());
    expect_close(
        program, phases(),
        expectation(program, phases(), patterns.size() / m, [&](auto& out, double p, const u8* state, std::size_t) {
            for (std::size_t k = 0; k < out.size(); ++k) {
                bool same = true;
                for (u32 i = 0; i < m; ++i) same = same && patterns[k * m + i] == (state[i] > 0);
                if (same) out[k] += p;
            }
        }));
}

TEST_P(Readouts, LexGroupsAreBucketsAndModGroupsAreResidues) {
    const u64 basis =
        state_count(std::get<0>(GetParam()).space, std::get<0>(GetParam()).modes, spec(ReadoutKind::Samples).photons());
    for (const u64 groups : {u64{1}, u64{2}, u64{3}, u64{5}, basis, basis + 3}) {
        const u64 bucket = (basis + groups - 1) / groups;
        const ProgramSpec lex = spec(ReadoutKind::Probabilities, Grouping::Lex, static_cast<u32>(groups));
        expect_close(lex, phases(),
                     expectation(lex, phases(), groups,
                                 [&](auto& out, double p, const u8*, std::size_t s) { out[s / bucket] += p; }));
        const ProgramSpec mod = spec(ReadoutKind::Probabilities, Grouping::Mod, static_cast<u32>(groups));
        expect_close(mod, phases(),
                     expectation(mod, phases(), groups,
                                 [&](auto& out, double p, const u8*, std::size_t s) { out[s % groups] += p; }));
    }
}

INSTANTIATE_TEST_SUITE_P(
    Programs, Readouts,
    testing::Combine(testing::Values(Case{2, {1, 1}, Space::Fock}, Case{6, {1, 0, 1, 0, 1, 1}, Space::Fock},
                                     Case{5, {0, 3, 0, 1, 0}, Space::Fock}, Case{4, {0, 0, 6, 0}, Space::Fock},
                                     Case{7, {1, 0, 1, 0, 1, 0, 0}, Space::Unbunched},
                                     Case{6, {2, 0, 1, 0, 0, 0}, Space::Unbunched},
                                     Case{6, {1, 0, 1, 0, 1, 0}, Space::DualRail}),
                     testing::Bool()));

TEST(ClosedForms, CoverTheFullFockSpaceOnly) {
    const auto covered = [](ReadoutKind kind, Space space, std::vector<u32> input) {
        return has_closed_form(
            random_program(static_cast<u32>(input.size()), input, 1, {kind, space, Grouping::None, 0}, 1));
    };
    EXPECT_TRUE(covered(ReadoutKind::ModeExpectations, Space::Fock, {30, 0}));
    EXPECT_TRUE(covered(ReadoutKind::Correlators, Space::Fock, {1, 2, 0}));
    EXPECT_TRUE(covered(ReadoutKind::ClickProbabilities, Space::Fock, {1, 15}));
    EXPECT_FALSE(covered(ReadoutKind::ClickProbabilities, Space::Fock, {1, 16}));
    EXPECT_FALSE(covered(ReadoutKind::ModeExpectations, Space::Unbunched, {1, 1}));
    EXPECT_FALSE(covered(ReadoutKind::Probabilities, Space::Fock, {1, 1}));
}

// Sixteen photons in one mode is where the alternating click series cancels most.
TEST(ClosedForms, ClickSeriesIsAccurateUpToItsLimit) {
    ProgramSpec spec =
        random_program(3, {0, 16, 0}, 1, {ReadoutKind::ClickProbabilities, Space::Fock, Grouping::None, 0}, 2);
    const std::vector<double> phases = random_phases(spec, 1, 3);
    const std::vector<double> closed = run<double>(spec, phases, 1);
    spec.interference = false;  // photons of one mode have nobody to interfere with: the same statistics
    const std::vector<double> product = run<double>(spec, phases, 1);
    for (u32 i = 0; i < 3; ++i) EXPECT_NEAR(closed[i], product[i], 1e-10);
}

TEST(ClosedForms, NeedNoMemoryForTheBasis) {
    std::vector<u32> input(64, 0);
    for (u32 i = 0; i < 30; ++i) input[2 * i] = 1;
    const ProgramSpec spec =
        random_program(64, input, 1, {ReadoutKind::Correlators, Space::Fock, Grouping::None, 0}, 5);
    const auto simulator = make_simulator<double>(spec, std::size_t{1} << 22);
    EXPECT_LT(simulator->memory_bytes(), std::size_t{1} << 22);
    const std::vector<double> phases = random_phases(spec, 2, 6);
    const std::vector<double> pairs = run<double>(*simulator, phases.data(), 2);
    EXPECT_EQ(pairs.size(), 2u * 64 * 63 / 2);
    RunOptions options;
    const u64 ids[] = {0, 1};
    options.ids = ids;
    options.shots = 10;
    EXPECT_THROW(run<double>(*simulator, phases.data(), 2, options), ProgramError);
    const auto shared = std::make_shared<const ProgramSpec>(spec);
    EXPECT_THROW(Simulator::create(shared, Precision::Float64, kGiB, true), ProgramError);
    EXPECT_GT(predict_bytes(spec, Precision::Float64, true), predict_bytes(spec, Precision::Float64, false));
}

}  // namespace
}  // namespace photonlink::optics
