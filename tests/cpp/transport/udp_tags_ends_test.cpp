// What clients whose frames carry tags hear of the end of their session, and that nobody else does.
#include "udp_tagging.hpp"

namespace photonlink::transport::test {
namespace {

using qsc::CallStatus;

TEST(UdpTags, AClientWhoseSessionWasReplacedLearnsItsEnd) {
    TaggedBench bench;  // nobody counts as lost by silence here
    UdpCaller caller(bench);
    EXPECT_EQ(caller.infer(0, 10).status, CallStatus::Ok);
    bench.controller->release(bench.grant.session);
    bench.reserve({});
    const qsc::CallResult result = caller.infer(0, 1);
    EXPECT_EQ(result.status, CallStatus::Closed);
    EXPECT_EQ(result.close_reason, static_cast<u64>(qsc::EndReason::Released));
    EXPECT_EQ(bench.tokens(), 0u);
}

constexpr u32 kFarewells = 16;

TEST(UdpTags, AFormerClientIsToldTheEndALimitedNumberOfTimes) {
    TaggedBench bench;
    RawClient member(bench.gateway->port());
    const wire::TagKey key = join(member, *bench.tag_key, 5);
    bench.controller->release(bench.grant.session);
    bench.reserve({});
    const std::vector<u8> ping = tagged(key, RawClient::frame(wire::kPing, key_payload(0), 3));
    for (u32 n = 0; n < kFarewells; ++n) {
        member.send_bytes(ping);
        const std::optional<Reply> reply = member.receive();
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->values<u64>(), (std::vector<u64>{0, static_cast<u64>(qsc::EndReason::Released), 0, 0}));
        const std::vector<u8> words = reply->payload();
        u64 tag = 0;
        ASSERT_EQ(reply->bytes.size(), wire::kHeaderBytes + words.size() + sizeof tag);
        std::memcpy(&tag, reply->bytes.data() + wire::kHeaderBytes + words.size(), sizeof tag);
        EXPECT_EQ(tag, wire::response_tag(key, reply->header, words.data()));
    }
    member.send_bytes(ping);
    EXPECT_FALSE(member.receive(kSilenceMs)) << "whoever plays a recording";
}

TEST(UdpTags, TheEndOfASessionIsToldToNobodyElse) {
    TaggedBench bench;
    RawClient member(bench.gateway->port());
    const wire::TagKey former_secret = *bench.tag_key;
    const wire::TagKey key = join(member, former_secret, 5);
    bench.controller->release(bench.grant.session);
    bench.reserve({});
    const std::vector<u8> ping = RawClient::frame(wire::kPing, key_payload(0), 3);
    const std::vector<u8> infer = RawClient::frame(wire::kInfer, bench.infer(UdpBench::phases(0)), 0);
    const u64 before = bench.gateway->counts().dropped;
    RawClient stranger(bench.gateway->port());
    stranger.send_bytes(tagged(key, ping));  // from another address
    std::vector<u8> changed = tagged(key, ping);
    changed[16] ^= 1;  // its time stamp, which the tag covers
    const std::vector<std::vector<u8>> sent = {ping, tagged({key.low ^ 1, key.high}, ping), changed,
                                               tagged(key, infer),  // another function
                                               join_frame(former_secret, 5, 0)};
    for (const auto& bytes : sent) member.send_bytes(bytes);
    wait_until([&] { return bench.gateway->counts().dropped == before + 1 + sent.size(); });
    EXPECT_FALSE(stranger.receive(kSilenceMs));
    EXPECT_FALSE(member.receive(kSilenceMs));
    bench.controller->release(bench.grant.session);
    bench.reserve({});
    member.send_bytes(tagged(key, ping));
    EXPECT_FALSE(member.receive(kSilenceMs)) << "two sessions ago";
    EXPECT_EQ(bench.tokens(), 0u);
}

TEST(UdpTags, AClientThatComesAfterTheEndIsToldSo) {
    TaggedBench bench;
    bench.controller->release(bench.grant.session);
    try {
        UdpSession session(identity(), config_of(bench, bench.gateway->port()));
        ADD_FAILURE() << "a session that has ended took a client";
    } catch (const link::LinkError& error) {
        EXPECT_EQ(error.status(), link::LinkStatus::Closed);
    }
}

}  // namespace
}  // namespace photonlink::transport::test
