// Providers that refuse, hang, break the rules or die: typed errors, no thread that waits for ever, sessions that end.
#include "bridge_testing.hpp"

namespace photonlink::transport::test {
namespace {

using wire::Status;

void wait_for(const BridgeGateway& gateway, BridgeState state) {
    wait_until([&gateway, state] { return gateway.state() == state; });
}

std::shared_ptr<qsc::Controller> idle_controller() {
    const auto record = std::make_shared<qsc::test::Record>(qsc::test::ProcessorSettings{});
    return std::make_shared<qsc::Controller>(std::make_unique<qsc::test::TestProcessor>(record));
}

TEST(BridgeFaults, AProviderThatCannotBeCreatedIsNoGateway) {
    const auto controller = idle_controller();
    for (const char* call : {"create", "get_transport_context", "get_ring_geometry", "get_endpoint_info"}) {
        const Loaded provider;
        const BridgeOptions options = options_of(BRIDGE_V3, {std::string("--fail=") + call});
        EXPECT_EQ(kind_of([&] { BridgeGateway(controller, options); }), Kind::CallFailed) << call;
        // What was created is destroyed, and what was never connected is not disconnected.
        if (std::string(call) != "create") wait_until([&] { return provider.was_called("destroy"); });
        EXPECT_FALSE(provider.was_called("disconnect"));
    }
    EXPECT_EQ(kind_of([&] { BridgeGateway(controller, options_of(NO_PROVIDER)); }), Kind::NoTable);
}

TEST(BridgeFaults, AProviderThatDoesNotComeBackFromCreateIsGivenUp) {
    const Loaded provider;
    BridgeOptions options = options_of(BRIDGE_V3, {"--hang=create"});
    options.start_s = 0.1;
    EXPECT_EQ(kind_of([&] { BridgeGateway(idle_controller(), options); }), Kind::TimedOut);
    provider.release();  // it ends by itself when it comes back after all
    wait_until([&] { return provider.was_called("destroy"); });
}

TEST(BridgeFaults, EndpointAndSessionAreThereBeforeThePeerIs) {
    const Loaded provider;
    BridgeBench bench(options_of(BRIDGE_V3, {"--hang=connect", "--unified"}));  // a rendezvous: opened meanwhile
    wait_for(*bench.gateway, BridgeState::Connecting);
    RawClient client(bench.port());
    client.send(wire::kInfer, bench.infer(1), 1);
    EXPECT_FALSE(client.receive(kSilenceMs).has_value());
    provider.release();  // the peer has come
    EXPECT_EQ(client.receive().value_or(Reply{}).values<double>(), bench.expected(1));
}

TEST(BridgeFaults, AConnectThatDisconnectWakesEndsInOrder) {
    const Loaded provider;
    {
        BridgeGateway gateway(idle_controller(), options_of(BRIDGE_V3, {"--hang=connect", "--wakes"}));
        wait_for(gateway, BridgeState::Connecting);
        wait_until([&] { return provider.was_called("connect"); });
    }
    EXPECT_TRUE(provider.was_called("disconnect"));
    EXPECT_FALSE(provider.was_called("launch"));
    const std::string calls = provider.history();
    EXPECT_EQ(calls.substr(calls.size() - 18), "disconnect destroy") << calls;
}

TEST(BridgeFaults, AProviderThatDoesNotComeBackIsLeftBehind) {
    for (const char* call : {"connect", "disconnect", "destroy"}) {
        const Loaded provider;
        BridgeOptions options = options_of(BRIDGE_V3, {std::string("--hang=") + call});
        options.end_s = 0.3;
        {
            BridgeGateway gateway(idle_controller(), options);
            wait_for(gateway, call == std::string("connect") ? BridgeState::Connecting : BridgeState::Serving);
        }
        EXPECT_TRUE(call == std::string("destroy") || !provider.was_called("destroy")) << call;
        provider.release();  // and ends in order when it comes back after all
        wait_until([&] { return provider.was_called("destroy"); });
    }
}

TEST(BridgeFaults, AFailedConnectOrLaunchRefusesSessions) {
    for (const char* call : {"connect", "launch"}) {
        const auto controller = idle_controller();
        BridgeGateway gateway(controller, options_of(BRIDGE_V3, {std::string("--fail=") + call}));
        wait_for(gateway, BridgeState::Failed);
        EXPECT_NE(gateway.problem().find(std::string(call) + " of the transport provider"), std::string::npos);
        const qsc::SessionGrant grant = controller->reserve(qsc::test::test_program(), {});
        int status = 0;
        EXPECT_EQ(kind_of([&] { gateway.open(grant, small_slots(), 100); }, nullptr, &status), Kind::CallFailed);
        EXPECT_EQ(status, bridge::kInternal);
    }
}

TEST(BridgeFaults, EverythingEndsInOrder) {
    const Loaded provider;
    {
        BridgeBench bench(options_of(BRIDGE_V3, {"--unified"}));
        RawClient client(bench.port());
        EXPECT_EQ(client.call(wire::kInfer, bench.infer(1), 1).status(), Status::Ok);
        bench.gateway.reset();  // before the controller, in the middle of a session
        wait_until([&bench] { return bench.end() == qsc::EndReason::ClientLost; });
    }
    EXPECT_EQ(provider.history(),
              "create get_cpu_dataplane get_ring_geometry get_endpoint_info set_function_table:9 connect launch "
              "disconnect destroy");
}

TEST(BridgeFaults, AnswersThatAreNotSentEndTheSession) {
    BridgeOptions options = options_of(BRIDGE_V3, {"--mute-after=2"});
    options.silence_s = 2.0;
    BridgeBench bench(options);
    RawClient client(bench.port());
    for (u32 id = 0; id < 2; ++id)
        EXPECT_EQ(client.call(wire::kInfer, bench.infer(id), id).values<double>(), bench.expected(id));
    client.send(wire::kInfer, bench.infer(2), 2);
    wait_until([&bench] { return bench.end() == qsc::EndReason::ClientLost; });
    EXPECT_EQ(bench.gateway->state(), BridgeState::Failed);
    EXPECT_NE(bench.gateway->problem().find("has not sent the answer in slot 2"), std::string::npos)
        << bench.gateway->problem();
    EXPECT_EQ(bench.tokens(), 3u) << "what was executed counts";
    EXPECT_EQ(kind_of([&] { bench.reserve(); }), Kind::Broken);
}

/// Slots are filled in order, and rings are sent in order: behind a long acquisition nothing may get in, or nothing
/// out. Neither the provider nor the client has fallen silent then.
TEST(BridgeFaults, AnAcquisitionThatHoldsSlotsUpIsNoSilence) {
    for (const bool hooks : {false, true}) {
        qsc::test::ProcessorSettings settings;
        settings.gated = true;
        BridgeOptions options = options_of(BRIDGE_V3, hooks ? Words{"--unified"} : Words{});
        options.silence_s = 2.0;
        BridgeBench bench(options, settings);
        RawClient client(bench.port());
        client.send(wire::kInfer, bench.infer(1), 1);
        bench.record->wait_for_run();
        client.send(wire::kPing, key_payload(bench.grant.key), 2);
        if (hooks) {
            EXPECT_EQ(client.receive().value_or(Reply{}).header.request_id, 2u);
        }
        EXPECT_FALSE(client.receive(3000).has_value());
        EXPECT_EQ(bench.gateway->state(), BridgeState::Serving) << bench.gateway->problem();
        bench.record->open_gate();
        ASSERT_EQ(client.receive().value_or(Reply{}).values<double>(), bench.expected(1));
        if (!hooks) {
            ASSERT_EQ(client.receive().value_or(Reply{}).header.request_id, 2u);
        }
        EXPECT_EQ(client.call(wire::kInfer, bench.infer(3), 3).values<double>(), bench.expected(3));
        wait_until([&bench] { return bench.end() == qsc::EndReason::ClientLost; });  // now it has
    }
}

TEST(BridgeFaults, HooksThatFailAgainAndAgainEndTheSession) {
    BridgeBench bench(options_of(BRIDGE_V3, {"--unified", "--mute-after=1"}));
    RawClient client(bench.port());
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(0), 0).status(), Status::Ok);
    for (u32 id = 1; bench.gateway->state() == BridgeState::Serving; ++id) {
        client.send(wire::kInfer, bench.infer(id), id);
        wait_until([&bench, id] {
            return bench.gateway->counts().received > id || bench.gateway->state() == BridgeState::Failed;
        });
        ASSERT_LE(id, 64u) << "as many lost answers are no accident";
    }
    EXPECT_NE(bench.gateway->problem().find("tx_publish failed 16 times"), std::string::npos);
    wait_until([&bench] { return bench.end() == qsc::EndReason::ClientLost; });
}

TEST(BridgeFaults, ASlotThatDoesNotExistIsNotTouched) {
    BridgeGateway gateway(idle_controller(), options_of(BRIDGE_V3, {"--unified", "--foreign-slot"}));
    wait_for(gateway, BridgeState::Failed);
    EXPECT_NE(gateway.problem().find("slot 8"), std::string::npos) << gateway.problem();
}

TEST(BridgeFaults, ADisconnectThatFailsIsFollowedByDestroy) {
    const Loaded provider;
    { BridgeGateway gateway(idle_controller(), options_of(BRIDGE_V3, {"--fail=disconnect"})); }
    EXPECT_TRUE(provider.was_called("destroy"));
}

}  // namespace
}  // namespace photonlink::transport::test
