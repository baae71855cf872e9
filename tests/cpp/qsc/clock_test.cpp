// Clock arithmetic against values worked out by hand.
#include "photonlink/qsc/clock.hpp"

#include <cmath>
#include <limits>

#include "fixture.hpp"

namespace photonlink::qsc::test {
namespace {

constexpr i64 kMs = 1'000'000;

TimingModel device() {
    TimingModel timing;
    timing.name = "device";
    timing.flat = false;
    timing.clock_hz = 4.0e6;
    timing.transmittance = 0.5;
    timing.photons = 3;
    timing.phase_update_s = 0.010;
    timing.full_update_s = 13.0;
    timing.quick_phase_limit = 2;
    return timing;
}

TEST(Clock, ArticleDatapointTakesThirtyMilliseconds) {
    const TimingModel article;  // 20 ms + 1000 kept samples at 100 kHz
    EXPECT_EQ(datapoint_ns(article, 1, 1000, 1.0), 30 * kMs);
    EXPECT_EQ(datapoint_ns(article, 12, 1000, 0.01), 30 * kMs) << "flat: neither number of phases nor fraction matter";
    EXPECT_EQ(configuration_ns(article, 1000), 1000 * kMs);
}

TEST(Clock, UnchangedPhasesNeedNoUpdate) {
    EXPECT_EQ(datapoint_ns(TimingModel{}, 0, 1000, 1.0), 10 * kMs);
    EXPECT_EQ(update_seconds(device(), 0), 0.0);
}

TEST(Clock, BeyondTheQuickLimitAFullUpdateIsDue) {
    EXPECT_EQ(update_seconds(device(), 2), 0.010);
    EXPECT_EQ(update_seconds(device(), 3), 13.0);
    // 4 MHz / 8 * 0.25 kept = 125 kHz; 1000 samples take 8 ms.
    EXPECT_EQ(datapoint_ns(device(), 2, 1000, 0.25), 18 * kMs);
    EXPECT_EQ(datapoint_ns(device(), 3, 1000, 0.25), 13008 * kMs);
}

TEST(Clock, KeptSamplesFallWithPhotonNumber) {
    TimingModel timing = device();
    EXPECT_DOUBLE_EQ(acquisition_seconds(timing, 1000, 1.0), 1000 / 0.5e6);
    timing.photons = 6;
    EXPECT_DOUBLE_EQ(acquisition_seconds(timing, 1000, 1.0), 1000 / 62.5e3);
}

TEST(Clock, ExactResultsHaveNoQuantumTime) {
    EXPECT_EQ(datapoint_ns(TimingModel{}, 5, 0, 1.0), kNoQuantumTime);
    EXPECT_EQ(configuration_ns(TimingModel{}, 0), kNoQuantumTime);
}

TEST(Clock, AProgramThatKeepsNothingNeverEnds) {
    EXPECT_TRUE(std::isinf(acquisition_seconds(device(), 1, 0.0)));
    EXPECT_TRUE(std::isinf(acquisition_seconds(device(), 1, std::nan(""))));
    EXPECT_EQ(datapoint_ns(device(), 0, 1, 0.0), std::numeric_limits<i64>::max());
    Counts counts{0, 0, 0, std::numeric_limits<i64>::max()};
    counts.add(Counts{1, 1, 1, 5});
    EXPECT_EQ(counts.quantum_ns, std::numeric_limits<i64>::max()) << "saturates";
}

TEST(Clock, ModelsThatCannotBeComputedWithAreNamed) {
    const auto message = [](void (*spoil)(TimingModel&)) {
        TimingModel timing = device();
        spoil(timing);
        try {
            validate(timing);
        } catch (const std::invalid_argument& problem) {
            return std::string(problem.what());
        }
        return std::string();
    };
    EXPECT_EQ(message([](TimingModel&) {}), "");
    EXPECT_NE(message([](TimingModel& t) { t.phase_update_s = -1; }).find("phase_update_s"), std::string::npos);
    EXPECT_NE(message([](TimingModel& t) { t.full_update_s = std::nan(""); }).find("full_update_s"), std::string::npos);
    EXPECT_NE(message([](TimingModel& t) { t.configuration_s = -2; }).find("configuration_s"), std::string::npos);
    EXPECT_NE(message([](TimingModel& t) { t.clock_hz = 0; }).find("clock_hz"), std::string::npos);
    EXPECT_NE(message([](TimingModel& t) { t.transmittance = 1.5; }).find("transmittance"), std::string::npos);
    EXPECT_NE(message([](TimingModel& t) { t.photons = 0; }).find("photons"), std::string::npos);
    EXPECT_NE(message([](TimingModel& t) {
                  t.flat = true;
                  t.kept_rate_hz = 0;
              }).find("kept_rate_hz"),
              std::string::npos);
}

SessionOptions sampled(ClockMode clock, TimingModel timing = {}) {
    SessionOptions options;
    options.shots = 1000;
    options.clock = clock;
    options.timing = timing;
    return options;
}

TEST(PhaseTracking, CountsPhasesThatDifferFromTheDatapointBefore) {
    ProcessorSettings settings;
    settings.max_batch = 4;  // tracking is per datapoint, however they are batched
    settings.kept_fraction = 0.25;
    settings.gated = true;
    Bench bench(settings, sampled(ClockMode::Virtual, device()));
    const std::vector<std::vector<double>> points = {{0, 0, 0, 0}, {0, 0, 0, 0}, {1, 0, 0, 0},   {1, 2, 0, 0},
                                                     {1, 2, 0, 0}, {0, 0, 3, 0}, {0, 0, 3, -0.0}};
    const u32 expected_changed[] = {4, 0, 1, 1, 0, 3, 0};
    std::vector<link::Ticket> tickets;
    for (u64 i = 0; i < points.size(); ++i)
        tickets.push_back(bench.caller.submit(wire::kReport, report_payload(bench.grant.key, points[i]), i));
    bench.record->open_gate();
    i64 total = 0;
    for (u64 i = 0; i < points.size(); ++i) {
        const Answer answer = bench.caller.collect(tickets[i]);
        ASSERT_EQ(answer.status(), wire::Status::Ok);
        wire::ReportHeader report{};
        std::memcpy(&report, answer.payload.data(), sizeof report);
        EXPECT_EQ(report.changed_phases, expected_changed[i]) << "datapoint " << i;
        const i64 update = expected_changed[i] == 0 ? 0 : expected_changed[i] <= 2 ? 10 * kMs : 13000 * kMs;
        EXPECT_EQ(report.quantum_ns, update + 8 * kMs);
        total += report.quantum_ns;
    }
    EXPECT_EQ(bench.controller.usage(bench.grant.session).counts.quantum_ns, total);
}

TEST(VirtualClock, AddsUpWithoutWaiting) {
    TimingModel slow;  // a test that waited would never end
    slow.kept_rate_hz = 1.0;
    Bench bench({}, sampled(ClockMode::Virtual, slow));
    for (u64 i = 0; i < 50; ++i) ASSERT_EQ(bench.call({0, 0, 0, double(i)}, i).status(), wire::Status::Ok);
    const Usage usage = bench.controller.release(bench.grant.session);
    EXPECT_EQ(usage.counts.quantum_ns, 50 * 1'000'020 * kMs);
    EXPECT_EQ(usage.configuration_ns, 1000 * kMs);
    EXPECT_EQ(usage.counts.tokens, 50u);
    EXPECT_EQ(usage.counts.shots, 50'000u);
    EXPECT_EQ(usage.counts.kept_samples, 50'000u);
    EXPECT_LT(usage.wall_ns, static_cast<u64>(usage.counts.quantum_ns));
}

TEST(NoClock, KeepsNoTime) {
    Bench bench({}, sampled(ClockMode::None));
    ASSERT_EQ(bench.call({0, 0, 0, 0}, 0).status(), wire::Status::Ok);
    const Usage usage = bench.controller.release(bench.grant.session);
    EXPECT_EQ(usage.counts.quantum_ns, kNoQuantumTime);
    EXPECT_EQ(usage.configuration_ns, kNoQuantumTime);
    EXPECT_EQ(usage.counts.shots, 1000u);
}

TEST(RealtimeClock, NeverEndsEarly) {
    TimingModel timing;
    timing.configuration_s = 0.015;
    timing.phase_update_s = 0.003;
    timing.kept_rate_hz = 1e6;  // 1000 samples: 1 ms
    ProcessorSettings settings;
    settings.max_batch = 8;
    const u64 before_ns = platform::clock_ns();
    Bench bench(settings, sampled(ClockMode::Realtime, timing));
    EXPECT_GE(platform::clock_ns() - before_ns, 15'000'000u) << "loading the program takes its time too";
    const u64 start_ns = platform::clock_ns();
    std::vector<link::Ticket> tickets;
    for (u64 i = 0; i < 6; ++i) tickets.push_back(bench.submit({double(i / 2), 0, 0, 0}, i));
    u64 modelled_ns = 0;
    for (u64 i = 0; i < 6; ++i) {
        ASSERT_EQ(bench.caller.collect(tickets[i]).status(), wire::Status::Ok);
        modelled_ns += i % 2 == 0 ? 4'000'000 : 1'000'000;  // every other one changes a phase
        EXPECT_GE(platform::clock_ns() - start_ns, modelled_ns) << "datapoint " << i;
    }
    EXPECT_EQ(bench.controller.usage(bench.grant.session).counts.quantum_ns, static_cast<i64>(modelled_ns));
}

TEST(RealtimeClock, HeartbeatAdvancesAndAStopInterruptsALongAcquisition) {
    TimingModel timing;
    timing.configuration_s = 0;
    timing.kept_rate_hz = 0.01;  // a day and more
    SessionOptions options = sampled(ClockMode::Realtime, timing);
    options.max_duration_s = 2;
    Bench bench({}, options);
    const u64 first_beat = bench.caller.client().server_heartbeat();
    const link::Ticket ticket = bench.submit({0, 0, 0, 0}, 0);
    bench.record->wait_for_run();
    wait_until([&] { return bench.caller.client().server_heartbeat() >= first_beat + 3; });
    const Answer answer = bench.caller.collect(ticket);
    EXPECT_EQ(answer.status(), wire::Status::ProcessorFailed) << "cut short: no result";
    wait_until([&] { return bench.controller.status().session == 0; });
    const Usage usage = bench.controller.usage(bench.grant.session);
    EXPECT_EQ(usage.end, EndReason::MaxDuration);
    EXPECT_EQ(usage.counts.tokens, 1u);
}

}  // namespace
}  // namespace photonlink::qsc::test
