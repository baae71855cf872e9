// The session client against a server that follows a script: answers out of order, broken answers, silence, closing.
#include "photonlink/qsc/client.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "photonlink/link/memory.hpp"
#include "photonlink/wire/functions.hpp"

namespace photonlink::qsc {
namespace {

constexpr u64 kKey = 0x1122334455667788ULL;
constexpr u64 kFirstId = 0xFFFFFFF0ULL;  // the low half wraps within the first rows
constexpr u32 kPhases = 3;
constexpr u64 kSecond = 1'000'000'000;

/// phase p = 2 * feature p + p
struct TestEncoding {
    std::vector<u32> row_begin{0, 1, 2, 3};
    std::vector<u32> term_feature{0, 1, 2};
    std::vector<double> term_weight{2, 2, 2};
    std::vector<double> offset{0, 1, 2};

    EncodingView view() const {
        return {kPhases, kPhases, row_begin.data(), term_feature.data(), term_weight.data(), offset.data(), false, 0};
    }
};

/// What an honest server makes of the phases: observable k = sum of phases + k.
double observable(const double* phases, u64 k) { return phases[0] + phases[1] + phases[2] + static_cast<double>(k); }

struct Bench {
    explicit Bench(u32 slots, u64 outputs = 4, optics::Precision precision = optics::Precision::Float64)
        : output_size(outputs) {
        config.key = kKey;
        config.first_id = kFirstId;
        config.output_size = outputs;
        config.max_counts = 8;
        config.precision = precision;
        config.encoding = encoding.view();
        port = std::make_unique<link::InProcessPort>(client_geometry(config, slots));
        client = std::make_unique<SessionClient>(port->client(), config, nullptr);
        server = std::make_unique<link::ServerHandle>(port->server());
    }
    ~Bench() { stop_server(); }

    using Script = std::function<void(link::ServerHandle&, const link::Arrival&)>;

    /// Answers each request by `script` as it arrives, in a thread of its own, until the bench ends: what the script
    /// writes to is declared before the bench.
    void serve(Script script) {
        running = true;
        thread = std::thread([this, script = std::move(script)] {
            std::vector<link::Arrival> arrivals(server->geometry().slots);
            while (running) {
                const u32 found = server->poll(arrivals.data(), server->geometry().slots);
                for (u32 i = 0; i < found; ++i) script(*server, arrivals[i]);
                if (found == 0) platform::yield();
            }
        });
    }
    void stop_server() {
        running = false;
        if (thread.joinable()) thread.join();
    }

    std::vector<double> features(u64 rows) const {
        std::vector<double> x(rows * kPhases);
        for (u64 i = 0; i < x.size(); ++i) x[i] = 0.25 * static_cast<double>(i);
        return x;
    }
    std::vector<double> expected(const std::vector<double>& x) const {
        std::vector<double> y;
        for (u64 row = 0; row * kPhases < x.size(); ++row) {
            double phases[kPhases];
            for (u32 p = 0; p < kPhases; ++p) phases[p] = 2 * x[row * kPhases + p] + p;
            for (u64 k = 0; k < output_size; ++k) y.push_back(observable(phases, k));
        }
        return y;
    }
    CallResult infer(const std::vector<double>& x, std::vector<double>* y, const CallOptions& options = {}) {
        y->assign(x.size() / kPhases * output_size, std::nan(""));
        const Features rows{x.data(), optics::Precision::Float64, x.size() / kPhases, kPhases * sizeof(double)};
        return client->infer(rows, {y->data(), static_cast<i64>(output_size * sizeof(double)), nullptr}, options);
    }

    TestEncoding encoding;
    ClientConfig config;
    u64 output_size;
    std::unique_ptr<link::InProcessPort> port;
    std::unique_ptr<SessionClient> client;
    std::unique_ptr<link::ServerHandle> server;
    std::atomic<bool> running{false};
    std::thread thread;
};

struct Seen {
    wire::RequestHeader header;
    u64 key;
    u64 count;
    double phases[kPhases];
    u64 outputs;
};

Seen read(link::ServerHandle& server, const link::Arrival& arrival) {
    Seen seen{};
    const void* frame = server.request_frame(arrival.slot);
    EXPECT_EQ(wire::parse_request(frame, server.geometry().slot_bytes, &seen.header), wire::ParseError::None);
    const auto* payload = static_cast<const u8*>(wire::payload(frame));
    platform::copy_bytes(&seen.key, payload, 8);
    platform::copy_bytes(&seen.count, payload + 8, 8);
    platform::copy_bytes(seen.phases, payload + 16, sizeof seen.phases);
    platform::copy_bytes(&seen.outputs, payload + seen.header.arg_len - 8, 8);
    return seen;
}

/// The honest answer in the precision asked for; where it goes depends on its size, as in the dispatcher.
template <class Real>
void answer_in(link::ServerHandle& server, const link::Arrival& arrival, const Seen& seen, u64 outputs) {
    void* frame = server.response_frame(arrival.slot);
    auto* payload = static_cast<u8*>(wire::payload(frame));
    const u64 bytes = outputs * sizeof(Real);
    const bool fits = bytes <= server.geometry().slot_bytes - wire::kHeaderBytes;
    u64 capacity = 0;
    auto* target = fits ? payload : static_cast<u8*>(server.result_area(arrival.slot, &capacity));
    for (u64 k = 0; k < outputs; ++k) {
        const Real value = static_cast<Real>(observable(seen.phases, k));
        platform::copy_bytes(target + k * sizeof value, &value, sizeof value);
    }
    if (fits) {
        wire::write_response(frame, seen.header, wire::Status::Ok, static_cast<u32>(bytes));
    } else {
        ASSERT_GE(capacity, bytes);
        const wire::SegmentRef where{0, bytes};
        platform::copy_bytes(payload, &where, sizeof where);
        wire::write_response(frame, seen.header, wire::Status::ResultInSegment, sizeof where);
    }
    server.publish(arrival.slot, arrival.generation);
}

void answer(link::ServerHandle& server, const link::Arrival& arrival, u64 outputs) {
    const Seen seen = read(server, arrival);
    if (seen.header.function_id == wire::kInferMixed)
        answer_in<float>(server, arrival, seen, outputs);
    else
        answer_in<double>(server, arrival, seen, outputs);
}

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
    options.deadline_ns = platform::clock_ns() + kSecond / 50;
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
    options.row_timeout_ns = kSecond;
    const CallResult result = bench.infer(bench.features(9), &y, options);
    EXPECT_EQ(result.status, CallStatus::Timeout);
    EXPECT_EQ(result.row, 6u);
    EXPECT_GE(result.elapsed_ns, kSecond + 6 * 10'000'000);
}

TEST(Client, LentMemoryIsHeldUntilTheServerHasAnswered) {
    Bench bench(2, 3000);
    auto memory = std::make_shared<std::vector<double>>(4 * 3000);
    const std::weak_ptr<std::vector<double>> watched = memory;
    const std::vector<double> x = bench.features(4);
    const Features rows{x.data(), optics::Precision::Float64, 4, kPhases * sizeof(double)};
    CallOptions options;
    options.deadline_ns = platform::clock_ns();
    {
        const Output out{memory->data(), 24000, memory};
        EXPECT_EQ(bench.client->infer(rows, out, options).status, CallStatus::Timeout);
    }
    memory.reset();
    EXPECT_FALSE(watched.expired());
    bench.serve([](link::ServerHandle& server, const link::Arrival& arrival) { answer(server, arrival, 3000); });
    std::vector<double> y;
    EXPECT_EQ(bench.infer(x, &y).status, CallStatus::Ok);
    EXPECT_EQ(bench.infer(x, &y).status, CallStatus::Ok);  // looks for answered ones first
    EXPECT_TRUE(watched.expired());
}

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

void answer_report(link::ServerHandle& server, const link::Arrival& arrival, u32 distinct, u32 observables, u32 extra) {
    const Seen seen = read(server, arrival);
    std::vector<u8> bytes(wire::report_bytes(observables, distinct) + extra);
    const wire::ReportHeader header{0.5, 1234, 2, 10, observables, distinct};
    platform::copy_bytes(bytes.data(), &header, sizeof header);
    for (u64 k = 0; k < 2 * u64{observables}; ++k) {
        const double value = observable(seen.phases, k);
        platform::copy_bytes(bytes.data() + sizeof header + k * 8, &value, 8);
    }
    for (u32 i = 0; i < 2 * distinct; ++i)
        platform::copy_bytes(bytes.data() + sizeof header + observables * 16 + i * 4, &i, 4);
    void* frame = server.response_frame(arrival.slot);
    const u64 room = server.geometry().slot_bytes - wire::kHeaderBytes;
    platform::copy_bytes(wire::payload(frame), bytes.data(), std::min<u64>(bytes.size(), room));
    wire::write_response(frame, seen.header, wire::Status::Ok, static_cast<u32>(bytes.size()));
    server.publish(arrival.slot, arrival.generation);
}

CallResult report(Bench& bench, u64 rows, Reports* reports, std::vector<double>* y) {
    const std::vector<double> x = bench.features(rows);
    y->assign(rows * bench.output_size, 0);
    const Features features{x.data(), optics::Precision::Float64, rows, kPhases * sizeof(double)};
    return bench.client->report(features, {y->data(), static_cast<i64>(bench.output_size * 8), nullptr}, reports, {});
}

TEST(Client, ReportsBringCountsOfDifferentLength) {
    u32 seen = 0;
    Bench bench(4);
    bench.serve([&](link::ServerHandle& server, const link::Arrival& arrival) {
        answer_report(server, arrival, seen++ % 3, 4, 0);
    });
    Reports reports;
    std::vector<double> errors(6 * 4);
    std::vector<i64> quantum(6);
    reports.standard_errors = errors.data();
    reports.quantum_ns = quantum.data();
    std::vector<double> y;
    ASSERT_EQ(report(bench, 6, &reports, &y).status, CallStatus::Ok);
    EXPECT_EQ(y, bench.expected(bench.features(6)));
    EXPECT_EQ(errors[0], y[0] + 4);
    EXPECT_EQ(quantum, std::vector<i64>(6, 1234));
    EXPECT_EQ(reports.row_begin.size(), 7u);
    EXPECT_EQ(reports.row_begin.back(), 6u);
    EXPECT_EQ(reports.counts.size(), 6u);
}

TEST(Client, BrokenReportsAreProtocolErrors) {
    const u32 bad[][3] = {{9, 4, 0}, {1, 5, 0}, {1, 3, 0}, {1, 4, 8}, {0xFFFFFF, 4, 0}};
    for (const auto& [distinct, observables, extra] : bad) {
        Bench bench(2);
        bench.serve(
            [d = distinct, o = observables, e = extra](link::ServerHandle& server, const link::Arrival& arrival) {
                answer_report(server, arrival, d, o, e);
            });
        Reports reports;
        std::vector<double> y;
        EXPECT_EQ(report(bench, 1, &reports, &y).status, CallStatus::ProtocolError);
    }
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
