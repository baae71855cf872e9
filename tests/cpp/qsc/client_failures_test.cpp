// The session client against broken answers, silence and closing.
#include "client_bench.hpp"

namespace photonlink::qsc {
namespace {

using Breakage = std::function<void(u8* frame, wire::ResponseHeader& header)>;

CallStatus status_after(const Breakage& breakage) {
    u32 seen = 0;
    Bench bench(4);
    bench.serve([&](link::ServerHandle& server, const link::Arrival& arrival) {
        if (seen++ != 5) return answer(server, arrival, 4);
        auto* frame = static_cast<u8*>(server.response_frame(arrival.slot));
        const Seen request = read(server, arrival);
        wire::ResponseHeader header{wire::kResponseMagic, 0, 32, request.header.request_id, 0};
        breakage(frame, header);
        platform::copy_bytes(frame, &header, sizeof header);
        server.publish(arrival.slot, arrival.generation);
    });
    std::vector<double> y;
    CallOptions options;
    options.in_flight = 1;
    options.deadline_ns = platform::clock_ns() + 60 * kSecond;
    const CallResult result = bench.infer(bench.features(9), &y, options);
    EXPECT_EQ(result.row, 5u);
    EXPECT_FALSE(std::isnan(y[5 * 4 - 1]));
    EXPECT_TRUE(std::isnan(y[5 * 4]));
    EXPECT_EQ(bench.client->slots_in_use(), 0u);
    return result.status;
}

TEST(Client, BrokenAnswersAreProtocolErrors) {
    const Breakage breakages[] = {
        [](u8*, wire::ResponseHeader& header) { header.magic = wire::kRequestMagic; },
        [](u8*, wire::ResponseHeader& header) { header.request_id += 1; },
        [](u8*, wire::ResponseHeader& header) { header.result_len = 31; },
        [](u8*, wire::ResponseHeader& header) { header.result_len = 40; },
        [](u8*, wire::ResponseHeader& header) { header.result_len = 0xFFFFFFFFu; },
        [](u8*, wire::ResponseHeader& header) {  // a segment where there is none
            header.status = static_cast<i32>(wire::Status::ResultInSegment);
            header.result_len = sizeof(wire::SegmentRef);
        },
    };
    for (const Breakage& breakage : breakages) EXPECT_EQ(status_after(breakage), CallStatus::ProtocolError);
}

TEST(Client, RefusalsCarryTheirStatus) {
    const Breakage refuse = [](u8*, wire::ResponseHeader& header) {
        header.status = static_cast<i32>(wire::Status::BudgetSpent);
        header.result_len = 0;
    };
    EXPECT_EQ(status_after(refuse), CallStatus::Refused);
}

TEST(Client, SegmentsBeyondTheLentMemoryAreProtocolErrors) {
    const wire::SegmentRef bad[] = {{8, 24000}, {0, 24008}, {~0ULL, 24000}, {0, 16}, {24000, 24000}};
    for (const wire::SegmentRef& where : bad) {
        Bench bench(2, 3000);
        bench.serve([&where](link::ServerHandle& server, const link::Arrival& arrival) {
            const Seen request = read(server, arrival);
            void* frame = server.response_frame(arrival.slot);
            platform::copy_bytes(wire::payload(frame), &where, sizeof where);
            wire::write_response(frame, request.header, wire::Status::ResultInSegment, sizeof where);
            server.publish(arrival.slot, arrival.generation);
        });
        std::vector<double> y;
        EXPECT_EQ(bench.infer(bench.features(1), &y).status, CallStatus::ProtocolError);
    }
}

TEST(Client, TimeoutAbandonsAndEverySlotComesBack) {
    Bench bench(4);
    std::vector<double> y;
    CallOptions options;
    options.deadline_ns = platform::clock_ns() + kSecond;  // all four are sent by then
    const CallResult late = bench.infer(bench.features(10), &y, options);
    EXPECT_EQ(late.status, CallStatus::Timeout);
    EXPECT_EQ(late.row, 0u);
    EXPECT_EQ(late.request_id, static_cast<u32>(kFirstId));
    EXPECT_EQ(bench.client->slots_in_use(), 4u);

    options.deadline_ns = platform::clock_ns() + kSecond / 50;  // every slot is abandoned: no slot is a timeout, too
    EXPECT_EQ(bench.infer(bench.features(1), &y, options).status, CallStatus::Timeout);

    bench.serve([](link::ServerHandle& server, const link::Arrival& arrival) { answer(server, arrival, 4); });
    const std::vector<double> x = bench.features(10);
    EXPECT_EQ(bench.infer(x, &y).status, CallStatus::Ok);
    EXPECT_EQ(y, bench.expected(x));
    EXPECT_EQ(bench.client->slots_in_use(), 0u);
}

TEST(Client, RowTimeoutCountsFromTheLastResult) {
    u32 seen = 0;
    Bench bench(1);
    bench.serve([&](link::ServerHandle& server, const link::Arrival& arrival) {
        if (++seen > 6) return;
        platform::sleep_ns(10'000'000);
        answer(server, arrival, 4);
    });
    std::vector<double> y;
    CallOptions options;
    options.row_timeout_ns = 2 * kSecond;
    const CallResult result = bench.infer(bench.features(9), &y, options);
    EXPECT_EQ(result.status, CallStatus::Timeout);
    EXPECT_EQ(result.row, 6u);
    EXPECT_GE(result.elapsed_ns, 2 * kSecond + 6 * 10'000'000);
}

/// Results that a server in this process writes into the caller's rows: large ones, and those of many rows.
class LentMemory : public ::testing::TestWithParam<std::pair<u64, u32>> {};

TEST_P(LentMemory, IsHeldUntilTheServerHasAnswered) {
    const auto [outputs, request_rows] = GetParam();
    constexpr u64 kRows = 64;
    Bench bench(32, outputs, optics::Precision::Float64, request_rows);
    auto memory = std::make_shared<std::vector<double>>(kRows * outputs);
    const std::weak_ptr<std::vector<double>> watched = memory;
    const std::vector<double> x = bench.features(kRows);
    const Features rows{x.data(), optics::Precision::Float64, kRows, kPhases * sizeof(double)};
    CallOptions options;
    options.deadline_ns = platform::clock_ns();
    {
        const Output out{memory->data(), static_cast<i64>(outputs * sizeof(double)), memory};
        EXPECT_EQ(bench.client->infer(rows, out, options).status, CallStatus::Timeout);
    }
    memory.reset();
    EXPECT_FALSE(watched.expired());
    const u64 each = outputs;  // a structured binding cannot be captured
    bench.serve([each](link::ServerHandle& server, const link::Arrival& arrival) { answer(server, arrival, each); });
    std::vector<double> y;
    EXPECT_EQ(bench.infer(x, &y).status, CallStatus::Ok);
    EXPECT_EQ(bench.infer(x, &y).status, CallStatus::Ok);  // looks for answered ones first
    EXPECT_EQ(y, bench.expected(x));
    EXPECT_TRUE(watched.expired());
}

INSTANTIATE_TEST_SUITE_P(Results, LentMemory, ::testing::Values(std::pair{3000u, 1u}, std::pair{100u, 16u}));

TEST(Client, AnswersBeforeACloseStillCount) {
    std::vector<link::Arrival> held;
    Bench bench(8);
    bench.serve([&](link::ServerHandle& server, const link::Arrival& arrival) {
        held.push_back(arrival);
        if (held.size() != 8) return;
        for (u32 i = 0; i < 5; ++i) answer(server, held[i], 4);
        server.close(7);
    });
    std::vector<double> y;
    const CallResult result = bench.infer(bench.features(20), &y);
    EXPECT_EQ(result.status, CallStatus::Closed);
    EXPECT_EQ(result.close_reason, 7u);
    EXPECT_EQ(result.row, 5u);
    EXPECT_EQ(bench.infer(bench.features(1), &y).status, CallStatus::Closed);
}

TEST(Client, StopEndsCallsOfOtherThreads) {
    Bench bench(2);
    CallResult result;
    std::thread caller([&] {
        std::vector<double> y;
        result = bench.infer(bench.features(10), &y);
    });
    while (bench.client->slots_in_use() == 0) platform::yield();
    bench.client->stop();
    EXPECT_TRUE(bench.client->drained(platform::clock_ns() + 60 * kSecond));
    caller.join();
    EXPECT_EQ(result.status, CallStatus::Closed);
    EXPECT_EQ(result.close_reason, 0u);
    std::vector<double> y;
    EXPECT_EQ(bench.infer(bench.features(1), &y).status, CallStatus::Closed);
}

TEST(Client, CancellationAndSignalsEndACall) {
    Bench bench(2);
    std::vector<double> y;
    std::atomic<bool> cancelled{true};
    CallOptions options;
    options.cancelled = &cancelled;
    EXPECT_EQ(bench.infer(bench.features(10), &y, options).status, CallStatus::Cancelled);

    u32 asked = 0;
    CallOptions interruptible;
    interruptible.context = &asked;
    interruptible.interrupted = [](void* context) { return ++*static_cast<u32*>(context) == 2; };
    EXPECT_EQ(bench.infer(bench.features(10), &y, interruptible).status, CallStatus::Interrupted);
    EXPECT_EQ(asked, 2u);
}

}  // namespace
}  // namespace photonlink::qsc
