// Sessions over an undisturbed loopback: everything as in process.
#include "udp_caller.hpp"

namespace photonlink::transport::test {
namespace {

using qsc::CallStatus;

TEST(UdpSession, ResultsAndCountsAreThoseOfTheController) {
    UdpBench bench;
    UdpCaller caller(bench);
    EXPECT_EQ(caller.infer(0, 500).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 500u);
    EXPECT_EQ(caller.session().client().slots_in_use(), 0u);
    std::vector<u64> latencies(200);
    EXPECT_EQ(caller.session().client().echo(200, latencies.data(), {}).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 500u);
    std::vector<u64> ids(500);
    for (u64 i = 0; i < ids.size(); ++i) ids[i] = i;
    EXPECT_EQ(bench.record->ids(), ids) << "in order, and under the ids of the first client";
}

TEST(UdpSession, ReportsComeWhole) {
    qsc::SessionOptions options;
    options.shots = 50;
    UdpBench bench({}, options, {8, 512, 0});
    UdpSessionConfig config = config_of(bench, bench.gateway->port());
    config.max_counts = 5;
    UdpSession session(identity(), config);
    const std::vector<double> x = UdpBench::phases(2);
    std::vector<double> y(3);
    qsc::Reports reports;
    const qsc::CallResult result =
        session.client().report({x.data(), optics::Precision::Float64, 1, 32}, {y.data(), 24, nullptr}, &reports, {});
    EXPECT_EQ(result.status, CallStatus::Ok);
    EXPECT_EQ(y, bench.expected(2, 50));
    EXPECT_EQ(reports.counts, (std::vector<u32>{49, 1}));
    EXPECT_EQ(reports.state_index, (std::vector<u32>{1, 3}));
}

TEST(UdpSession, LargeResultsArriveInTheCallersMemory) {
    qsc::test::ProcessorSettings settings;
    settings.outputs = 5000;
    UdpBench bench(settings, {}, {4, 8216, 40'000});
    UdpCaller caller(bench);
    EXPECT_EQ(caller.infer(0, 50).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 50u);
}

TEST(UdpSession, SlotsOfTheServerMayBeSmallerThanTheClients) {
    qsc::test::ProcessorSettings settings;
    settings.outputs = 600;
    UdpBench bench(settings, {}, {8, 256, 4'864});
    UdpCaller caller(bench);
    EXPECT_GT(caller.session().client().geometry().slot_bytes, 4'800u);
    EXPECT_EQ(caller.infer(0, 30).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 30u);
}

TEST(UdpSession, ThreadsShareIt) {
    UdpBench bench;
    UdpCaller caller(bench);
    std::vector<std::thread> threads;
    for (u64 t = 0; t < 4; ++t)
        threads.emplace_back([&caller, t] {
            for (u64 call = 0; call < 20; ++call)
                EXPECT_EQ(caller.infer(1000 * t + 10 * call, 10).status, CallStatus::Ok);
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(bench.tokens(), 800u);
}

TEST(UdpSession, SeveralClientsAreServedBesideEachOther) {
    UdpBench bench;
    std::vector<std::unique_ptr<UdpCaller>> callers;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) callers.push_back(std::make_unique<UdpCaller>(bench));
    for (const auto& caller : callers)
        threads.emplace_back([&caller] { EXPECT_EQ(caller->infer(0, 200).status, CallStatus::Ok); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(bench.tokens(), 600u);
    EXPECT_EQ(bench.gateway->accepted(), 3u);
}

TEST(UdpSession, ADevicePortIsOnePortMore) {
    UdpBench bench;
    const UdpSession session(identity(), config_of(bench, bench.gateway->port()));
    const std::shared_ptr<qsc::DevicePort> port = session.open_device_port(4);
    ASSERT_EQ(port->geometry().slots, 4u);
    // What a device does, done here: words of its own, and the regions that it maps.
    std::vector<u64> states(4);
    link::ClientWords words{};
    const link::ClientHandle client(port->geometry(), port->requests(), port->responses(), states.data(), nullptr,
                                    &words);
    for (u32 id = 0; id < 40; ++id) {
        link::Ticket ticket{};
        ASSERT_EQ(client.try_claim(&ticket), link::LinkStatus::Ok);
        const std::vector<u8> frame = RawClient::frame(wire::kInfer, bench.infer(UdpBench::phases(id)), id, id);
        std::memcpy(client.request_frame(ticket), frame.data(), frame.size());
        client.submit(ticket);
        ASSERT_EQ(client.wait(ticket, platform::clock_ns() + kPatience_ns, link::Backoff{}), link::LinkStatus::Ok);
        wire::ResponseHeader header{};
        wire::parse_response(client.response_frame(ticket), port->geometry().slot_bytes, &header);
        EXPECT_EQ(header.ptp_timestamp, id) << "the caller's own stamp comes back";
        std::vector<double> values(3);
        ASSERT_EQ(header.result_len, values.size() * sizeof(double));
        std::memcpy(values.data(), wire::payload(client.response_frame(ticket)), header.result_len);
        EXPECT_EQ(values, bench.expected(id));
        client.release(ticket);
    }
    EXPECT_EQ(bench.tokens(), 40u);
}

}  // namespace
}  // namespace photonlink::transport::test
