// The session client: what it sends, in which order results come back, and echoes.
#include <algorithm>
#include <limits>

#include "client_bench.hpp"

namespace photonlink::qsc {
namespace {

TEST(Client, SendsKeyPhasesAndConsecutiveIds) {
    std::vector<Seen> requests;
    Bench bench(4);
    bench.serve([&](link::ServerHandle& server, const link::Arrival& arrival) {
        requests.push_back(read(server, arrival));
        answer(server, arrival, 4);
    });
    std::vector<double> y;
    const std::vector<double> x = bench.features(40);
    CallOptions one_at_a_time;
    one_at_a_time.in_flight = 1;
    ASSERT_EQ(bench.infer(x, &y, one_at_a_time).status, CallStatus::Ok);
    bench.stop_server();
    EXPECT_EQ(y, bench.expected(x));
    ASSERT_EQ(requests.size(), 40u);
    for (u32 row = 0; row < 40; ++row) {
        EXPECT_EQ(requests[row].header.function_id, wire::kInfer);
        EXPECT_EQ(requests[row].header.request_id, static_cast<u32>(kFirstId + row));
        EXPECT_EQ(requests[row].header.arg_len, wire::infer_arg_len(kPhases, 8));
        EXPECT_EQ(requests[row].key, kKey);
        EXPECT_EQ(requests[row].count, kPhases);
        EXPECT_EQ(requests[row].outputs, 4u);
        EXPECT_EQ(requests[row].phases[1], 2 * x[row * kPhases + 1] + 1);
    }
}

/// Holds back what arrives until `hold` requests are there (or the last ones), then answers the newest first.
TEST(Client, CollectsInRowOrderWhateverTheOrderOfAnswers) {
    std::vector<link::Arrival> held;
    u32 seen = 0;
    constexpr u32 kRows = 43;
    Bench bench(8);
    bench.serve([&](link::ServerHandle& server, const link::Arrival& arrival) {
        held.push_back(arrival);
        if (++seen < kRows && held.size() < 8) return;
        for (auto it = held.rbegin(); it != held.rend(); ++it) answer(server, *it, 4);
        held.clear();
    });
    std::vector<double> y;
    const std::vector<double> x = bench.features(kRows);
    CallOptions options;
    options.deadline_ns = platform::clock_ns() + 60 * kSecond;
    const CallResult result = bench.infer(x, &y, options);
    EXPECT_EQ(result.status, CallStatus::Ok);
    EXPECT_EQ(result.row, kRows);
    EXPECT_EQ(y, bench.expected(x));
}

TEST(Client, LargeResultsAreWrittenInPlaceInBothPrecisions) {
    for (const auto precision : {optics::Precision::Float64, optics::Precision::Float32}) {
        Bench bench(3, 3000, precision);
        bench.serve([](link::ServerHandle& server, const link::Arrival& arrival) { answer(server, arrival, 3000); });
        const std::vector<double> x = bench.features(10);
        const std::vector<double> expected = bench.expected(x);
        std::vector<double> y(expected.size());
        std::vector<float> z(expected.size());
        const Features rows{x.data(), optics::Precision::Float64, 10, kPhases * sizeof(double)};
        const bool doubles = precision == optics::Precision::Float64;
        const Output out{doubles ? static_cast<void*>(y.data()) : z.data(), doubles ? 24000 : 12000, nullptr};
        ASSERT_EQ(bench.client->infer(rows, out, {}).status, CallStatus::Ok);
        for (u64 i = 0; i < expected.size(); ++i) {
            if (doubles)
                ASSERT_EQ(y[i], expected[i]);
            else
                ASSERT_EQ(z[i], static_cast<float>(expected[i]));
        }
    }
}

TEST(Client, ManyThreadsOnFewSlotsAllFinish) {
    Bench bench(2);
    bench.serve([](link::ServerHandle& server, const link::Arrival& arrival) { answer(server, arrival, 4); });
    std::vector<std::thread> threads;
    std::atomic<u32> right{0};
    for (u32 t = 0; t < 6; ++t)
        threads.emplace_back([&bench, &right] {
            std::vector<double> y;
            const std::vector<double> x = bench.features(200);
            CallOptions options;
            options.deadline_ns = platform::clock_ns() + 120 * kSecond;
            if (bench.infer(x, &y, options).status == CallStatus::Ok && y == bench.expected(x)) ++right;
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(right, 6u);
    EXPECT_EQ(bench.client->slots_in_use(), 0u);
}

TEST(Client, NothingIsSentWhenAFeatureOrPhaseIsNotFinite) {
    Bench bench(2);
    std::vector<double> y;
    std::vector<double> x = bench.features(6);
    x[4 * kPhases + 2] = std::numeric_limits<double>::infinity();
    CallResult result = bench.infer(x, &y);
    EXPECT_EQ(result.status, CallStatus::BadFeature);
    EXPECT_EQ(result.row, 4u);
    EXPECT_EQ(result.column, 2u);
    x[4 * kPhases + 2] = 1e308;  // finite, but twice that is not
    result = bench.infer(x, &y);
    EXPECT_EQ(result.status, CallStatus::BadPhase);
    EXPECT_EQ(result.row, 4u);
    EXPECT_EQ(result.column, 2u);
    EXPECT_EQ(bench.client->slots_in_use(), 0u);
}

TEST(Client, EchoMeasuresEachRoundAndChecksWhatComesBack) {
    for (const bool honest : {true, false}) {
        Bench bench(4);
        bench.serve([honest](link::ServerHandle& server, const link::Arrival& arrival) {
            wire::RequestHeader header;
            const void* frame = server.request_frame(arrival.slot);
            wire::parse_request(frame, server.geometry().slot_bytes, &header);
            EXPECT_EQ(header.arg_len, 32u);
            auto* response = static_cast<u8*>(server.response_frame(arrival.slot));
            const auto* data = static_cast<const u8*>(wire::payload(frame)) + 8;
            platform::copy_bytes(response + wire::kHeaderBytes, data, 24);
            if (!honest) response[wire::kHeaderBytes + 23] ^= 1;
            wire::write_response(response, header, wire::Status::Ok, 24);
            server.publish(arrival.slot, arrival.generation);
        });
        std::vector<u64> latencies(50, 0);
        const CallResult result = bench.client->echo(50, latencies.data(), {});
        EXPECT_EQ(result.status, honest ? CallStatus::Ok : CallStatus::ProtocolError);
        EXPECT_EQ(std::count(latencies.begin(), latencies.end(), 0u), honest ? 0 : 49);
    }
}

}  // namespace
}  // namespace photonlink::qsc
