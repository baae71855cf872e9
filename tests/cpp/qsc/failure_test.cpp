// What happens when the processor fails, dies, lies or hangs, and how a test makes a controller misbehave.
#include "fixture.hpp"

namespace photonlink::qsc::test {
namespace {

TEST(Failures, ADatapointThatThrowsIsAnsweredAndCounted) {
    ProcessorSettings settings;
    settings.fail_ids = {1, 3};
    SessionOptions options;
    options.shots = 10;
    Bench bench(settings, options);
    for (u64 id = 0; id < 5; ++id) {
        const bool fails = id == 1 || id == 3;
        EXPECT_EQ(bench.call({0, 0, 0, 0}, id).status(), fails ? wire::Status::ProcessorFailed : wire::Status::Ok);
    }
    EXPECT_EQ(bench.controller.status().cause, "laser unlocked at 3");
    EXPECT_EQ(bench.controller.status().state, State::Serving);
    const Usage usage = bench.controller.release(bench.grant.session);
    EXPECT_EQ(usage.counts.tokens, 5u);
    EXPECT_EQ(usage.counts.shots, 50u);
    EXPECT_EQ(usage.counts.kept_samples, 30u);
}

TEST(Failures, AProcessorWhoseReportsHaveTheWrongSizeIsNotBelieved) {
    ProcessorSettings settings;
    settings.wrong_report = true;
    Bench bench(settings);
    const Answer answer = bench.caller.call(wire::kReport, report_payload(bench.grant.key, {0, 0, 0, 0}), 0);
    EXPECT_EQ(answer.status(), wire::Status::ProcessorFailed);
    EXPECT_NE(bench.controller.status().cause.find("4 observables, expected 3"), std::string::npos);
}

void expect_death(const ProcessorSettings& settings, const ControllerOptions& options, const std::string& cause,
                  u64 tokens) {
    const std::size_t before = threads_at_rest();
    {
        Bench bench(settings, {}, options);
        ASSERT_EQ(bench.call({0, 0, 0, 0}, 0).status(), wire::Status::Ok);
        EXPECT_EQ(bench.call({0, 0, 0, 0}, 1).link, link::LinkStatus::Closed);
        EXPECT_EQ(bench.caller.client().server_close_reason(), static_cast<u64>(EndReason::DispatcherDied));
        try {
            bench.controller.reserve(test_program(), {});
            ADD_FAILURE() << "reserved a dead controller";
        } catch (const ControllerFailed& problem) {
            EXPECT_NE(std::string(problem.what()).find(cause), std::string::npos) << problem.what();
        }
        EXPECT_EQ(bench.controller.status().state, State::Error);
        EXPECT_NE(bench.controller.status().cause.find(cause), std::string::npos);
        EXPECT_THROW(bench.controller.attach(bench.grant.session, bench.caller.attachment()), ControllerFailed);
        const Usage usage = bench.controller.release(bench.grant.session);
        EXPECT_EQ(usage.end, EndReason::DispatcherDied);
        EXPECT_EQ(usage.counts.tokens, tokens);
        bench.controller.reset();
        EXPECT_NO_THROW(bench.controller.reserve(test_program(), {}));
    }
    expect_threads(before);
}

TEST(Failures, ALostProcessorPutsTheControllerInItsErrorState) {
    ProcessorSettings settings;
    settings.fatal_id = 1;
    expect_death(settings, {}, "cryostat warm", 2);
}

TEST(Failures, SoDoesWhatIsNoException) {
    ProcessorSettings settings;
    settings.alien_id = 1;
    expect_death(settings, {}, "no std::exception", 2);
}

TEST(Faults, TheDispatcherDiesWhenToldTo) {
    ControllerOptions options;
    options.dispatcher.faults.die_at = 1;
    expect_death({}, options, "injected fault", 1);
}

TEST(Faults, AMuteControllerNeverAnswersAndCanStillBeReleased) {
    ControllerOptions options;
    options.dispatcher.faults.mute_from = 2;
    Bench bench({}, {}, options);
    EXPECT_EQ(bench.call({0, 0, 0, 0}, 0).status(), wire::Status::Ok);
    EXPECT_EQ(bench.call({0, 0, 0, 0}, 1).status(), wire::Status::Ok);
    const link::Ticket ticket = bench.submit({0, 0, 0, 0}, 2);
    EXPECT_EQ(bench.caller.collect(ticket, 20'000'000).link, link::LinkStatus::Timeout);
    EXPECT_EQ(bench.controller.release(bench.grant.session).counts.tokens, 2u);
    EXPECT_EQ(bench.caller.collect(ticket).link, link::LinkStatus::Closed);
}

TEST(Failures, AProcessorThatHangsCannotHoldAReleaseForEver) {
    ProcessorSettings settings;
    settings.gated = true;
    ControllerOptions options;
    options.dispatcher.drain_s = 0.05;
    options.dispatcher.processor_grace_s = 0.05;
    Bench bench(settings, {}, options);
    const link::Ticket ticket = bench.submit({0, 0, 0, 0}, 0);
    bench.record->wait_for_run();
    EXPECT_EQ(bench.controller.release(bench.grant.session).end, EndReason::ProcessorHung);
    EXPECT_EQ(bench.controller.status().state, State::Error);
    EXPECT_EQ(bench.caller.collect(ticket).link, link::LinkStatus::Closed);
    EXPECT_THROW(bench.controller.reset(), ControllerFailed) << "the processor is still in use";
    bench.record->open_gate();
    wait_until([&] {
        try {
            bench.controller.reset();
        } catch (const ControllerFailed&) {
            return false;
        }
        return true;
    });
    EXPECT_EQ(bench.controller.status().state, State::Idle);
}

TEST(Heartbeat, AdvancesWhileIdleAndDuringALongRun) {
    ProcessorSettings settings;
    settings.gated = true;
    Bench bench(settings);
    const auto beats = [&] { return bench.caller.client().server_heartbeat(); };
    wait_until([&] { return beats() >= 3; });
    const link::Ticket ticket = bench.submit({0, 0, 0, 0}, 0);
    bench.record->wait_for_run();
    const u64 at_gate = beats();
    wait_until([&] { return beats() >= at_gate + 3; });
    bench.record->open_gate();
    EXPECT_EQ(bench.caller.collect(ticket).status(), wire::Status::Ok);
}

}  // namespace
}  // namespace photonlink::qsc::test
