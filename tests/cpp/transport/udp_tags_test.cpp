// Datagrams with authentication tags: over networks that also corrupt them, and against whoever does not know the
// secret or only has recordings.
#include "udp_relay.hpp"
#include "udp_tagging.hpp"

namespace photonlink::transport::test {
namespace {

using qsc::CallStatus;

std::shared_ptr<qsc::Controller> idle_controller() {
    return std::make_shared<qsc::Controller>(std::make_unique<qsc::test::TestProcessor>(
        std::make_shared<qsc::test::Record>(qsc::test::ProcessorSettings{})));
}

// ---- bad networks

struct Network {
    const char* name;
    Faults faults;
};

class UdpTagsOver : public testing::TestWithParam<Network> {};

TEST_P(UdpTagsOver, EveryDatapointIsExecutedOnceAndItsResultArrives) {
    TaggedBench bench;
    Relay relay(bench.gateway->port(), GetParam().faults, 17);
    UdpCaller caller(bench, config_of(bench, relay.port()));
    EXPECT_EQ(caller.infer(0, 500).status, CallStatus::Ok);
    EXPECT_EQ(caller.infer(500, 7).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 507u);
    EXPECT_EQ(bench.gateway->accepted(), 1u);
    EXPECT_GT(relay.disturbed(), 0u);
}

TEST_P(UdpTagsOver, LargeResultsArriveWhole) {
    qsc::test::ProcessorSettings settings;
    settings.outputs = 2000;
    TaggedBench bench(settings, {4, 1024, 16'000});
    Relay relay(bench.gateway->port(), GetParam().faults, 18);
    UdpCaller caller(bench, config_of(bench, relay.port()));
    EXPECT_EQ(caller.infer(0, 12).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 12u);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, UdpTagsOver,
    testing::Values(Network{"Loses1Percent", {0.01, 0, 0, 0, 0}}, Network{"Loses20Percent", {0.2, 0, 0, 0, 0}},
                    Network{"Doubles20Percent", {0, 0.2, 0, 0, 0}}, Network{"Delays20Percent", {0, 0, 0.2, 0, 0}},
                    Network{"Cuts20Percent", {0, 0, 0, 0.2, 0}}, Network{"Corrupts1Percent", {0, 0, 0, 0, 0.01}},
                    Network{"Corrupts20Percent", {0, 0, 0, 0, 0.2}},
                    Network{"DoesAllOfIt", {0.05, 0.05, 0.05, 0.05, 0.05}}),
    [](const testing::TestParamInfo<Network>& network) { return network.param.name; });

// ---- the same as without

TEST(UdpTags, ResultsAndEndsAreTheSame) {
    TaggedBench bench;
    UdpCaller caller(bench);
    EXPECT_EQ(caller.infer(0, 500).status, CallStatus::Ok);
    std::vector<u64> latencies(100);
    EXPECT_EQ(caller.session().client().echo(100, latencies.data(), {}).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 500u);
    UdpCaller second(bench);
    EXPECT_EQ(second.infer(0, 10).status, CallStatus::Ok);
    EXPECT_EQ(bench.gateway->accepted(), 2u);
    EXPECT_EQ(bench.tokens(), 510u);
    bench.controller->release(bench.grant.session);
    const qsc::CallResult result = caller.infer(0, 1);
    EXPECT_EQ(result.status, CallStatus::Closed);
    EXPECT_EQ(result.close_reason, static_cast<u64>(qsc::EndReason::Released));
}

TEST(UdpTags, AnAddressBeyondLoopbackNeedsThem) {
    const auto controller = idle_controller();
    UdpOptions options;
    options.host = "0.0.0.0";
    EXPECT_THROW(UdpGateway(controller, options), std::invalid_argument);
    options.tags = true;
    EXPECT_NE(UdpGateway(controller, options).port(), 0);
}

TEST(UdpTags, ASlotLeavesRoomForATag) {
    TaggedBench bench;
    EXPECT_THROW(bench.gateway->open(bench.grant, {8, wire::kMaxDatagramBytes - 3, 0}), std::invalid_argument);
}

// ---- strangers

TEST(UdpTags, BeforeThereIsASessionNobodyGetsAnAnswer) {
    const UdpGateway gateway(idle_controller(), with_tags());
    RawClient stranger(gateway.port());
    const std::vector<std::vector<u8>> sent = {RawClient::frame(wire::function_id("nobody_knows"), {}, 1),
                                               RawClient::frame(wire::kPing, key_payload(0), 1),
                                               join_frame({0, 0}, 5, 0)};
    for (const auto& bytes : sent) stranger.send_bytes(bytes);
    wait_until([&] { return gateway.counts().dropped == sent.size(); });
    EXPECT_FALSE(stranger.receive(kSilenceMs));
}

TEST(UdpTags, WhoeverDoesNotKnowTheSecretGetsNoAnswer) {
    TaggedBench bench;
    RawClient member(bench.gateway->port());
    const wire::TagKey key = join(member, *bench.tag_key, 5);
    RawClient stranger(bench.gateway->port());
    const std::vector<u8> infer = RawClient::frame(wire::kInfer, bench.infer(UdpBench::phases(0)), 0);
    const std::vector<u8> ping = RawClient::frame(wire::kPing, key_payload(bench.grant.key), 0);
    const std::vector<std::vector<u8>> sent = {infer,  // the session's key is no tag
                                               ping,
                                               tagged(*bench.tag_key, infer),  // has not joined
                                               tagged(key, infer),             // somebody else's key
                                               tagged(key, ping),
                                               join_frame({bench.tag_key->low, bench.tag_key->high ^ 1}, 9, 0),
                                               RawClient::frame(wire::kJoin, key_payload(0), 1),  // too short
                                               RawClient::frame(wire::function_id("nobody_knows"), {}, 1)};
    const u64 before = bench.gateway->counts().dropped;
    for (const auto& bytes : sent) stranger.send_bytes(bytes);
    wait_until([&] { return bench.gateway->counts().dropped == before + sent.size(); });
    EXPECT_FALSE(stranger.receive(kSilenceMs));
    EXPECT_EQ(bench.tokens(), 0u);
    EXPECT_EQ(bench.gateway->accepted(), 1u);
    UdpSessionConfig config = config_of(bench, bench.gateway->port());
    config.tag_key->low ^= 1;
    config.connect_timeout_s = 0.2;
    try {
        UdpSession session(identity(), config);
        ADD_FAILURE() << "a wrong secret was taken";
    } catch (const link::LinkError& error) {
        EXPECT_EQ(error.status(), link::LinkStatus::Timeout);
    }
}

TEST(UdpTags, NobodyCanHaveMoreSentToAnAddressThanHeSends) {
    TaggedBench bench;
    RawClient first(bench.gateway->port());
    const std::vector<u8> request = join_frame(*bench.tag_key, 5, 0);
    first.send_bytes(request);
    const std::optional<Reply> reply = first.receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status(), wire::Status::JoinAgain);
    EXPECT_EQ(reply->bytes.size(), request.size());
    // What works from one address is a question again from another.
    const std::vector<u8> known = join_frame(*bench.tag_key, 5, reply->values<u64>()[0]);
    RawClient second(bench.gateway->port());
    second.send_bytes(known);
    const std::optional<Reply> other = second.receive();
    ASSERT_TRUE(other);
    EXPECT_EQ(other->status(), wire::Status::JoinAgain);
    EXPECT_EQ(other->bytes.size(), known.size());
    EXPECT_EQ(bench.gateway->accepted(), 0u);
}

TEST(UdpTags, MembersAreToldWhatIsWrong) {
    TaggedBench bench;
    RawClient member(bench.gateway->port());
    const wire::TagKey key = join(member, *bench.tag_key, 5);
    const auto status_of = [&](u32 function, const std::vector<u8>& payload) {
        member.send_bytes(tagged(key, RawClient::frame(function, payload, 3)));
        const std::optional<Reply> reply = member.receive();
        if (!reply) return wire::Status::Ok;
        EXPECT_EQ(reply->bytes.size(), wire::kHeaderBytes + wire::kTagBytes);
        return reply->status();
    };
    EXPECT_EQ(status_of(wire::function_id("nobody_knows"), key_payload(0)), wire::Status::UnknownFunction);
    EXPECT_EQ(status_of(wire::kInfer, key_payload(0)), wire::Status::BadLength);
}

// ---- recordings

TEST(UdpTags, OldDatagramsOfTheClientExecuteNothingAgain) {
    TaggedBench bench;
    Relay relay(bench.gateway->port(), {}, 1);
    UdpCaller caller(bench, config_of(bench, relay.port()));
    EXPECT_EQ(caller.infer(0, 200).status, CallStatus::Ok);  // the window holds 32 of them
    bench.play(relay.recorded(), [&](const std::vector<u8>& bytes) { relay.send_to_gateway(bytes); });
    EXPECT_EQ(caller.infer(200, 20).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 220u);
    EXPECT_EQ(bench.gateway->accepted(), 1u);
}

TEST(UdpTags, ARecordingIsWorthNothingFromAnotherAddressOrInALaterSession) {
    TaggedBench bench;
    std::vector<std::vector<u8>> recorded;
    {
        Relay relay(bench.gateway->port(), {}, 1);
        UdpCaller caller(bench, config_of(bench, relay.port()));
        EXPECT_EQ(caller.infer(0, 50).status, CallStatus::Ok);
        recorded = relay.recorded();
    }
    RawClient thief(bench.gateway->port());
    const auto play = [&] { bench.play(recorded, [&](const std::vector<u8>& bytes) { thief.send_bytes(bytes); }); };
    play();
    EXPECT_EQ(bench.tokens(), 50u);
    while (const std::optional<Reply> reply = thief.receive(kSilenceMs))
        EXPECT_EQ(reply->status(), wire::Status::JoinAgain);
    bench.controller->release(bench.grant.session);
    bench.reserve({});
    play();
    EXPECT_FALSE(thief.receive(kSilenceMs));
    EXPECT_EQ(bench.tokens(), 0u);
}

TEST(UdpTags, AnAddressThatIsUsedAgainIsANewClient) {
    TaggedBench bench;
    RawClient client(bench.gateway->port());
    const auto infer = [&](const wire::TagKey& key, u64 n, int patience_ms) {
        client.send_bytes(tagged(key, RawClient::frame(wire::kInfer, bench.infer(UdpBench::phases(n)), 0)));
        return client.receive(patience_ms);
    };
    const wire::TagKey first = join(client, *bench.tag_key, 5);
    ASSERT_TRUE(infer(first, 0, kPatienceMs));
    const wire::TagKey second = join(client, *bench.tag_key, 6);
    EXPECT_FALSE(infer(first, 0, kSilenceMs)) << "the old client is gone, and what it sent is worth nothing";
    const std::optional<Reply> reply = infer(second, 1, kPatienceMs);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->values<double>(), bench.expected(1)) << "another request under an id of its own";
    EXPECT_EQ(bench.tokens(), 2u);
    EXPECT_EQ(bench.gateway->accepted(), 2u);
}

}  // namespace
}  // namespace photonlink::transport::test
