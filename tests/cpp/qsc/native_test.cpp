// The native simulator behind a controller: what comes back through the link is what the simulator gives directly, bit
// for bit.
#include <cmath>
#include <random>

#include "fixture.hpp"

namespace photonlink::qsc::test {
namespace {

constexpr std::size_t kMemoryLimit = std::size_t{1} << 30;
constexpr u32 kModes = 6;
constexpr u64 kRows = 67;

/// Product of random beam splitters with phases: unitary by construction.
std::vector<optics::Complex> random_interferometer(std::mt19937_64& random) {
    std::uniform_real_distribution<double> angle(0, 6.283185307179586);
    std::vector<optics::Complex> matrix(kModes * kModes);
    for (u32 i = 0; i < kModes; ++i) matrix[i * kModes + i] = 1;
    for (u32 layer = 0; layer < kModes; ++layer)
        for (u32 mode = layer % 2; mode + 1 < kModes; mode += 2) {
            const double theta = angle(random);
            const optics::Complex turn = std::polar(1.0, angle(random));
            for (u32 column = 0; column < kModes; ++column) {
                const optics::Complex a = turn * matrix[mode * kModes + column];
                const optics::Complex b = matrix[(mode + 1) * kModes + column];
                matrix[mode * kModes + column] = std::cos(theta) * a - std::sin(theta) * b;
                matrix[(mode + 1) * kModes + column] = std::sin(theta) * a + std::cos(theta) * b;
            }
        }
    return matrix;
}

std::shared_ptr<optics::ProgramSpec> reservoir(std::mt19937_64& random) {
    auto program = std::make_shared<optics::ProgramSpec>();
    program->modes = kModes;
    program->input = {1, 0, 1, 0, 1, 0};
    program->interferometers = {random_interferometer(random), random_interferometer(random)};
    for (u32 mode = 0; mode + 1 < kModes; ++mode) program->phases.push_back({0, mode});
    return program;
}

template <typename Value>
void expect_identical(u32 shots) {
    constexpr bool kDoubles = sizeof(Value) == sizeof(double);
    const auto precision = kDoubles ? optics::Precision::Float64 : optics::Precision::Float32;
    const u32 function = kDoubles ? wire::kInfer : wire::kInferF32;
    std::mt19937_64 random(11);
    const auto program = reservoir(random);
    const std::size_t phases = program->phases.size();
    std::uniform_real_distribution<double> angle(0, 6.283185307179586);
    std::vector<double> points(kRows * phases);
    for (double& phase : points) phase = static_cast<Value>(angle(random));  // exact in the request's type

    const auto simulator = optics::Simulator::create(program, precision, kMemoryLimit);
    const std::size_t outputs = simulator->output_size();
    std::vector<Value> direct(kRows * outputs);
    for (u64 row = 0; row < kRows; ++row) {  // one by one, to compare with whatever batches the dispatcher makes
        void* target = direct.data() + row * outputs;
        optics::SimulationBatch batch;
        batch.rows = 1;
        batch.phases = points.data() + row * phases;
        batch.ids = &row;
        batch.seed = 5;
        batch.shots = shots;
        batch.observables = &target;
        simulator->run(batch);
    }

    SessionOptions options;
    options.shots = shots;
    options.seed = 5;
    options.precision = precision;
    Controller controller(make_native_processor(kMemoryLimit));
    const SessionGrant grant = controller.reserve(program, options);
    ASSERT_EQ(grant.output_size, outputs);
    Caller caller(link::Geometry{128, 504, 0});
    controller.attach(grant.session, caller.attachment());
    std::vector<link::Ticket> tickets(kRows);
    for (u64 row = kRows; row-- > 0;) {
        const std::vector<double> point(points.begin() + static_cast<long>(row * phases),
                                        points.begin() + static_cast<long>((row + 1) * phases));
        tickets[row] = caller.submit(function, infer_payload<Value>(grant.key, point, outputs), row);
    }
    for (u64 row = 0; row < kRows; ++row) {
        const Answer answer = caller.collect(tickets[row]);
        ASSERT_EQ(answer.status(), wire::Status::Ok);
        ASSERT_EQ(answer.payload.size(), outputs * sizeof(Value));
        EXPECT_EQ(std::memcmp(answer.payload.data(), direct.data() + row * outputs, answer.payload.size()), 0)
            << "row " << row;
    }
    EXPECT_EQ(controller.release(grant.session).counts.tokens, kRows);
}

TEST(Native, ExactResultsAreThoseOfTheSimulator) {
    expect_identical<double>(0);
    expect_identical<float>(0);
}

TEST(Native, SampledResultsAreThoseOfTheSimulator) {
    expect_identical<double>(500);
    expect_identical<float>(500);
}

TEST(Native, ReportCarriesTheCountsOfTheSimulatorAndTheTimeTheyTake) {
    std::mt19937_64 random(13);
    const auto program = reservoir(random);
    const std::vector<double> point = {0.1, 0.2, 0.3, 0.4, 0.5};
    SessionOptions options;
    options.shots = 1000;
    options.timing.flat = false;
    options.timing.phase_update_s = 0.01;
    options.timing.clock_hz = 1e6;
    options.timing.transmittance = 0.1;
    options.timing.photons = 3;
    Controller controller(make_native_processor(kMemoryLimit));
    const SessionGrant grant = controller.reserve(program, options);
    Caller caller(link::Geometry{4, 4096, 0});
    controller.attach(grant.session, caller.attachment());
    const Answer answer = caller.call(wire::kReport, report_payload(grant.key, point), 3);
    ASSERT_EQ(answer.status(), wire::Status::Ok);
    wire::ReportHeader report{};
    std::memcpy(&report, answer.payload.data(), sizeof report);
    ASSERT_EQ(answer.payload.size(), wire::report_bytes(report.observables, report.distinct));
    std::vector<double> observables(report.observables);
    std::memcpy(observables.data(), answer.payload.data() + sizeof report, observables.size() * sizeof(double));
    std::vector<u32> sparse(2 * report.distinct);
    std::memcpy(sparse.data(), answer.payload.data() + sizeof report + 16 * observables.size(), 4 * sparse.size());
    u64 total = 0;
    for (u32 i = 0; i < report.distinct; ++i) {
        const u32 count = sparse[report.distinct + i];
        EXPECT_DOUBLE_EQ(observables.at(sparse[i]), count / 1000.0) << "ungrouped: a frequency per state";
        total += count;
    }
    EXPECT_EQ(total, 1000u);
    ASSERT_GT(report.kept_fraction, 0.0);
    ASSERT_LT(report.kept_fraction, 1.0) << "some events bunch";
    // 10 ms, then 1000 kept samples at 1 MHz * 0.1^3 * kept fraction.
    EXPECT_NEAR(static_cast<double>(report.quantum_ns), 1e7 + 1e9 * 1000 / (1000 * report.kept_fraction), 2.0);
}

TEST(Native, ProgramsThatCannotBeSimulatedAreRefusedAtReserve) {
    std::mt19937_64 random(17);
    const auto program = reservoir(random);
    program->interferometers[0][0] *= 2.0;
    Controller controller(make_native_processor(kMemoryLimit));
    EXPECT_THROW(controller.reserve(program, {}), optics::ProgramError);
    EXPECT_EQ(controller.status().state, State::Idle);
    Controller small(make_native_processor(1));
    EXPECT_THROW(small.reserve(reservoir(random), {}), optics::ProgramError);
}

}  // namespace
}  // namespace photonlink::qsc::test
