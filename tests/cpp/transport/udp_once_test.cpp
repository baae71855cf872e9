// A datapoint is executed once, however often it comes: told by the ledger.
#include "udp_testing.hpp"

namespace photonlink::transport::test {
namespace {

using wire::Status;

TEST(UdpOnce, ADuplicateIsAnsweredAgainAndNotExecutedAgain) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    const std::vector<u8> first = client.call(wire::kInfer, bench.infer(UdpBench::phases(0)), 0, 1).payload();
    for (u64 stamp = 2; stamp < 20; ++stamp) {
        const Reply again = client.call(wire::kInfer, bench.infer(UdpBench::phases(0)), 0, stamp);
        EXPECT_EQ(again.payload(), first);
        EXPECT_EQ(again.header.ptp_timestamp, stamp) << "the stamp of the datagram that is answered";
    }
    EXPECT_EQ(bench.tokens(), 1u);
    EXPECT_EQ(bench.gateway->counts().repeated, 18u);
}

TEST(UdpOnce, ADuplicateOfWhatIsBeingExecutedIsIgnored) {
    qsc::test::ProcessorSettings settings;
    settings.gated = true;
    UdpBench bench(settings);
    RawClient client(bench.gateway->port());
    client.send(wire::kInfer, bench.infer(UdpBench::phases(0)), 0);
    bench.record->wait_for_run();
    for (int i = 0; i < 5; ++i) client.send(wire::kInfer, bench.infer(UdpBench::phases(0)), 0);
    bench.await_received(6);
    EXPECT_FALSE(client.receive(kSilenceMs).has_value());
    bench.record->open_gate();
    EXPECT_EQ(client.receive().value_or(Reply{}).values<double>(), bench.expected(0));
    EXPECT_FALSE(client.receive(kSilenceMs).has_value());
    EXPECT_EQ(bench.tokens(), 1u);
}

TEST(UdpOnce, AnotherRequestUnderAnIdThatWasUsedIsRefused) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    client.call(wire::kInfer, bench.infer(UdpBench::phases(0)), 0);
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(UdpBench::phases(1)), 0).status(), Status::IdReused);
    EXPECT_EQ(client.call(wire::kReport, qsc::test::report_payload(bench.grant.key, UdpBench::phases(0)), 0).status(),
              Status::IdReused);
    EXPECT_EQ(bench.tokens(), 1u);
}

TEST(UdpOnce, WhatWasForgottenIsStaleAndFourTimesTheSlotsAreRemembered) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    const u32 window = 4 * bench.geometry.slots;
    const u32 sent = 3 * window;
    for (u32 id = 0; id < sent; ++id) client.call(wire::kInfer, bench.infer(UdpBench::phases(id)), id);
    for (u32 id = 0; id < sent; ++id) {
        const Reply again = client.call(wire::kInfer, bench.infer(UdpBench::phases(id)), id);
        EXPECT_EQ(again.status(), id < sent - window ? Status::Stale : Status::Ok) << id;
    }
    EXPECT_EQ(bench.tokens(), sent);
}

TEST(UdpOnce, IdsMayComeInAnyOrderAndLieFarApart) {
    UdpBench bench;
    RawClient client(bench.gateway->port());
    std::vector<u32> ids;
    for (u32 i = 0; i < 100; ++i)
        for (const u32 start : {0u, 1'000'000u, 0xffffff00u}) ids.push_back(start + (i * 37) % 100);
    for (const u32 id : ids)
        EXPECT_EQ(client.call(wire::kInfer, bench.infer(UdpBench::phases(id)), id).values<double>(),
                  bench.expected(id));
    for (const u32 id : ids) {
        const Status again = client.call(wire::kInfer, bench.infer(UdpBench::phases(id)), id).status();
        EXPECT_TRUE(again == Status::Ok || again == Status::Stale) << id;
    }
    EXPECT_EQ(bench.tokens(), std::set<u32>(ids.begin(), ids.end()).size());
}

TEST(UdpOnce, WhatWaitsForASlotIsExecutedOnceToo) {
    qsc::test::ProcessorSettings settings;
    settings.gated = true;
    UdpBench bench(settings);
    RawClient client(bench.gateway->port());
    const u32 window = 4 * bench.geometry.slots;
    for (u32 round = 1; round <= 3; ++round) {
        for (u32 id = 0; id < window + 10; ++id) client.send(wire::kInfer, bench.infer(UdpBench::phases(id)), id);
        bench.await_received(round * (window + 10));
    }
    bench.record->open_gate();
    std::set<u32> answered;
    while (answered.size() < window) {
        const Reply reply = client.receive().value_or(Reply{});
        ASSERT_EQ(reply.status(), Status::Ok);
        ASSERT_EQ(reply.values<double>(), bench.expected(reply.header.request_id));
        ASSERT_TRUE(answered.insert(reply.header.request_id).second);
    }
    EXPECT_FALSE(client.receive(kSilenceMs).has_value()) << "what is beyond the window is as good as lost";
    EXPECT_EQ(bench.tokens(), window);
}

TEST(UdpOnce, ClientsHaveIdsOfTheirOwn) {
    qsc::SessionOptions options;
    options.shots = 100;
    options.seed = 5;
    UdpBench bench({}, options);
    RawClient first(bench.gateway->port());
    RawClient second(bench.gateway->port());
    for (u32 id = 0; id < 20; ++id) {
        const std::vector<u8> request = bench.infer(UdpBench::phases(id));
        EXPECT_EQ(first.call(wire::kInfer, request, id).values<double>(), bench.expected(id, 100, 5, id));
        EXPECT_EQ(second.call(wire::kInfer, request, id).values<double>(),
                  bench.expected(id, 100, 5, (1ULL << 40) + id));
    }
    EXPECT_EQ(bench.tokens(), 40u);
    EXPECT_EQ(bench.gateway->accepted(), 2u);
}

TEST(UdpOnce, NoMoreClientsThanThereArePlaces) {
    UdpOptions options;
    options.most_clients = 3;
    UdpBench bench({}, {}, small_slots(), options);
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(std::make_unique<RawClient>(bench.gateway->port()));
        const Status status = clients.back()->call(wire::kEcho, key_payload(bench.grant.key), 1).status();
        EXPECT_EQ(status, i < 3 ? Status::Ok : Status::NotServing);
    }
    EXPECT_EQ(bench.gateway->accepted(), 3u);
}

}  // namespace
}  // namespace photonlink::transport::test
