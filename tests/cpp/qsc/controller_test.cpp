// The state machine and every way a reservation is refused or ends.
#include <sys/wait.h>
#include <unistd.h>

#include <future>

#include "fixture.hpp"

namespace photonlink::qsc::test {
namespace {

struct Rig {
    explicit Rig(ProcessorSettings settings = {}, ControllerOptions options = {})
        : record(std::make_shared<Record>(std::move(settings))),
          controller(std::make_unique<TestProcessor>(record), std::move(options)) {}
    ~Rig() { record->open_gate(); }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    State state() const { return controller.status().state; }

    std::shared_ptr<Record> record;
    Controller controller;
};

template <typename Error, typename Call>
std::string message_of(Call call) {
    try {
        call();
    } catch (const Error& problem) {
        return problem.what();
    } catch (const std::exception& problem) {
        ADD_FAILURE() << "another error: " << problem.what();
        return "";
    }
    ADD_FAILURE() << "no error";
    return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Controller, GoesThroughItsStates) {
    State while_configuring = State::Error;
    Controller* observed = nullptr;
    ProcessorSettings settings;
    settings.on_configure = [&] { while_configuring = observed->status().state; };
    Rig rig(settings);
    observed = &rig.controller;
    EXPECT_EQ(rig.state(), State::Idle);
    const SessionGrant grant = rig.controller.reserve(test_program(), {});
    EXPECT_EQ(while_configuring, State::Reserved) << "and status() answers meanwhile";
    EXPECT_EQ(rig.state(), State::Configured);
    EXPECT_EQ(rig.controller.status().digest, "digest-of-test");
    EXPECT_EQ(rig.controller.status().session, grant.session);
    Caller caller;
    rig.controller.attach(grant.session, caller.attachment());
    EXPECT_EQ(rig.state(), State::Serving);
    EXPECT_EQ(rig.controller.release(grant.session).end, EndReason::Released);
    EXPECT_EQ(rig.state(), State::Released);
    EXPECT_EQ(rig.controller.status().session, 0u);
    EXPECT_EQ(caller.client().server_close_reason(), static_cast<u64>(EndReason::Released));
    const SessionGrant second = rig.controller.reserve(test_program(), {});
    EXPECT_NE(second.session, grant.session);
    EXPECT_NE(second.key, grant.key);
    EXPECT_NE(second.key, 0u);
}

TEST(Controller, ReleaseIsIdempotentAndKnowsOldSessions) {
    Bench bench;
    ASSERT_EQ(bench.call({1, 2, 3, 4}, 0).status(), wire::Status::Ok);
    const Usage first = bench.controller.release(bench.grant.session);
    const SessionGrant next = bench.controller.reserve(test_program(), {});
    const Usage again = bench.controller.release(bench.grant.session);
    EXPECT_EQ(again.counts.tokens, 1u);
    EXPECT_EQ(again.wall_ns, first.wall_ns);
    EXPECT_EQ(again.end, EndReason::Released);
    EXPECT_EQ(bench.controller.status().session, next.session) << "the running session is untouched";
    EXPECT_THROW(bench.controller.release(999), UnknownSession);
    EXPECT_THROW(bench.controller.usage(999), UnknownSession);
    EXPECT_THROW(bench.controller.attach(bench.grant.session, bench.caller.attachment()), UnknownSession);
}

TEST(Controller, ReleaseFinishesWhatWasAccepted) {
    ProcessorSettings settings;
    settings.gated = true;
    Bench bench(settings);
    std::vector<link::Ticket> tickets;
    for (u64 i = 0; i < 8; ++i) tickets.push_back(bench.submit({0, 0, 0, double(i)}, i));
    bench.record->wait_for_run();
    auto released = std::async(std::launch::async, [&] { return bench.controller.release(bench.grant.session); });
    bench.record->open_gate();
    for (const link::Ticket& ticket : tickets) EXPECT_EQ(bench.caller.collect(ticket).status(), wire::Status::Ok);
    EXPECT_EQ(released.get().counts.tokens, 8u);
}

TEST(Controller, ReleaseRefusesWhatDoesNotFitTheDrain) {
    ProcessorSettings settings;
    settings.gated = true;
    ControllerOptions options;
    options.dispatcher.drain_s = 0;
    Bench bench(settings, {}, options);
    const link::Ticket executing = bench.submit({0, 0, 0, 0}, 0);
    bench.record->wait_for_run();
    const link::Ticket waiting = bench.submit({0, 0, 0, 0}, 1);
    auto released = std::async(std::launch::async, [&] { return bench.controller.release(bench.grant.session); });
    wait_until([&] {  // until the release is under way
        try {
            bench.controller.attach(bench.grant.session, Caller().attachment());
        } catch (const UnknownSession&) {
            return true;
        }
        return false;
    });
    bench.record->open_gate();
    EXPECT_EQ(released.get().counts.tokens, 1u);
    EXPECT_EQ(bench.caller.collect(executing).status(), wire::Status::Ok);
    EXPECT_EQ(bench.caller.collect(waiting).status(), wire::Status::SessionExpired);
    EXPECT_EQ(bench.record->ids(), std::vector<u64>{0});
}

TEST(Controller, SecondReserveIsBusyWithATimeToRetry) {
    Rig rig;
    SessionOptions options;
    options.max_duration_s = 100;
    SessionGrant grant = rig.controller.reserve(test_program(), options);
    const auto retry = [&]() -> std::optional<double> {
        try {
            rig.controller.reserve(test_program(), {});
        } catch (const Busy& busy) {
            return busy.retry_after_s;
        }
        ADD_FAILURE() << "not busy";
        return std::nullopt;
    };
    auto after = retry();
    ASSERT_TRUE(after);
    EXPECT_GT(*after, 0);
    EXPECT_LE(*after, 100);
    rig.controller.release(grant.session);

    options.idle_timeout_s = 50;  // the earlier of both
    grant = rig.controller.reserve(test_program(), options);
    after = retry();
    ASSERT_TRUE(after);
    EXPECT_LE(*after, 50);
    rig.controller.release(grant.session);

    grant = rig.controller.reserve(test_program(), {});
    EXPECT_FALSE(retry()) << "no limit: nobody knows";
}

TEST(Controller, OfManyReservesAtOnceOneWins) {
    Rig rig;
    std::atomic<int> won{0}, busy{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] {
            try {
                rig.controller.reserve(test_program(), {});
                ++won;
            } catch (const Busy&) {
                ++busy;
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
    EXPECT_EQ(busy, 7);
}

TEST(Controller, RefusesWhatTheProcessorCannotDo) {
    ProcessorSettings settings;
    settings.supports_exact = false;
    Rig rig(settings);
    EXPECT_TRUE(contains(message_of<Refused>([&] { rig.controller.reserve(test_program(), {}); }), "shots is 0"));
    SessionOptions options;
    options.shots = 10;
    options.timing.kept_rate_hz = 0;
    EXPECT_TRUE(
        contains(message_of<Refused>([&] { rig.controller.reserve(test_program(), options); }), "kept_rate_hz"));
    options = {};
    options.shots = 10;
    options.idle_timeout_s = -1;
    EXPECT_TRUE(contains(message_of<Refused>([&] { rig.controller.reserve(test_program(), options); }), "idle"));
    EXPECT_THROW(rig.controller.reserve(nullptr, {}), optics::ProgramError);
    EXPECT_EQ(rig.state(), State::Idle);
}

TEST(Controller, AFailedConfigurationReservesNothing) {
    int attempt = 0;
    ProcessorSettings settings;
    settings.on_configure = [&attempt] {
        if (++attempt == 1) throw optics::ProgramError("too many modes");
        if (attempt == 2) throw std::runtime_error("no laser");
        if (attempt == 3) throw ProcessorFatal("fire");
    };
    Rig rig(settings);
    EXPECT_EQ(message_of<optics::ProgramError>([&] { rig.controller.reserve(test_program(), {}); }), "too many modes");
    EXPECT_EQ(rig.state(), State::Idle);
    EXPECT_TRUE(contains(message_of<ProcessorError>([&] { rig.controller.reserve(test_program(), {}); }), "no laser"));
    EXPECT_EQ(rig.state(), State::Idle);
    EXPECT_TRUE(contains(message_of<ControllerFailed>([&] { rig.controller.reserve(test_program(), {}); }), "fire"));
    EXPECT_EQ(rig.state(), State::Error);
    EXPECT_TRUE(contains(message_of<ControllerFailed>([&] { rig.controller.reserve(test_program(), {}); }), "fire"));
    rig.controller.reset();
    EXPECT_NO_THROW(rig.controller.reserve(test_program(), {}));
}

TEST(Controller, ReleasesAnIdleSessionAndOneThatNobodyAttachedTo) {
    SessionOptions options;
    options.idle_timeout_s = 0.05;
    Bench bench({}, options);
    wait_until([&] { return bench.controller.status().session == 0; });
    EXPECT_EQ(bench.controller.usage(bench.grant.session).end, EndReason::IdleTimeout);
    EXPECT_EQ(bench.caller.client().server_close_reason(), static_cast<u64>(EndReason::IdleTimeout));
    const SessionGrant grant = bench.controller.reserve(test_program(), options);
    wait_until([&] { return bench.controller.status().session == 0; });
    EXPECT_EQ(bench.controller.status().last_end, EndReason::IdleTimeout);
    EXPECT_GE(bench.controller.usage(grant.session).wall_ns, 50'000'000u);
}

TEST(Controller, RequestsAndAcquisitionsKeepASessionFromBeingIdle) {
    ProcessorSettings settings;
    settings.gated = true;
    SessionOptions options;
    options.idle_timeout_s = 1;
    Bench bench(settings, options);
    const link::Ticket ticket = bench.submit({0, 0, 0, 0}, 0);
    bench.record->wait_for_run();
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    const Caller another;  // taken only by a session that nobody is ending
    EXPECT_NO_THROW(bench.controller.attach(bench.grant.session, another.attachment())) << "an acquisition is not idle";
    bench.record->open_gate();
    EXPECT_EQ(bench.caller.collect(ticket).status(), wire::Status::Ok);
}

TEST(Controller, EndsASessionAtItsMaximumDuration) {
    SessionOptions options;
    options.max_duration_s = 0.1;
    Bench bench({}, options);
    const u64 deadline = platform::clock_ns() + kPatience_ns;
    while (bench.caller.client().server_close_reason() == 0 && platform::clock_ns() < deadline) {
        link::Ticket ticket{};
        if (bench.caller.client().try_claim(&ticket) != link::LinkStatus::Ok) break;
        bench.caller.client().cancel(ticket);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    wait_until([&] { return bench.controller.status().session == 0; });
    const Usage usage = bench.controller.usage(bench.grant.session);
    EXPECT_EQ(usage.end, EndReason::MaxDuration);
    EXPECT_GE(usage.wall_ns, 100'000'000u);
}

TEST(Controller, RequestsThatWaitWhenASessionExpiresAreAnsweredSo) {
    ProcessorSettings settings;
    settings.gated = true;
    SessionOptions options;
    options.max_duration_s = 1;
    Bench bench(settings, options);
    const link::Ticket executing = bench.submit({0, 0, 0, 0}, 0);
    bench.record->wait_for_run();
    const link::Ticket waiting = bench.submit({0, 0, 0, 0}, 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    bench.record->open_gate();
    EXPECT_EQ(bench.caller.collect(executing).status(), wire::Status::Ok);
    EXPECT_EQ(bench.caller.collect(waiting).status(), wire::Status::SessionExpired);
    wait_until([&] { return bench.controller.status().session == 0; });
    EXPECT_EQ(bench.controller.usage(bench.grant.session).counts.tokens, 1u);
}

TEST(Controller, LosesTheLockWithItsLastClient) {
    Rig rig;
    const SessionGrant grant = rig.controller.reserve(test_program(), {});
    std::atomic<bool> first_alive{true}, second_alive{true};
    Caller first, second;
    PortAttachment one = first.attachment(), two = second.attachment();
    one.alive = [&] { return first_alive.load(); };
    two.alive = [&] { return second_alive.load(); };
    rig.controller.attach(grant.session, std::move(one));
    rig.controller.attach(grant.session, std::move(two));
    first_alive = false;
    wait_until([&] { return first.client().server_close_reason() == static_cast<u64>(EndReason::ClientLost); });
    EXPECT_EQ(rig.controller.status().session, grant.session);
    EXPECT_EQ(second.call(wire::kEcho, echo_payload(grant.key, "still here"), 0).status(), wire::Status::Ok);
    second_alive = false;
    wait_until([&] { return rig.controller.status().session == 0; });
    EXPECT_EQ(rig.controller.usage(grant.session).end, EndReason::ClientLost);
}

TEST(Controller, AClosedPortIsLetGoButKeepsTheSession) {
    Bench bench;
    bench.caller.client().close();
    wait_until([&] { return bench.caller.client().server_close_reason() != 0; });
    EXPECT_EQ(bench.controller.status().session, bench.grant.session);
    Caller another;
    bench.controller.attach(bench.grant.session, another.attachment());
    EXPECT_EQ(another.call(wire::kEcho, echo_payload(bench.grant.key, "x"), 0).status(), wire::Status::Ok);
    EXPECT_EQ(bench.controller.release(bench.grant.session).end, EndReason::Released);
}

TEST(Controller, CarriesForASessionWhicheverPortsLeave) {
    Rig rig;
    const SessionGrant grant = rig.controller.reserve(test_program(), {});
    std::atomic<u64> early{0}, late{0};
    const auto counting = [](std::atomic<u64>& turns) {
        return [&turns] {
            ++turns;
            return false;
        };
    };
    rig.controller.carry(grant.session, counting(early));
    Caller first;
    rig.controller.attach(grant.session, first.attachment());
    rig.controller.carry(grant.session, counting(late));
    wait_until([&] { return early > 0 && late > 0; });
    first.client().close();
    wait_until([&] { return first.client().server_close_reason() != 0; });
    const u64 before = early;
    wait_until([&] { return early > before + 10; });
    rig.controller.release(grant.session);
    const u64 after = late;
    EXPECT_THROW(rig.controller.carry(grant.session, counting(late)), UnknownSession);
    EXPECT_EQ(late, after);
}

TEST(Controller, MaintenanceWaitsForTheSession) {
    Rig rig;
    const SessionGrant grant = rig.controller.reserve(test_program(), {});
    EXPECT_THROW(rig.controller.calibrate(), Busy);
    EXPECT_FALSE(rig.controller.request_maintenance());
    EXPECT_EQ(rig.controller.status().maintenance, Maintenance::Requested);
    rig.controller.release(grant.session);
    EXPECT_EQ(rig.controller.status().maintenance, Maintenance::Active);
    EXPECT_THROW(rig.controller.reserve(test_program(), {}), Busy);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    const double age = rig.controller.status().calibration_age_s;
    EXPECT_GE(age, 0.03);
    rig.controller.calibrate();
    const Status after = rig.controller.status();
    EXPECT_LT(after.calibration_age_s, after.uptime_s - 0.029);
    rig.controller.finish_maintenance();
    EXPECT_NO_THROW(rig.controller.reserve(test_program(), {}));
    rig.controller.finish_maintenance();
}

TEST(Controller, ShutdownEndsSessionAndThreads) {
    const std::size_t before = threads_at_rest();
    for (int round = 0; round < 3; ++round) {
        ProcessorSettings settings;
        Rig rig(settings);
        const SessionGrant grant = rig.controller.reserve(test_program(), {});
        Caller caller;
        rig.controller.attach(grant.session, caller.attachment());
        ASSERT_EQ(caller.call(wire::kEcho, echo_payload(grant.key, "x"), 0).status(), wire::Status::Ok);
        expect_threads(before + 2);
        rig.controller.shutdown();
        expect_threads(before);
        rig.controller.shutdown();
        EXPECT_EQ(rig.controller.usage(grant.session).end, EndReason::Shutdown);
        EXPECT_EQ(caller.client().server_close_reason(), static_cast<u64>(EndReason::Shutdown));
        EXPECT_THROW(rig.controller.reserve(test_program(), {}), ControllerFailed);
    }
    { Rig never_used; }
    expect_threads(before);
}

TEST(Controller, DoesNotSurviveAFork) {
    Bench bench;
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        int failures = 0;
        try {
            bench.controller.status();
            ++failures;
        } catch (const ControllerFailed&) {
        }
        { const Controller moved_on(std::make_unique<TestProcessor>(bench.record)); }
        _exit(failures);
    }
    int result = -1;
    ASSERT_EQ(waitpid(child, &result, 0), child);
    EXPECT_TRUE(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    EXPECT_EQ(bench.call({0, 0, 0, 0}, 0).status(), wire::Status::Ok) << "the parent is unharmed";
}

TEST(Faults, BusyRefusesEveryReserve) {
    ControllerOptions options;
    options.dispatcher.faults.busy = true;
    Rig rig({}, options);
    EXPECT_THROW(rig.controller.reserve(test_program(), {}), Busy);
    EXPECT_EQ(rig.state(), State::Idle);
}

}  // namespace
}  // namespace photonlink::qsc::test
