// Calls of a device port of a real session: results are those of the host's calls and of the simulator itself, bit for
// bit, and what a session does to its callers, it does to a device too.
#include "../optics/programs.hpp"
#include "photonlink/encoding.hpp"
#include "photonlink/qsc/local_session.hpp"
#include "rows.hpp"

namespace photonlink::device::test {
namespace {

using optics::ReadoutKind;
using optics::ReadoutSpec;
using optics::Space;
using optics::test::kPrecision;

constexpr std::size_t kMemoryLimit = std::size_t{1} << 30;
constexpr u64 kSeed = 5;
constexpr u64 kRows = 23;
constexpr u64 kIdsPerPort = u64{1} << 60;

std::shared_ptr<const optics::ProgramSpec> small_program() {
    return std::make_shared<const optics::ProgramSpec>(
        optics::test::random_program(6, {1, 0, 1, 0, 1, 0}, 1, ReadoutSpec{}, 3));
}

/// 3003 probabilities: too many for a slot in either precision.
std::shared_ptr<const optics::ProgramSpec> large_program() {
    ReadoutSpec readout;
    readout.space = Space::Fock;
    return std::make_shared<const optics::ProgramSpec>(
        optics::test::random_program(11, {1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, 1, readout, 4));
}

/// Two features per phase, wrapped, with the steps of a 12-bit converter.
std::shared_ptr<const Encoding> encoding_for(const optics::ProgramSpec& program) {
    const u32 phases = static_cast<u32>(program.phases.size());
    std::vector<u32> row_begin{0};
    std::vector<u32> term_feature;
    std::vector<double> weight;
    for (u32 phase = 0; phase < phases; ++phase) {
        term_feature.insert(term_feature.end(), {phase % kFeatures, (phase + 1) % kFeatures});
        weight.insert(weight.end(), {1.0 + phase, -0.5 * phase});
        row_begin.push_back(static_cast<u32>(term_feature.size()));
    }
    return std::make_shared<const Encoding>(kFeatures, row_begin, term_feature, weight,
                                            std::vector<double>(phases, 0.25), true, 12);
}

/// A session with a device port; the device holds on to its port as long as it may call.
class Reserved {
  public:
    Reserved(std::shared_ptr<const optics::ProgramSpec> program, qsc::SessionOptions options, u32 slots,
             qsc::ControllerOptions controller = {})
        : encoding(encoding_for(*program)),
          session(std::make_shared<qsc::Controller>(qsc::make_native_processor(kMemoryLimit), std::move(controller)),
                  program, encoding, options, 4),
          port(session.open_device_port(slots)),
          side(port->geometry(), port->requests(), port->responses(), port->config().encoding, port->config().key,
               port->config().output_size, options.precision == optics::Precision::Float64 ? 8 : 4) {}

    const Link& link() const { return side.link; }
    u64 tokens() const { return session.usage().counts.tokens; }

    const std::shared_ptr<const Encoding> encoding;
    qsc::LocalSession session;
    const std::shared_ptr<qsc::DevicePort> port;
    DeviceSide side;
};

template <class Out>
qsc::SessionOptions options_for(u32 shots) {
    qsc::SessionOptions options;
    options.shots = shots;
    options.seed = kSeed;
    options.precision = kPrecision<Out>;
    return options;
}

/// Rows of the simulator alone, datapoint by datapoint.
template <class Out, class Real>
std::vector<Out> simulated(const std::shared_ptr<const optics::ProgramSpec>& program, Rows<Real, Out>& rows, u32 shots,
                           u64 first_id) {
    const auto encoding = encoding_for(*program);
    const auto simulator = optics::Simulator::create(program, kPrecision<Out>, kMemoryLimit, shots != 0);
    std::vector<double> phases(program->phases.size());
    std::vector<Out> all;
    for (u64 row = 0; row < rows.rows; ++row) {
        encoding->encode(rows.features(row), 1, phases.data());
        const u64 id = first_id + row;
        const std::vector<Out> y = optics::test::run<Out>(*simulator, phases.data(), 1, {shots, kSeed, &id, nullptr});
        all.insert(all.end(), y.begin(), y.end());
    }
    return all;
}

/// Rows of the host's own calls in a session of its own.
template <class Out, class Real>
std::vector<Out> host_called(const std::shared_ptr<const optics::ProgramSpec>& program, Rows<Real, Out>& rows,
                             u32 shots) {
    Reserved reserved(program, options_for<Out>(shots), 1);
    auto y = std::make_shared<std::vector<Out>>(rows.rows * rows.outputs);
    const qsc::Features features{rows.x.data(), kPrecision<Real>, rows.rows,
                                 rows.feature_stride * static_cast<i64>(sizeof(Real))};
    const qsc::Output out{y->data(), static_cast<i64>(rows.outputs * sizeof(Out)), y};
    EXPECT_EQ(reserved.session.client().infer(features, out, {}).status, CallStatus::Ok);
    return *y;
}

/// One datapoint by the host's client of a float64 session that also has a device port.
CallStatus host_infer_once(Reserved& reserved) {
    const std::vector<double> x(kFeatures);
    const auto y = std::make_shared<std::vector<double>>(reserved.link().outputs);
    return reserved.session.client().infer({x.data(), optics::Precision::Float64, 1, 0}, {y->data(), 0, y}, {}).status;
}

template <class Out, class Real>
void expect_rows(const Rows<Real, Out>& rows, const std::vector<Out>& expected, const char* whose) {
    for (u64 row = 0; row < rows.rows; ++row) {
        ASSERT_EQ(rows.status(row), CallStatus::Ok) << whose << ", row " << row;
        EXPECT_TRUE(same_bits(rows.result(row), expected.data() + row * rows.outputs, rows.outputs))
            << whose << ", row " << row;
        EXPECT_EQ(rows.result(row)[rows.outputs], (Rows<Real, Out>::kMark)) << "wrote into the gap";
    }
}

template <class Out, class Real>
void expect_identical(const std::shared_ptr<const optics::ProgramSpec>& program, u32 shots, const Grid& grid) {
    Reserved reserved(program, options_for<Out>(shots), 3);
    Rows<Real, Out> rows(grid.size == 32 ? 7 : kRows, reserved.link().outputs, 6);
    const std::vector<Out> expected = simulated(program, rows, shots, 0);
    LaunchWords words{};
    run_infer(reserved.link(), rows.batch(), grid, &words);
    expect_rows(rows, expected, "simulator");
    expect_rows(rows, host_called(program, rows, shots), "host");
    EXPECT_EQ(reserved.tokens(), rows.rows);
    EXPECT_EQ(reserved.side.words.failed_rows, 0u);
    EXPECT_EQ(reserved.link().port.in_use(), 0u);
}

TEST(Session, BatchesAreThoseOfHostAndSimulatorBitForBit) {
    for (const u32 shots : {0u, 200u}) {
        expect_identical<double, double>(small_program(), shots, {2, 1, 4});
        expect_identical<double, float>(small_program(), shots, {1, 3, 8});
        expect_identical<float, double>(small_program(), shots, {4, 1, 2});
        expect_identical<float, float>(small_program(), shots, {2, 32, 2});
    }
}

TEST(Session, ResultsLargerThanASlotComeFromItsArea) {
    expect_identical<double, double>(large_program(), 0, {2, 3, 2});
    expect_identical<float, float>(large_program(), 0, {2, 1, 4});
    expect_identical<double, double>(large_program(), 100, {1, 1, 3});
}

/// A port has a range of ids of its own; single and split calls go on in it.
TEST(Session, SingleAndSplitCallsContinueTheIds) {
    constexpr u32 kShots = 100;
    const auto program = small_program();
    Reserved reserved(program, options_for<double>(kShots), 32);
    ASSERT_EQ(host_infer_once(reserved), CallStatus::Ok);  // takes the first range
    Rows<double, double> single(kRows, reserved.link().outputs, 7);
    for (u64 row = 0; row < kRows; ++row) {
        double* const to = single.y.data() + row * static_cast<u64>(single.out_stride);
        const auto call = [&](const HostGroup& group) {
            return infer(group, reserved.link(), single.features(row), to);
        };
        single.statuses[row] = static_cast<u32>(launch_one(row % 2 == 0 ? 1 : 3, call).status);
    }
    expect_rows(single, simulated(program, single, kShots, kIdsPerPort), "single");
    Rows<double, double> split(kRows, reserved.link().outputs, 8);
    std::vector<Pending> pending(kRows);
    LaunchWords words{};
    run_submit(reserved.link(), split.batch(), {2, 3, 1}, &words, pending.data());
    run_collect(reserved.link(), split.batch(), {3, 1, 1}, pending.data());
    expect_rows(split, simulated(program, split, kShots, kIdsPerPort + kRows), "split");
    EXPECT_EQ(reserved.tokens(), 2 * kRows + 1);
}

TEST(Session, BadRowsCostNoToken) {
    Reserved reserved(small_program(), options_for<double>(0), 2);
    Rows<float, double> rows(kRows, reserved.link().outputs, 9);
    for (u64 row = 0; row < kRows; row += 3) rows.features(row)[row % kFeatures] = std::nanf("");
    LaunchWords words{};
    run_infer(reserved.link(), rows.batch(), {2, 3, 2}, &words);
    const u64 bad = (kRows + 2) / 3;
    EXPECT_EQ(rows.count(CallStatus::BadFeature), bad);
    EXPECT_EQ(rows.count(CallStatus::Ok), kRows - bad);
    EXPECT_EQ(reserved.tokens(), kRows - bad);
}

TEST(Session, ASpentBudgetRefusesTheRest) {
    qsc::SessionOptions options = options_for<double>(0);
    options.token_budget = 10;
    Reserved reserved(small_program(), options, 4);
    Rows<double, double> rows(kRows, reserved.link().outputs, 10);
    LaunchWords words{};
    run_infer(reserved.link(), rows.batch(), {1, 3, 4}, &words);
    EXPECT_EQ(rows.count(CallStatus::Ok), 10u);
    EXPECT_EQ(rows.count(CallStatus::Refused), kRows - 10);
    Failure failure{};
    ASSERT_TRUE(take_failure(&reserved.side.latch, &failure));
    EXPECT_EQ(failure.wire_status, static_cast<i32>(wire::Status::BudgetSpent));
}

/// Ends something in the middle of a launch; returns the reason that the device then finds.
qsc::EndReason closed_by(Reserved& reserved, const std::function<void()>& end) {
    constexpr u64 kMany = 300'000;  // seconds' worth of calls: the end comes in their middle
    const std::vector<double> x{0.1, 0.2, 0.3};
    std::vector<double> y(reserved.link().outputs);
    std::vector<u32> statuses(kMany);
    // Each group writes the same row again and again: only the statuses matter here.
    const Batch<double, double> batch{x.data(), 0, y.data(), 0, statuses.data(), kMany};
    LaunchWords words{};
    std::thread ender([&] {
        const u64 limit = patience();
        while (reserved.tokens() < 50 && platform::clock_ns() < limit) std::this_thread::yield();
        end();
    });
    run_infer(reserved.link(), batch, {1, 3, 4}, &words);
    ender.join();
    EXPECT_GE(std::count(statuses.begin(), statuses.end(), static_cast<u32>(CallStatus::Ok)), 50);
    EXPECT_EQ(statuses.back(), static_cast<u32>(CallStatus::Closed));
    Failure failure{};
    EXPECT_TRUE(take_failure(&reserved.side.latch, &failure));
    EXPECT_EQ(failure.status, CallStatus::Closed);
    return static_cast<qsc::EndReason>(failure.close_reason);
}

TEST(Session, ClosingTheSessionEndsALaunch) {
    Reserved reserved(small_program(), options_for<double>(0), 4);
    EXPECT_EQ(closed_by(reserved, [&] { reserved.session.close(); }), qsc::EndReason::Released);
    EXPECT_EQ(reserved.port->close_reason(), static_cast<u64>(qsc::EndReason::Released));
    EXPECT_THROW(reserved.session.open_device_port(1), qsc::UnknownSession);
}

TEST(Session, ClosingThePortEndsALaunchAndNothingElse) {
    Reserved reserved(small_program(), options_for<double>(0), 4);
    const qsc::EndReason reason = closed_by(reserved, [&] { reserved.port->close(); });
    // The device looks at its own close word, or the controller has already answered it.
    EXPECT_TRUE(reason == qsc::EndReason::None || reason == qsc::EndReason::Released);
    EXPECT_EQ(host_infer_once(reserved), CallStatus::Ok);
}

TEST(Session, ADispatcherThatDiesEndsALaunch) {
    qsc::ControllerOptions options;
    options.dispatcher.faults.die_at = 60;
    Reserved reserved(small_program(), options_for<double>(0), 4, options);
    EXPECT_EQ(closed_by(reserved, [] {}), qsc::EndReason::DispatcherDied);
}

}  // namespace
}  // namespace photonlink::device::test
