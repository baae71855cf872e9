// How UDP sessions end: bounded, and with the reason where it can be known.
#include <sys/wait.h>

#include "udp_caller.hpp"
#include "udp_outbox.hpp"
#include "udp_relay.hpp"

namespace photonlink::transport::test {
namespace {

using qsc::CallStatus;
using qsc::EndReason;

u64 reason(EndReason end) { return static_cast<u64>(end); }

TEST(UdpEnds, AReleasedSessionIsClosedWithItsReason) {
    UdpBench bench;
    UdpCaller caller(bench);
    EXPECT_EQ(caller.infer(0, 10).status, CallStatus::Ok);
    bench.controller->release(bench.grant.session);
    const qsc::CallResult result = caller.infer(10, 1);
    EXPECT_EQ(result.status, CallStatus::Closed);
    EXPECT_EQ(result.close_reason, reason(EndReason::Released));
}

TEST(UdpEnds, WhatWasAcceptedBeforeAReleaseIsExecutedAndDelivered) {
    qsc::test::ProcessorSettings settings;
    settings.gated = true;
    settings.outputs = 600;
    UdpBench bench(settings, {}, {8, 256, 4'864});
    UdpCaller caller(bench);
    std::thread releaser([&bench] {
        wait_until([&] { return bench.gateway->counts().repeated != 0; });  // all eight came before that
        bench.record->wait_for_run();
        bench.record->open_gate();
        bench.controller->release(bench.grant.session);
    });
    const qsc::CallResult result = caller.infer(0, 8);
    EXPECT_EQ(result.status, CallStatus::Ok) << result.row << ": wire status " << result.wire_status;
    releaser.join();
    EXPECT_EQ(bench.tokens(), 8u);
}

TEST(UdpEnds, AnIdleSessionEndsThoughItIsPinged) {
    qsc::SessionOptions options;
    options.idle_timeout_s = 2;
    UdpBench bench({}, options);
    UdpCaller caller(bench);
    EXPECT_EQ(caller.infer(0, 10).status, CallStatus::Ok);
    wait_until([&] { return bench.end() != EndReason::None; });
    EXPECT_EQ(bench.end(), EndReason::IdleTimeout);
    const qsc::CallResult result = caller.infer(10, 1);
    EXPECT_EQ(result.status, CallStatus::Closed);
    EXPECT_EQ(result.close_reason, reason(EndReason::IdleTimeout));
}

TEST(UdpEnds, WhatWasExecutedCanStillBeAskedForAndNothingMoreIsExecuted) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    client.call(wire::kInfer, bench.infer(UdpBench::phases(0)), 0);
    bench.controller->release(bench.grant.session);
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(UdpBench::phases(0)), 0).values<double>(), bench.expected(0));
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(UdpBench::phases(1)), 1).status(), wire::Status::SessionExpired);
    EXPECT_EQ(client.call(wire::kEcho, key_payload(bench.grant.key), 1).status(), wire::Status::SessionExpired);
    RawClient late(bench.gateway->port());
    const auto words = late.call(wire::kPing, key_payload(bench.grant.key), 0).values<u64>();
    EXPECT_EQ(words[static_cast<std::size_t>(wire::PingWord::Serving)], 0u);
    EXPECT_EQ(words[static_cast<std::size_t>(wire::PingWord::EndReason)], reason(EndReason::Released));
    EXPECT_EQ(late.call(wire::kInfer, bench.infer(UdpBench::phases(2)), 2).status(), wire::Status::SessionExpired);
    EXPECT_EQ(bench.tokens(), 1u);
}

TEST(UdpEnds, TheNextSessionHasAnotherKeyAndTheOldClientIsClosed) {
    UdpBench bench;
    UdpCaller old(bench);
    EXPECT_EQ(old.infer(0, 10).status, CallStatus::Ok);
    bench.controller->release(bench.grant.session);
    bench.reserve({});
    EXPECT_EQ(old.infer(10, 1).status, CallStatus::Closed);
    UdpCaller next(bench);
    EXPECT_EQ(next.infer(0, 10).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 10u);
}

TEST(UdpEnds, AClientThatFellSilentIsLostAndItsSessionEnds) {
    UdpOptions options;
    options.silence_s = 2;
    UdpBench bench({}, {}, small_slots(), options);
    Relay relay(bench.gateway->port(), {}, 1);
    UdpCaller caller(bench, config_of(bench, relay.port()));
    EXPECT_EQ(caller.infer(0, 10).status, CallStatus::Ok);
    relay.cut_off();
    wait_until([&] { return bench.end() != EndReason::None; });
    EXPECT_EQ(bench.end(), EndReason::ClientLost);
}

TEST(UdpEnds, AClientThatNeverPingsMayBeSilent) {
    UdpOptions options;
    options.silence_s = 0.05;
    UdpBench bench({}, {}, small_slots(), options);
    RawClient client(bench.gateway->port());
    client.call(wire::kInfer, bench.infer(UdpBench::phases(0)), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(UdpBench::phases(1)), 1).values<double>(), bench.expected(1));
}

TEST(UdpEnds, AControllerOutOfReachIsLost) {
    UdpBench bench;
    Relay relay(bench.gateway->port(), {}, 1);
    UdpSessionConfig config = config_of(bench, relay.port());
    config.stall_limit_s = 2;
    UdpCaller caller(bench, config);
    EXPECT_EQ(caller.infer(0, 10).status, CallStatus::Ok);
    relay.cut_off();
    EXPECT_EQ(caller.infer(10, 1).status, CallStatus::PeerLost);
}

TEST(UdpEnds, AGatewayThatIsGoneIsNoticedBeforeTheStallLimit) {
    UdpBench bench;
    UdpSessionConfig config = config_of(bench, bench.gateway->port());
    config.stall_limit_s = 3600;
    UdpCaller caller(bench, config);
    EXPECT_EQ(caller.infer(0, 10).status, CallStatus::Ok);
    bench.gateway.reset();
    EXPECT_EQ(caller.infer(10, 1).status, CallStatus::PeerLost);
}

TEST(UdpEnds, ADispatcherThatHangsIsNoticedThoughTheGatewayAnswers) {
    qsc::test::ProcessorSettings settings;
    settings.fatal_id = 2;
    UdpBench bench(settings);
    UdpCaller caller(bench);
    const qsc::CallResult result = caller.infer(0, 5);
    EXPECT_EQ(result.status, CallStatus::Closed);
    EXPECT_EQ(result.close_reason, reason(EndReason::DispatcherDied));
}

/// Answers pings as a gateway does whose dispatcher is stuck, and nothing else.
class StillHeart {
  public:
    StillHeart() : socket_(bind_udp(at_loopback(0))), thread_([this] { run(); }) {}
    ~StillHeart() {
        stopping_ = true;
        thread_.join();
    }
    StillHeart(const StillHeart&) = delete;
    StillHeart& operator=(const StillHeart&) = delete;

    u16 port() const { return ntohs(local_address(socket_.get()).sin_port); }
    u64 pings() const { return pings_; }

  private:
    void run() {
        std::vector<u8> frame(wire::kMaxDatagramBytes);
        while (!stopping_) {
            await_datagram(socket_.get(), -1, kSecond / 100);
            sockaddr_in from{};
            socklen_t length = sizeof from;
            const ssize_t bytes = ::recvfrom(socket_.get(), frame.data(), frame.size(), MSG_DONTWAIT,
                                             reinterpret_cast<sockaddr*>(&from), &length);
            wire::RequestHeader header;
            if (bytes < 0 ||
                wire::parse_request(frame.data(), static_cast<u64>(bytes), &header) != wire::ParseError::None ||
                header.function_id != wire::kPing)
                continue;
            ++pings_;
            u64 words[static_cast<u32>(wire::PingWord::Count)] = {};
            words[static_cast<u32>(wire::PingWord::Serving)] = 1;
            words[static_cast<u32>(wire::PingWord::Heartbeat)] = 7;
            outbox_.send(from, wire::response_to(header, wire::Status::Ok, sizeof words), words, 256);
        }
    }

    const link::UniqueFd socket_;
    UdpOutbox outbox_{socket_.get()};
    std::atomic<bool> stopping_{false};
    std::atomic<u64> pings_{0};
    std::thread thread_;
};

TEST(UdpEnds, AControllerWhoseHeartStandsStillIsLostThoughItsGatewayAnswers) {
    const UdpBench bench;
    const StillHeart stuck;
    UdpSessionConfig config = config_of(bench, stuck.port());
    config.stall_limit_s = 2;
    UdpCaller caller(bench, config);
    EXPECT_EQ(caller.infer(0, 1).status, CallStatus::PeerLost);
    EXPECT_GE(stuck.pings(), 2u) << "it answered to the last";
}

TEST(UdpEnds, ALongAcquisitionIsNoSilence) {
    qsc::test::ProcessorSettings settings;
    settings.gated = true;
    UdpBench bench(settings);
    UdpSessionConfig config = config_of(bench, bench.gateway->port());
    config.stall_limit_s = 2;
    UdpCaller caller(bench, config);
    std::thread opener([&bench] {
        bench.record->wait_for_run();
        std::this_thread::sleep_for(std::chrono::milliseconds(3000));
        bench.record->open_gate();
    });
    EXPECT_EQ(caller.infer(0, 5).status, CallStatus::Ok);
    opener.join();
}

TEST(UdpEnds, CallsThatWereGivenUpLeaveEverythingUsable) {
    qsc::test::ProcessorSettings settings;
    settings.gated = true;
    settings.outputs = 1200;
    UdpBench bench(settings, {}, {4, 1024, 9'600});
    UdpCaller caller(bench);
    EXPECT_EQ(caller.infer(0, 4, kSecond).status, CallStatus::Timeout);
    bench.record->open_gate();
    EXPECT_EQ(caller.infer(4, 20).status, CallStatus::Ok);
    wait_until([&] { return caller.session().client().slots_in_use() == 0; });
    EXPECT_EQ(bench.tokens(), 24u);
}

TEST(UdpEnds, StoppingEndsACallThatWaits) {
    qsc::test::ProcessorSettings settings;
    settings.gated = true;
    UdpBench bench(settings);
    UdpCaller caller(bench);
    std::thread stopper([&] {
        bench.record->wait_for_run();
        caller.session().client().stop();
    });
    const qsc::CallResult result = caller.infer(0, 5);
    EXPECT_EQ(result.status, CallStatus::Closed);
    EXPECT_EQ(result.close_reason, 0u);
    stopper.join();
}

TEST(UdpEnds, NobodyThereOrTheWrongKeyIsSaidAtOnce) {
    UdpBench bench;
    const auto status_of = [](const UdpSessionConfig& config) {
        try {
            UdpSession session(identity(), config);
        } catch (const link::LinkError& error) {
            return error.status();
        }
        return link::LinkStatus::Ok;
    };
    UdpSessionConfig config = config_of(bench, bench.gateway->port());
    config.key ^= 1;
    EXPECT_EQ(status_of(config), link::LinkStatus::Rejected);
    config = config_of(bench, 1);
    EXPECT_EQ(status_of(config), link::LinkStatus::Closed);
    Relay silent(bench.gateway->port(), {1.0, 0, 0, 0}, 1);
    config = config_of(bench, silent.port());
    config.connect_timeout_s = 0.2;
    EXPECT_EQ(status_of(config), link::LinkStatus::Timeout);
    config.host = "somewhere";
    EXPECT_THROW(UdpSession(identity(), config), std::invalid_argument);
    bench.controller->release(bench.grant.session);
    EXPECT_EQ(status_of(config_of(bench, bench.gateway->port())), link::LinkStatus::Closed);
}

TEST(UdpEnds, AForkedChildCannotOpenTheParentsGateway) {
    const UdpBench bench;
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            bench.gateway->open(bench.grant, bench.geometry);
        } catch (const qsc::ControllerFailed&) {
            ::_exit(0);
        } catch (...) {
        }
        ::_exit(1);
    }
    ASSERT_GT(child, 0);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(UdpEnds, NoThreadOrDescriptorStaysBehind) {
    const std::size_t threads = qsc::test::threads_at_rest();
    for (int round = 0; round < 5; ++round) {
        UdpBench bench;
        UdpCaller caller(bench);
        EXPECT_EQ(caller.infer(0, 5).status, CallStatus::Ok);
    }
    qsc::test::expect_threads(threads);
}

}  // namespace
}  // namespace photonlink::transport::test
