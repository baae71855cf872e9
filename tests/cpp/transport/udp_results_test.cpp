// Results that fit no slot stay with the controller and are fetched in pieces.
#include "udp_testing.hpp"

namespace photonlink::transport::test {
namespace {

using wire::Status;

constexpr std::size_t kOutputs = 300;
constexpr u64 kResultBytes = kOutputs * sizeof(double);
constexpr u64 kPiece = 256 - wire::kHeaderBytes;

qsc::test::ProcessorSettings large() {
    qsc::test::ProcessorSettings settings;
    settings.outputs = kOutputs;
    return settings;
}

link::Geometry two_slots() { return {2, 256, link::round_up(kResultBytes, kCacheLine)}; }

Reply fetch(RawClient& client, u64 key, u32 id, u64 offset, u64 count) {
    return client.call(wire::kFetch, fetch_payload(key, id, offset, count), id);
}

std::vector<u8> fetch_bytes(RawClient& client, u64 key, u32 id, u64 total) {
    std::vector<u8> bytes(total);
    for (u64 offset = 0, count = 0; offset < total; offset += count) {
        count = std::min(kPiece, total - offset);
        const Reply piece = fetch(client, key, id, offset, count);
        EXPECT_EQ(piece.status(), Status::Ok);
        EXPECT_EQ(piece.header.result_len, count);
        if (piece.header.result_len != count) break;
        std::memcpy(bytes.data() + offset, piece.bytes.data() + wire::kHeaderBytes, count);
    }
    return bytes;
}

std::vector<double> fetch_all(RawClient& client, u64 key, u32 id) {
    const std::vector<u8> bytes = fetch_bytes(client, key, id, kResultBytes);
    std::vector<double> values(kOutputs);
    std::memcpy(values.data(), bytes.data(), kResultBytes);
    return values;
}

TEST(UdpResults, LargeOnesAreFetchedAndGivenBack) {
    UdpBench bench(large(), {}, two_slots());
    RawClient client(bench.gateway->port());
    const u64 key = bench.grant.key;
    for (u32 id = 0; id < 10; ++id) {
        const Reply reply = client.call(wire::kInfer, bench.infer(UdpBench::phases(id)), id);
        EXPECT_EQ(reply.status(), Status::ResultInSegment);
        EXPECT_EQ(reply.values<u64>(), (std::vector<u64>{0, kResultBytes}));
        EXPECT_EQ(fetch_all(client, key, id), bench.expected(id));
        EXPECT_EQ(fetch_all(client, key, id), bench.expected(id)) << "as often as it is asked for";
        for (int again = 0; again < 2; ++again)
            EXPECT_EQ(fetch(client, key, id, kResultBytes, 0).status(), Status::Ok) << "it has arrived";
        EXPECT_EQ(fetch(client, key, id, 0, 8).status(), Status::Stale);
    }
    EXPECT_EQ(bench.tokens(), 10u);
}

TEST(UdpResults, AClientThatNeverSaysThatItHasAResultGetsTheNextOnes) {
    UdpBench bench(large(), {}, two_slots());
    RawClient client(bench.gateway->port());
    for (u32 id = 0; id < 20; ++id) {
        EXPECT_EQ(client.call(wire::kInfer, bench.infer(UdpBench::phases(id)), id).status(), Status::ResultInSegment);
        EXPECT_EQ(fetch_all(client, bench.grant.key, id), bench.expected(id));
    }
}

TEST(UdpResults, OneThatWasNotFetchedIsNotThrownAway) {
    UdpBench bench(large(), {}, two_slots());
    RawClient client(bench.gateway->port());
    for (u32 id = 0; id < 3; ++id) client.send(wire::kInfer, bench.infer(UdpBench::phases(id)), id);
    for (u32 i = 0; i < 2; ++i) EXPECT_TRUE(client.receive().has_value());
    EXPECT_FALSE(client.receive(kSilenceMs).has_value()) << "the third waits for a slot";
    EXPECT_EQ(fetch_all(client, bench.grant.key, 0), bench.expected(0));
    EXPECT_EQ(client.receive().value_or(Reply{}).header.request_id, 2u);
    EXPECT_EQ(fetch_all(client, bench.grant.key, 2), bench.expected(2));
    EXPECT_EQ(fetch_all(client, bench.grant.key, 1), bench.expected(1));
}

TEST(UdpResults, FetchesBeyondTheResultAreRefused) {
    UdpBench bench(large(), {}, two_slots());
    RawClient client(bench.gateway->port());
    const u64 key = bench.grant.key;
    EXPECT_EQ(fetch(client, key, 0, 0, 8).status(), Status::Stale);
    client.call(wire::kInfer, bench.infer(UdpBench::phases(0)), 0);
    const u64 far = ~0ULL;
    const std::vector<std::pair<u64, u64>> beyond{
        {kResultBytes + 1, 0}, {kResultBytes, 1}, {0, kPiece + 1}, {far, 1}, {1, far}, {far, far}};
    for (const auto& [offset, count] : beyond)
        EXPECT_EQ(fetch(client, key, 0, offset, count).status(), Status::BadLength) << offset << " " << count;
    EXPECT_EQ(client.call(wire::kFetch, key_payload(key), 0).status(), Status::BadLength);
    RawClient other(bench.gateway->port());
    EXPECT_EQ(fetch(other, key, 0, 0, 8).status(), Status::Stale) << "results are their own client's";
    EXPECT_EQ(fetch_all(client, key, 0), bench.expected(0));
}

TEST(UdpResults, SamplesAreExecutedOnceAndFetchedLikeAnyResult) {
    constexpr u32 kShots = 300;
    constexpr u64 kSampleBytes = 4 * kShots;  // five pieces and a rest
    qsc::SessionOptions options;
    options.shots = kShots;
    UdpBench bench({}, options, {2, 256, link::round_up(kSampleBytes, kCacheLine)});
    RawClient client(bench.gateway->port());
    const u64 key = bench.grant.key;
    const auto ask = [&](u32 id, u64 stamp) {
        return client.call(wire::kSamples, infer_payload<double>(key, UdpBench::phases(id), kSampleBytes), id, stamp);
    };
    std::vector<u8> expected;  // as the test processor reports: state 1, and state 3 once
    for (u32 shot = 1; shot < kShots; ++shot) expected.insert(expected.end(), {1, 0, 1, 0});
    expected.insert(expected.end(), {0, 1, 1, 0});
    for (u32 id = 0; id < 5; ++id) {
        for (u64 stamp = 1; stamp < 4; ++stamp) {
            const Reply reply = ask(id, stamp);
            EXPECT_EQ(reply.status(), Status::ResultInSegment);
            EXPECT_EQ(reply.values<u64>(), (std::vector<u64>{0, kSampleBytes}));
            EXPECT_EQ(reply.header.ptp_timestamp, stamp);
        }
        EXPECT_EQ(fetch_bytes(client, key, id, kSampleBytes), expected);
        EXPECT_EQ(client.call(wire::kInfer, bench.infer(UdpBench::phases(id)), id).status(), Status::IdReused);
        EXPECT_EQ(fetch(client, key, id, kSampleBytes, 0).status(), Status::Ok);
        EXPECT_EQ(ask(id, 9).status(), Status::ResultInSegment) << "that it was, and not the samples once more";
        EXPECT_EQ(fetch(client, key, id, 0, 8).status(), Status::Stale);
    }
    EXPECT_EQ(bench.tokens(), 5u);
    EXPECT_EQ(bench.gateway->counts().repeated, 5u * 3);
}

}  // namespace
}  // namespace photonlink::transport::test
