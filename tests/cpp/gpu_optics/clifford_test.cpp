// Samples without a distribution by the bodies: the same states as the CPU draws, for groups of any size, since no draw
// of these seeds falls within rounding of a boundary between two modes.
#include "photonlink/optics/clifford.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "../device/host_group.hpp"
#include "../optics/permanent.hpp"
#include "../optics/programs.hpp"
#include "host_memory.hpp"
#include "photonlink/optics/gpu/shot_plan.hpp"

namespace photonlink::optics::gpu {
namespace {

using namespace optics::test;
using device::test::HostGroup;
using test::HostMemory;

constexpr u64 kFirstId = (u64{1} << 33) + 5;
constexpr u64 kSeed = 11;
constexpr u32 kNothingKept = 9;

/// How shots are shared out.
struct Crew {
    u32 threads;  // of a group
    u32 groups = 1;
};

/// What a tile leaves, row by row.
struct Shots {
    std::vector<double> out;
    std::vector<double> kept;
    std::vector<u32> states;
    std::vector<u32> statuses;
};

template <u32 Width>
Shots draw(const ProgramSpec& spec, const std::vector<double>& phases, u32 rows, u32 shots, const Crew& crew) {
    check_shot_program(spec);
    HostMemory memory;
    const ShotPlan plan(spec, shots);
    ShotJob job = take_shots(plan, rows, memory);
    const Circuit circuit = upload_circuit(spec, memory);
    Complex64* const composed = memory.take<Complex64>(u64{2} * circuit.elements() * rows);
    device::test::launch(1, crew.threads, [&](const HostGroup& group, u32) {
        for (u32 row = 0; row < rows; ++row) {
            const double* const own = phases.data() + row * spec.phases.size();
            if (std::isfinite(own[0]))
                compose_row(group, circuit, own, composed + u64{row} * 2 * circuit.elements());
            else
                poison_row(group, circuit, composed + u64{row} * 2 * circuit.elements());
        }
    });
    Shots result{std::vector<double>(rows * job.readout.outputs, -7.0), std::vector<double>(rows, -1.0),
                 std::vector<u32>(rows * shots, ~0u), std::vector<u32>(rows)};
    job.composed = composed;
    job.next_id = &kFirstId;
    job.seed = kSeed;
    job.states = result.states.data();
    Results<double> results{};
    results.out = result.out.data();
    results.stride = job.readout.outputs;
    results.kept_fractions = result.kept.data();
    results.statuses = result.statuses.data();
    results.nothing_kept = kNothingKept;
    std::vector<Complex64*> rooms;
    for (u32 g = 0; g < crew.groups; ++g)
        rooms.push_back(memory.take<Complex64>(ShotRoom::bytes(spec.modes, spec.photons()) / sizeof(Complex64) + 1));
    device::test::launch(crew.groups, crew.threads, [&](const HostGroup& group, u32 index) {
        draw_tile<Width>(group, job, ShotRoom(rooms[index], spec.modes, spec.photons()), index, crew.groups);
    });
    device::test::launch(1, crew.threads,
                         [&](const HostGroup& group, u32) { publish_shots(job, results, group.rank(), group.size()); });
    return result;
}

struct Drawn {
    std::vector<double> values;
    std::vector<RowReport> reports;
};

/// What the CPU draws without a distribution.
Drawn expected_of(const ProgramSpec& spec, const std::vector<double>& phases, u32 rows, u32 shots) {
    const auto shared = std::make_shared<const ProgramSpec>(spec);
    const std::size_t limit = predict_bytes(spec, Precision::Float64, true);
    const auto simulator = Simulator::create(shared, Precision::Float64, limit, true, 1);
    EXPECT_STREQ(simulator->sampler(), "clifford_clifford_2017");
    std::vector<u64> ids(rows);
    std::iota(ids.begin(), ids.end(), kFirstId);
    Drawn drawn{{}, std::vector<RowReport>(rows)};
    RunOptions options;
    options.shots = shots;
    options.seed = kSeed;
    options.ids = ids.data();
    options.reports = drawn.reports.data();
    drawn.values = run<double>(*simulator, phases.data(), rows, options);
    return drawn;
}

template <u32 Width>
void compare(const ProgramSpec& spec, u32 rows, u32 shots, const Crew& crew) {
    const std::vector<double> phases = random_phases(spec, rows, 3);
    const Drawn expected = expected_of(spec, phases, rows, shots);
    const Shots found = draw<Width>(spec, phases, rows, shots, crew);
    ASSERT_EQ(found.out.size(), expected.values.size());
    for (std::size_t i = 0; i < found.out.size(); ++i) ASSERT_NEAR(found.out[i], expected.values[i], 1e-13) << i;
    for (u32 row = 0; row < rows; ++row) {
        const RowReport& report = expected.reports[row];
        std::vector<u32> states;
        for (std::size_t entry = 0; entry < report.counts.size(); ++entry)
            states.insert(states.end(), report.counts[entry], report.state_index[entry]);
        std::vector<u32> own(found.states.begin() + row * shots, found.states.begin() + (row + 1) * shots);
        std::sort(own.begin(), own.end());
        EXPECT_EQ(own, states) << "row " << row;
        EXPECT_DOUBLE_EQ(found.kept[row], report.kept_fraction);
        EXPECT_EQ(found.statuses[row], 0u);
    }
}

const ReadoutSpec kReadouts[] = {
    {ReadoutKind::Probabilities, Space::Fock},
    {ReadoutKind::Probabilities, Space::Unbunched},
    {ReadoutKind::Probabilities, Space::DualRail},
    {ReadoutKind::Probabilities, Space::Fock, Grouping::Lex, 6},
    {ReadoutKind::Probabilities, Space::Unbunched, Grouping::Mod, 5},
    {ReadoutKind::ModeExpectations, Space::Fock},
    {ReadoutKind::ModeExpectations, Space::DualRail},
    {ReadoutKind::Correlators, Space::Unbunched},
    {ReadoutKind::Correlators, Space::Fock},
    {ReadoutKind::ClickProbabilities, Space::Fock},
    {ReadoutKind::ClickPatterns, Space::Fock},
    {ReadoutKind::ClickPatterns, Space::Unbunched},
    {ReadoutKind::Samples, Space::Fock},
    {ReadoutKind::Samples, Space::Unbunched},
};

std::vector<u32> input_of(Space space) {
    if (space == Space::DualRail) return {1, 0, 0, 1, 1, 0, 1, 0, 0, 1};
    return {1, 0, 1, 0, 2, 0, 1, 0, 0, 0};
}

TEST(GpuClifford, DrawsWhatTheCpuDrawsForEveryReadout) {
    for (const ReadoutSpec& readout : kReadouts)
        for (const bool interference : {true, false}) {
            SCOPED_TRACE(&readout - kReadouts);
            ProgramSpec spec = random_program(10, input_of(readout.space), 2, readout, 21);
            spec.interference = interference;
            compare<8>(spec, 3, 101, {1, 2});
        }
}

TEST(GpuClifford, DrawsWhatTheCpuDrawsInGroupsOfAnySize) {
    for (const Space space : {Space::Fock, Space::Unbunched}) {
        const ProgramSpec spec =
            random_program(12, {1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0}, 1, {ReadoutKind::Correlators, space}, 4);
        for (const Crew& crew : {Crew{1, 1}, Crew{3, 2}}) compare<8>(spec, 2, 12, crew);
        compare<8>(spec, 1, 2, {32, 1});  // as many as a warp
    }
}

TEST(GpuClifford, DrawsWhatTheCpuDrawsOfManyPhotons) {
    std::vector<u32> input(24);
    for (u32 p = 0; p < 12; ++p) input[2 * p] = 1;
    const ProgramSpec spec = random_program(24, input, 1, {ReadoutKind::ModeExpectations, Space::Fock}, 5);
    compare<16>(spec, 1, 40, {1, 2});
    compare<24>(spec, 1, 40, {3, 1});
    const std::vector<u32> bunched = {5, 0, 4, 0, 0, 4, 0, 0, 0, 0, 4, 0};
    compare<32>(random_program(12, bunched, 1, {ReadoutKind::Samples, Space::Fock}, 6), 1, 3, {2, 1});
}

TEST(GpuClifford, NoBitDependsOnTheGroup) {
    const ProgramSpec spec =
        random_program(10, input_of(Space::Fock), 2, {ReadoutKind::Probabilities, Space::Unbunched}, 21);
    const std::vector<double> phases = random_phases(spec, 2, 8);
    const Shots alone = draw<8>(spec, phases, 2, 30, {1, 1});
    for (const Crew& crew : {Crew{2, 3}, Crew{5, 1}}) {
        const Shots together = draw<16>(spec, phases, 2, 30, crew);
        EXPECT_EQ(together.states, alone.states);
        EXPECT_EQ(together.out, alone.out);
        EXPECT_EQ(together.kept, alone.kept);
    }
}

/// Every photon leaves through the first mode: nothing lies in the unbunched space.
TEST(GpuClifford, ARowOfWhichNothingCanBeKeptIsGivenUp) {
    ProgramSpec spec = random_program(4, {3, 0, 0, 0}, 1, {ReadoutKind::ModeExpectations, Space::Unbunched}, 2);
    for (std::vector<Complex>& matrix : spec.interferometers) {
        std::fill(matrix.begin(), matrix.end(), Complex(0));
        for (u32 i = 0; i < spec.modes; ++i) matrix[i * spec.modes + i] = 1;
    }
    std::vector<double> phases = random_phases(spec, 2, 4);
    phases[spec.phases.size()] = std::nan("");
    const Shots found = draw<8>(spec, phases, 2, 3, {1, 2});
    for (const double value : found.out) EXPECT_TRUE(std::isnan(value));
    EXPECT_EQ(found.kept, (std::vector<double>{0.0, -1.0}));  // the other row's belongs to who poisoned it
    EXPECT_EQ(found.statuses, (std::vector<u32>{kNothingKept, 0}));
}

TEST(GpuClifford, StatesTooManyToBeNumberedAndNoiseAreRefused) {
    std::vector<u32> input(40);
    std::fill_n(input.begin(), 20, 1u);
    EXPECT_THROW(check_shot_program(random_program(40, input, 1, {ReadoutKind::Samples, Space::Fock}, 1)),
                 ProgramError);
    ProgramSpec noisy = random_program(10, input_of(Space::Fock), 1, {ReadoutKind::Samples, Space::Fock}, 1);
    noisy.noise.transmittance = 0.5;
    EXPECT_THROW(check_shot_program(noisy), ProgramError);
}

TEST(GpuMinors, AreThePermanentsWithoutOneColumn) {
    Generator generator(3);
    std::normal_distribution<double> normal;
    for (u32 rows = 1; rows <= 7; ++rows) {
        std::vector<Complex> matrix(rows * (rows + 1));
        for (Complex& element : matrix) element = {normal(generator), normal(generator)};
        std::vector<Complex64> elements, parts((rows + 1) * kSignParts), minors(rows + 1);
        for (const Complex& element : matrix) elements.push_back({element.real(), element.imag()});
        find_minors<8>(ThreadGroup(), elements.data(), rows, parts.data(), minors.data());
        for (u32 without = 0; without <= rows; ++without) {
            std::vector<Complex> rest;
            for (u32 e = 0; e < matrix.size(); ++e)
                if (e % (rows + 1) != without) rest.push_back(matrix[e]);
            const Complex whole = permanent<Complex>(
                rows, [&](std::size_t row, std::size_t column) { return rest[row * rows + column]; });
            const Complex expected = whole * std::ldexp(1.0, static_cast<int>(rows) - 1);
            EXPECT_LT(std::abs(Complex(minors[without].re, minors[without].im) - expected),
                      1e-10 * (1 + std::abs(expected)))
                << rows << " rows, without column " << without;
        }
    }
}

}  // namespace
}  // namespace photonlink::optics::gpu
