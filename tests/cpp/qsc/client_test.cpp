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

TEST(Client, SmallDatapointsTravelTogether) {
    constexpr u32 kRows = 43;
    for (const u64 outputs : {4u, 100u}) {  // results in the frame, and in the caller's rows
        std::vector<Seen> requests;
        Bench bench(8, outputs, optics::Precision::Float64, 16);
        bench.serve([&](link::ServerHandle& server, const link::Arrival& arrival) {
            requests.push_back(read(server, arrival));
            answer(server, arrival, outputs);
        });
        std::vector<double> y;
        const std::vector<double> x = bench.features(kRows);
        CallOptions options;
        options.in_flight = 8;  // 2 rows in each of 4 requests
        const CallResult result = bench.infer(x, &y, options);
        EXPECT_EQ(result.status, CallStatus::Ok);
        EXPECT_EQ(result.row, kRows);
        bench.stop_server();
        EXPECT_EQ(y, bench.expected(x));
        ASSERT_EQ(requests.size(), 22u);
        for (const Seen& seen : requests) {
            const u32 row = seen.header.request_id - static_cast<u32>(kFirstId);
            const u32 rows = row + 1 == kRows ? 1 : 2;
            EXPECT_EQ(row % 2, 0u);
            EXPECT_EQ(seen.header.function_id, rows == 1 ? wire::kInfer : wire::kInferRows);
            EXPECT_EQ(seen.header.arg_len, wire::infer_arg_len(rows * kPhases, 8));
            EXPECT_EQ(seen.outputs, rows * outputs);
            ASSERT_EQ(seen.count, rows * kPhases);
            for (u64 i = 0; i < seen.count; ++i)
                EXPECT_EQ(seen.phases[i], 2 * x[row * kPhases + i] + static_cast<double>(i % kPhases));
        }
    }
}

TEST(Client, RowsTravelAloneWhereTheyCannotTravelTogether) {
    struct Case {
        u64 outputs;
        i64 gap;        // between two rows of results, in numbers
        u32 in_flight;  // 0: as many as there are slots
        u32 rows;       // in the largest request
    };
    for (const Case& c :
         {Case{4, 0, 0, 8}, Case{4, 3, 0, 1}, Case{4, 0, 3, 1}, Case{400, 0, 0, 4}, Case{3000, 0, 0, 1}}) {
        u64 most = 0;
        Bench bench(32, c.outputs, optics::Precision::Float32, 16);
        bench.serve([&](link::ServerHandle& server, const link::Arrival& arrival) {
            most = std::max(most, read(server, arrival).count / kPhases);
            answer(server, arrival, c.outputs);
        });
        const std::vector<double> x = bench.features(70);
        const std::vector<double> expected = bench.expected(x);
        const u64 stride = c.outputs + static_cast<u64>(c.gap);
        std::vector<float> y(70 * stride);
        CallOptions options;
        options.in_flight = c.in_flight;
        const Output out{y.data(), static_cast<i64>(stride * sizeof(float)), nullptr};
        const Features rows{x.data(), optics::Precision::Float64, 70, kPhases * sizeof(double)};
        ASSERT_EQ(bench.client->infer(rows, out, options).status, CallStatus::Ok);
        bench.stop_server();
        EXPECT_EQ(most, c.rows) << c.outputs << " outputs";
        for (u64 i = 0; i < expected.size(); ++i)
            ASSERT_EQ(y[i / c.outputs * stride + i % c.outputs], static_cast<float>(expected[i]));
    }
}

TEST(Client, ARefusedRequestNamesItsFirstRow) {
    Bench bench(8, 4, optics::Precision::Float64, 2);
    bench.serve([](link::ServerHandle& server, const link::Arrival& arrival) {
        const Seen seen = read(server, arrival);
        if (seen.header.request_id != static_cast<u32>(kFirstId + 6)) return answer(server, arrival, 4);
        wire::write_response(server.response_frame(arrival.slot), seen.header, wire::Status::ProcessorFailed, 0);
        server.publish(arrival.slot, arrival.generation);
    });
    std::vector<double> y;
    const std::vector<double> x = bench.features(20);
    const CallResult result = bench.infer(x, &y);
    EXPECT_EQ(result.status, CallStatus::Refused);
    EXPECT_EQ(result.row, 6u);
    EXPECT_EQ(result.request_id, static_cast<u32>(kFirstId + 6));
    EXPECT_EQ(result.wire_status, static_cast<i32>(wire::Status::ProcessorFailed));
    const std::vector<double> expected = bench.expected(x);
    EXPECT_TRUE(std::equal(y.begin(), y.begin() + 6 * 4, expected.begin())) << "rows before it were delivered";
}

TEST(Client, RawRowsTakeAnIdEach) {
    std::vector<u32> ids;
    Bench bench(4);
    bench.serve([&](link::ServerHandle& server, const link::Arrival& arrival) {
        ids.push_back(read(server, arrival).header.request_id);
        answer(server, arrival, 4);
    });
    std::vector<u8> args(8 + 4 * kPhases * sizeof(double) + 8);
    const u64 phases = 4 * kPhases, outputs = 16;
    platform::copy_bytes(args.data(), &phases, 8);
    platform::copy_bytes(args.data() + args.size() - 8, &outputs, 8);
    std::vector<double> y(outputs);
    RawRequest rows{wire::kInferRows, args.data(), args.size(), y.data(), outputs * sizeof(double)};
    ASSERT_EQ(bench.client->call(&rows, {}).status, CallStatus::Ok);
    EXPECT_EQ(rows.result_bytes, outputs * sizeof(double));
    ASSERT_EQ(bench.infer(bench.features(1), &y).status, CallStatus::Ok);
    bench.stop_server();
    ASSERT_EQ(ids.size(), 2u);
    EXPECT_EQ(ids[0], static_cast<u32>(kFirstId));
    EXPECT_GE(ids[1] - ids[0], 4u);
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
