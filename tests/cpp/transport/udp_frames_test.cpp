// What a gateway makes of single datagrams. The cases follow the list that the tests of CUDA-Q realtime imply for a
// server, with the differences that design and header state: unknown functions are answered, cut-off frames are not.
#include <limits>
#include <random>

#include "udp_testing.hpp"

namespace photonlink::transport::test {
namespace {

using wire::Status;

TEST(UdpFrames, TheGoldenRequestIsAnsweredByteForByte) {
    // rpc_increment, request 7, time stamp 0x1122334455667788, three bytes: a function that no photonlink has.
    const std::vector<u8> request{0x52, 0x51, 0x55, 0x43, 0x22, 0x63, 0x1b, 0x19, 3,    0,    0,    0,    7,   0,
                                  0,    0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00, 0xff, 0x41};
    std::vector<u8> answer{0x53, 0x51, 0x55, 0x43, 0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,
                           7,    0,    0,    0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
    answer.resize(256);
    UdpBench bench;
    RawClient client(bench.gateway->port());
    client.send_bytes(request);
    EXPECT_EQ(client.receive().value_or(Reply{}).bytes, answer);
}

TEST(UdpFrames, IdentityAndTimeStampAreEchoedAndTheAnswerFillsASlot) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    const std::vector<u8> payload = qsc::test::echo_payload(bench.grant.key, "0123456789");
    for (const u32 id : {0u, 1u, 0x7fffffffu, 0xffffffffu}) {
        for (const u64 stamp : {u64{0}, u64{1}, std::numeric_limits<u64>::max()}) {
            const Reply reply = client.call(wire::kEcho, payload, id, stamp);
            EXPECT_EQ(reply.status(), Status::Ok);
            EXPECT_EQ(reply.header.request_id, id);
            EXPECT_EQ(reply.header.ptp_timestamp, stamp);
            EXPECT_EQ(reply.bytes.size(), bench.geometry.slot_bytes);
            EXPECT_EQ(reply.payload(), std::vector<u8>(payload.begin() + 8, payload.end()));
        }
    }
    EXPECT_EQ(bench.gateway->accepted(), 1u);
}

TEST(UdpFrames, EmptyAndLargestPayloads) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    EXPECT_EQ(client.call(wire::kEcho, key_payload(bench.grant.key), 1).header.result_len, 0u);
    const std::string text(bench.geometry.slot_bytes - wire::kHeaderBytes - wire::kKeyBytes, 'x');
    const std::vector<u8> full = qsc::test::echo_payload(bench.grant.key, text);
    const Reply reply = client.call(wire::kEcho, full, 2);
    EXPECT_EQ(reply.payload(), std::vector<u8>(full.begin() + 8, full.end()));
}

TEST(UdpFrames, NoBytesOfEarlierAnswersAreInTheTail) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    for (int round = 0; round < 100; ++round) {
        client.call(wire::kEcho, qsc::test::echo_payload(bench.grant.key, std::string(200, 'x')), 1);
        const Reply reply = client.call(wire::kEcho, qsc::test::echo_payload(bench.grant.key, "y"), 2);
        for (std::size_t i = wire::kHeaderBytes + 1; i < reply.bytes.size(); ++i) ASSERT_EQ(reply.bytes[i], 0u);
    }
}

TEST(UdpFrames, ALengthBeyondTheSlotIsRefusedAndOneBeyondTheDatagramDropped) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    std::vector<u8> bytes = RawClient::frame(wire::kEcho, qsc::test::echo_payload(bench.grant.key, "abc"), 5);
    const auto announce = [&bytes](u32 length) { std::memcpy(bytes.data() + 8, &length, sizeof length); };
    for (const u32 length : {bench.geometry.slot_bytes - 23, 100'000u, 0xffffffffu}) {
        announce(length);
        client.send_bytes(bytes);
        EXPECT_EQ(client.receive().value_or(Reply{}).status(), Status::BadLength);
    }
    announce(12);
    client.send_bytes(bytes);
    wait_until([&] { return bench.gateway->counts().dropped == 1; });
    EXPECT_FALSE(client.receive(kSilenceMs).has_value());
}

TEST(UdpFrames, ShortWrongAndOversizeDatagramsAreDroppedAndLaterRequestsAnswered) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    const std::vector<u8> good = RawClient::frame(wire::kEcho, qsc::test::echo_payload(bench.grant.key, "abc"), 5);
    u64 bad = 0;
    for (std::size_t length = 1; length < wire::kHeaderBytes; ++length, ++bad)
        client.send_bytes({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)});
    for (std::size_t byte = 0; byte < 4; ++byte, ++bad) {
        std::vector<u8> wrong = good;
        wrong[byte] ^= 0x40;
        client.send_bytes(wrong);
    }
    for (const std::size_t length : {257u, 4096u, 60'000u}) {
        std::vector<u8> large = good;
        large.resize(length);
        client.send_bytes(large);
        ++bad;
    }
    wait_until([&] { return bench.gateway->counts().dropped == bad; });
    EXPECT_FALSE(client.receive(kSilenceMs).has_value());
    for (u32 id = 0; id < 30; ++id)
        EXPECT_EQ(client.call(wire::kEcho, qsc::test::echo_payload(bench.grant.key, "abc"), id).header.request_id, id);
}

TEST(UdpFrames, PaddingBehindTheArgumentsIsIgnored) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    std::vector<u8> bytes = RawClient::frame(wire::kInfer, bench.infer(UdpBench::phases(3)), 0);
    bytes.resize(bench.geometry.slot_bytes, 0xEE);
    client.send_bytes(bytes);
    EXPECT_EQ(client.receive().value_or(Reply{}).values<double>(), bench.expected(3));
}

TEST(UdpFrames, UnknownFunctionsGetANegativeStatus) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    for (const u32 function : {0u, wire::function_id("rpc_increment"), 0xffffffffu, wire::kInferRows}) {
        const Reply reply = client.call(function, key_payload(bench.grant.key), 9);
        EXPECT_EQ(reply.status(), Status::UnknownFunction);
        EXPECT_EQ(reply.header.request_id, 9u);
    }
    EXPECT_EQ(bench.gateway->accepted(), 0u) << "a question without a key makes no client";
}

TEST(UdpFrames, RefusalsCarryNoResult) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    std::vector<double> phases = UdpBench::phases(1);
    phases[2] = std::numeric_limits<double>::quiet_NaN();
    const Reply invalid = client.call(wire::kInfer, bench.infer(phases), 0);
    EXPECT_EQ(invalid.status(), Status::InvalidPhase);
    EXPECT_EQ(invalid.header.result_len, 0u);
    EXPECT_EQ(client.call(wire::kInfer, bench.infer({1.0, 2.0}), 1).status(), Status::BadLength);
    EXPECT_EQ(client.call(wire::kEcho, {1, 2, 3}, 2).status(), Status::BadLength);
    EXPECT_EQ(client.call(wire::kPing, qsc::test::echo_payload(bench.grant.key, "x"), 3).status(), Status::BadLength);
    EXPECT_EQ(bench.tokens(), 0u);
}

TEST(UdpFrames, AWrongKeyIsRefusedWithoutAClient) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    for (const u32 function : {wire::kEcho, wire::kInfer, wire::kStatus, wire::kPing, wire::kFetch})
        EXPECT_EQ(client.call(function, key_payload(bench.grant.key ^ 1), 1).status(), Status::BadKey);
    EXPECT_EQ(bench.gateway->accepted(), 0u);
    EXPECT_EQ(bench.tokens(), 0u);
}

TEST(UdpFrames, WithoutASessionNobodyIsServed) {
    const auto record = std::make_shared<qsc::test::Record>(qsc::test::ProcessorSettings{});
    const auto controller = std::make_shared<qsc::Controller>(std::make_unique<qsc::test::TestProcessor>(record));
    UdpGateway gateway(controller);
    RawClient client(gateway.port());
    const Reply reply = client.call(wire::kEcho, key_payload(0), 1);
    EXPECT_EQ(reply.status(), Status::NotServing);
    EXPECT_EQ(reply.bytes.size(), 256u);
}

TEST(UdpFrames, BurstsOfThreeTimesTheSlotsAreAnsweredInFull) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    const u32 burst = 3 * bench.geometry.slots;
    for (u32 round = 0; round < 5; ++round) {
        for (u32 id = 0; id < burst; ++id)
            client.send(wire::kEcho, qsc::test::echo_payload(bench.grant.key, std::to_string(id)), id);
        for (u32 id = burst * round; id < burst * (round + 1); ++id)
            client.send(wire::kInfer, bench.infer(UdpBench::phases(id)), id, 1);
        std::set<std::pair<u64, u32>> seen;
        for (u32 i = 0; i < 2 * burst; ++i) {
            const Reply reply = client.receive().value_or(Reply{});
            ASSERT_EQ(reply.status(), Status::Ok);
            if (reply.header.ptp_timestamp == 1) {
                EXPECT_EQ(reply.values<double>(), bench.expected(reply.header.request_id));
            }
            seen.emplace(reply.header.ptp_timestamp, reply.header.request_id);
        }
        EXPECT_EQ(seen.size(), 2 * burst);
    }
    EXPECT_EQ(bench.tokens(), 5 * burst);
}

TEST(UdpFrames, StatusSaysWhatTheSessionHasUsed) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    for (u32 id = 0; id < 3; ++id) client.call(wire::kInfer, bench.infer(UdpBench::phases(id)), id);
    const auto words = client.call(wire::kStatus, key_payload(bench.grant.key), 0).values<i64>();
    ASSERT_EQ(words.size(), static_cast<std::size_t>(wire::StatusWord::Count));
    EXPECT_EQ(words[static_cast<std::size_t>(wire::StatusWord::Tokens)], 3);
}

TEST(UdpFrames, RandomDatagramsHarmNobody) {
    UdpBench bench;
    RawClient hostile(bench.gateway->port());
    RawClient healthy(bench.gateway->port());
    std::mt19937_64 random(20261122);
    const std::vector<std::vector<u8>> seeds{
        RawClient::frame(wire::kInfer, bench.infer(UdpBench::phases(1)), 1),
        RawClient::frame(wire::kEcho, qsc::test::echo_payload(bench.grant.key, "abc"), 2),
        RawClient::frame(wire::kFetch, fetch_payload(bench.grant.key, 1, 0, 8), 1),
        RawClient::frame(wire::kPing, key_payload(bench.grant.key), 3),
        RawClient::frame(wire::kReport, qsc::test::report_payload(bench.grant.key, UdpBench::phases(2)), 4)};
    for (u64 round = 0; round < 20'000; ++round) {
        if (round % kSomeDatagrams == 0) bench.await_received(round + round / 500);
        std::vector<u8> bytes = seeds[random() % seeds.size()];
        for (u64 changes = random() % 5; changes != 0; --changes)
            bytes[random() % bytes.size()] = static_cast<u8>(random());
        if (random() % 8 == 0) bytes.resize(1 + random() % 300);
        hostile.send_bytes(bytes);
        if (round % 500 == 499) {
            const u32 id = static_cast<u32>(round / 500);
            EXPECT_EQ(healthy.call(wire::kInfer, bench.infer(UdpBench::phases(id)), id).values<double>(),
                      bench.expected(id));
        }
    }
    EXPECT_EQ(bench.end(), qsc::EndReason::None);
}

TEST(UdpFrames, OnlyLoopbackIsServed) {
    const auto record = std::make_shared<qsc::test::Record>(qsc::test::ProcessorSettings{});
    const auto controller = std::make_shared<qsc::Controller>(std::make_unique<qsc::test::TestProcessor>(record));
    for (const char* host : {"0.0.0.0", "192.0.2.7", "localhost", "::1", ""}) {
        UdpOptions options;
        options.host = host;
        EXPECT_THROW(UdpGateway(controller, options), std::invalid_argument) << host;
    }
    const UdpGateway first(controller);
    UdpOptions taken;
    taken.port = first.port();
    EXPECT_THROW(UdpGateway(controller, taken), std::system_error);
    EXPECT_THROW(UdpGateway::require_valid({8, 65'512, 0}), std::invalid_argument);
}

}  // namespace
}  // namespace photonlink::transport::test
