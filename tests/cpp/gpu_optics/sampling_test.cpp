// Samples drawn by the bodies against those of the CPU simulator: the same draws, since no draw of these seeds falls
// within rounding of a boundary between two states.
#include <cmath>

#include "bodies.hpp"

namespace photonlink::optics::gpu {
namespace {

using namespace test;

const ReadoutSpec kReadouts[] = {
    {ReadoutKind::Probabilities, Space::Fock},
    {ReadoutKind::Probabilities, Space::Unbunched},
    {ReadoutKind::Probabilities, Space::Fock, Grouping::Lex, 6},
    {ReadoutKind::Probabilities, Space::Unbunched, Grouping::Mod, 5},
    {ReadoutKind::ModeExpectations, Space::Fock},
    {ReadoutKind::Correlators, Space::Unbunched},
    {ReadoutKind::ClickProbabilities, Space::Fock},
    {ReadoutKind::ClickPatterns, Space::Fock},
};

constexpr u64 kFirstId = (u64{1} << 33) + 5;
constexpr u64 kSeed = 11;

/// What the CPU draws.
std::vector<double> expected_of(const ProgramSpec& spec, const std::vector<double>& phases, u64 rows, u32 shots) {
    std::vector<u64> ids;
    for (u64 row = 0; row < rows; ++row) ids.push_back(kFirstId + row);
    RunOptions options;
    options.shots = shots;
    options.seed = kSeed;
    options.ids = ids.data();
    return run<double>(spec, phases, rows, options);
}

void compare(const ProgramSpec& spec, u64 rows, u32 shots, const Geometry& geometry) {
    const std::vector<double> phases = random_phases(spec, rows, 3);
    const std::vector<double> expected = expected_of(spec, phases, rows, shots);
    const Answer<double> found = run_threads<double>(spec, phases, rows, geometry, {shots, kSeed, kFirstId});
    ASSERT_EQ(found.out.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(found.out[i], expected[i], 1e-12) << "output " << i;
    EXPECT_EQ(found.executed, kFirstId + rows);
}

TEST(GpuSampling, DrawsWhatTheCpuDraws) {
    for (const ReadoutSpec& readout : kReadouts)
        for (const bool interference : {true, false}) {
            ProgramSpec spec = random_program(8, {1, 0, 1, 0, 2, 0, 0, 0}, 2, readout, 21);
            spec.interference = interference;
            compare(spec, 5, 101, {3, 2, 0});
            compare(spec, 3, 40, {4, 3, 2});
        }
}

TEST(GpuSampling, DrawsWhatTheCpuDrawsFromManyStates) {
    const ReadoutSpec readout{ReadoutKind::Probabilities, Space::Fock};
    compare(random_program(11, {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, 1, readout, 4), 2, 5000, {3, 2, 0});  // 8008 states
}

TEST(GpuSampling, NeitherBatchNorLaunchChangesADraw) {
    const ProgramSpec spec =
        random_program(8, {1, 0, 1, 0, 2, 0, 0, 0}, 2, {ReadoutKind::Probabilities, Space::Unbunched}, 21);
    const std::vector<double> phases = random_phases(spec, 9, 3);
    const CallOptions options{33, kSeed, kFirstId};
    const Answer<float> whole = run_threads<float>(spec, phases, 9, {1, 9, 0, 1}, options);
    for (const Geometry& geometry : {Geometry{3, 2, 0, 3}, Geometry{2, 9, 3}, Geometry{4, 1, 1}})
        EXPECT_EQ(run_threads<float>(spec, phases, 9, geometry, options).out, whole.out);
}

/// Two photons on a balanced beam splitter leave together (Hong, Ou, Mandel 1987): nothing lies in unbunched space.
ProgramSpec bunching() {
    ProgramSpec spec;
    spec.modes = 2;
    spec.input = {1, 1};
    const double r = std::sqrt(0.5);
    spec.interferometers = {{1.0, 0.0, 0.0, 1.0}, {r, r, r, -r}};
    spec.phases = {{0, 0}};
    spec.readout = {ReadoutKind::Probabilities, Space::Unbunched};
    return spec;
}

TEST(GpuSampling, ARowOfWhichNothingCanBeKeptIsRefused) {
    const std::vector<double> phases = {0.3, 0.7};
    const Answer<double> exact = run_threads<double>(bunching(), phases, 2, {2, 2, 1});
    EXPECT_EQ(exact.out, std::vector<double>(2, 0.0));
    EXPECT_EQ(exact.kept, std::vector<double>(2, 0.0));
    const Answer<float> sampled = run_threads<float>(bunching(), phases, 2, {2, 2, 0}, {10, 0, 40});
    for (u64 row = 0; row < 2; ++row) {
        EXPECT_TRUE(std::isnan(sampled.out[row]));
        EXPECT_EQ(sampled.kept[row], 0.0);
        EXPECT_EQ(sampled.statuses[row], static_cast<u32>(CallStatus::Refused));
    }
    ASSERT_TRUE(sampled.failure.has_value());
    EXPECT_EQ(sampled.failure->wire_status, static_cast<i32>(wire::Status::ProcessorFailed));
    EXPECT_EQ(sampled.failure->id, 40 + sampled.failure->row);
}

}  // namespace
}  // namespace photonlink::optics::gpu
