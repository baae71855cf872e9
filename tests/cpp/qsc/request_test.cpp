// Every kind of request: what is answered, with what, and what is refused before anything is executed.
#include <cmath>
#include <limits>
#include <random>

#include "fixture.hpp"

namespace photonlink::qsc::test {
namespace {

std::vector<double> expected(const std::vector<double>& phases, std::size_t outputs, u32 shots, u64 seed, u64 id) {
    std::vector<double> values(outputs);
    for (std::size_t i = 0; i < outputs; ++i)
        values[i] = expected_value(phases.data(), phases.size(), i, shots, seed, id);
    return values;
}

std::vector<float> rounded(const std::vector<double>& values) { return {values.begin(), values.end()}; }

TEST(Requests, EchoReturnsWhatFollowsTheKey) {
    Bench bench;
    const std::string text = "24 bytes of any content.";
    const Answer answer = bench.caller.call(wire::kEcho, echo_payload(bench.grant.key, text), 0xFFFFFFFF12345678u);
    ASSERT_EQ(answer.status(), wire::Status::Ok);
    EXPECT_EQ(std::string(answer.payload.begin(), answer.payload.end()), text);
    EXPECT_EQ(answer.header.request_id, 0x12345678u);
    EXPECT_EQ(answer.header.ptp_timestamp, 77u);
    EXPECT_TRUE(bench.caller.call(wire::kEcho, echo_payload(bench.grant.key, ""), 1).payload.empty());
    EXPECT_EQ(bench.controller.usage(bench.grant.session).counts.tokens, 0u) << "costs nothing";
}

TEST(Requests, InferInBothPrecisionsOnSessionsOfBoth) {
    const std::vector<double> phases = {0.1, -2.5, 3.25, 1e-3};
    for (const auto precision : {optics::Precision::Float64, optics::Precision::Float32}) {
        SessionOptions options;
        options.precision = precision;
        Bench bench({}, options);
        const u64 key = bench.grant.key;
        std::vector<double> from_f64 = expected(phases, 3, 0, 0, 0);
        if (precision == optics::Precision::Float32)
            for (double& value : from_f64) value = static_cast<float>(value);
        EXPECT_EQ(bench.caller.call(wire::kInfer, infer_payload<double>(key, phases, 3), 0).values<double>(), from_f64);

        std::vector<double> coarse;  // what is left of the phases in single precision
        for (double phase : phases) coarse.push_back(static_cast<float>(phase));
        EXPECT_EQ(bench.caller.call(wire::kInferF32, infer_payload<float>(key, phases, 3), 1).values<float>(),
                  rounded(expected(coarse, 3, 0, 0, 1)));
        EXPECT_EQ(bench.caller.call(wire::kInferMixed, infer_payload<double>(key, phases, 3), 2).values<float>(),
                  rounded(expected(phases, 3, 0, 0, 2)));
    }
}

TEST(Requests, AnOddNumberOfSinglePrecisionPhasesIsPadded) {
    Bench bench({}, {}, {}, {}, 3);
    const std::vector<double> phases = {0.5, 0.25, 2.0};
    const Answer answer = bench.caller.call(wire::kInferF32, infer_payload<float>(bench.grant.key, phases, 3), 0);
    ASSERT_EQ(answer.status(), wire::Status::Ok);
    EXPECT_EQ(answer.values<float>(), rounded(expected(phases, 3, 0, 0, 0)));
}

TEST(Requests, ReportHasCountsErrorsAndTime) {
    SessionOptions options;
    options.shots = 1000;
    options.seed = 5;
    Bench bench({}, options, {}, link::Geometry{4, 504, 0});
    const std::vector<double> phases = {1, 2, 3, 4};
    const Answer answer = bench.caller.call(wire::kReport, report_payload(bench.grant.key, phases), 9);
    ASSERT_EQ(answer.status(), wire::Status::Ok);
    ASSERT_EQ(answer.payload.size(), 32u + 3 * 16 + 2 * 8);
    wire::ReportHeader report{};
    std::memcpy(&report, answer.payload.data(), sizeof report);
    EXPECT_EQ(report.kept_fraction, 0.5);
    EXPECT_EQ(report.quantum_ns, 30'000'000);
    EXPECT_EQ(report.changed_phases, 4u);
    EXPECT_EQ(report.shots, 1000u);
    EXPECT_EQ(report.observables, 3u);
    EXPECT_EQ(report.distinct, 2u);
    std::vector<double> numbers(6);
    std::memcpy(numbers.data(), answer.payload.data() + 32, 48);
    const std::vector<double> observables = expected(phases, 3, 1000, 5, 9);
    EXPECT_EQ(std::vector<double>(numbers.begin(), numbers.begin() + 3), observables);
    EXPECT_EQ(std::vector<double>(numbers.begin() + 3, numbers.end()), std::vector<double>(3, 0.125));
    u32 sparse[4];
    std::memcpy(sparse, answer.payload.data() + 80, sizeof sparse);
    EXPECT_EQ(std::vector<u32>(sparse, sparse + 4), (std::vector<u32>{1, 3, 999, 1}));
}

TEST(Requests, ExactReportHasNoCountsAndNoTime) {
    Bench bench;
    const Answer answer = bench.caller.call(wire::kReport, report_payload(bench.grant.key, {1, 2, 3, 4}), 0);
    ASSERT_EQ(answer.status(), wire::Status::Ok);
    wire::ReportHeader report{};
    std::memcpy(&report, answer.payload.data(), sizeof report);
    EXPECT_EQ(report.quantum_ns, kNoQuantumTime);
    EXPECT_EQ(report.shots, 0u);
    EXPECT_EQ(report.distinct, 0u);
    EXPECT_EQ(answer.payload.size(), 32u + 3 * 16);
    EXPECT_EQ(bench.controller.usage(bench.grant.session).counts.quantum_ns, kNoQuantumTime);
}

TEST(Requests, StatusTellsTheSession) {
    SessionOptions options;
    options.shots = 1000;
    options.token_budget = 10;
    options.clock = ClockMode::Virtual;
    Bench bench({}, options);
    for (u64 i = 0; i < 3; ++i) ASSERT_EQ(bench.call({0, 0, 0, 0}, i).status(), wire::Status::Ok);
    const auto words = bench.caller.call(wire::kStatus, echo_payload(bench.grant.key, ""), 3).values<i64>();
    ASSERT_EQ(words.size(), 8u);
    EXPECT_EQ(words[0], static_cast<i64>(State::Serving));
    EXPECT_EQ(words[1], 3);
    EXPECT_EQ(words[2], 3000);
    EXPECT_EQ(words[3], 50'000'000) << "30 ms, then twice 10 ms for unchanged phases";
    EXPECT_EQ(words[4], 7);
    EXPECT_GT(words[5], 0);
    EXPECT_EQ(words[6], static_cast<i64>(ClockMode::Virtual));
}

/// Of the test processor: all but one of `shots` photon pairs in modes 0 and 2, the last in 1 and 2.
std::vector<u8> expected_samples(u32 shots) {
    std::vector<u8> photons;
    for (u32 shot = 0; shot + 1 < shots; ++shot) photons.insert(photons.end(), {1, 0, 1, 0});
    photons.insert(photons.end(), {0, 1, 1, 0});
    return photons;
}

SessionOptions with_shots(u32 shots) {
    SessionOptions options;
    options.shots = shots;
    return options;
}

TEST(Requests, SamplesAreListedShotByShot) {
    Bench bench({}, with_shots(6));
    std::vector<u8> payload;  // written out: key, count, phases, photon numbers wanted
    for (const u64 word : {bench.grant.key, u64{4}, u64{0}, u64{0x3ff0000000000000}, u64{0}, u64{0}, u64{24}})
        put(payload, word);
    const Answer answer = bench.caller.call(wire::kSamples, payload, 0);
    ASSERT_EQ(answer.status(), wire::Status::Ok);
    EXPECT_EQ(answer.payload, expected_samples(6));
    const Counts counts = bench.controller.usage(bench.grant.session).counts;
    EXPECT_EQ(counts.tokens, 1u);
    EXPECT_EQ(counts.shots, 6u);
    EXPECT_EQ(counts.kept_samples, 6u);
    EXPECT_EQ(counts.quantum_ns, 20'060'000) << "as any datapoint: phases, and six samples at 100 kHz";
}

TEST(Requests, SamplesBeyondTheSlotLieInTheResultArea) {
    const std::vector<double> phases = {1, 2, 3, 4};
    for (const u32 shots : {26u, 27u, 500u, 501u}) {  // 24 + 26 * 4 = 128, and 500 * 4 = 2000
        Bench bench({}, with_shots(shots), {}, link::Geometry{4, 128, 2048});
        const Answer answer =
            bench.caller.call(wire::kSamples, infer_payload<double>(bench.grant.key, phases, 4 * shots), 0);
        EXPECT_EQ(answer.status(), shots > 26 ? wire::Status::ResultInSegment : wire::Status::Ok);
        EXPECT_EQ(answer.payload, expected_samples(shots));
        Bench small({}, with_shots(shots), {}, link::Geometry{4, 128, 0});
        const Answer none =
            small.caller.call(wire::kSamples, infer_payload<double>(small.grant.key, phases, 4 * shots), 0);
        EXPECT_EQ(none.status(), shots > 26 ? wire::Status::ResponseTooLarge : wire::Status::Ok);
        EXPECT_EQ(small.controller.usage(small.grant.session).counts.tokens, shots > 26 ? 0u : 1u);
    }
}

TEST(Requests, SamplesOfAnotherNumberAreRefused) {
    const std::vector<double> phases = {1, 2, 3, 4};
    for (const u32 shots : {0u, 6u}) {
        Bench bench({}, with_shots(shots));
        const u64 key = bench.grant.key;
        const auto status = [&](const std::vector<u8>& payload, u64 id) {
            return bench.caller.call(wire::kSamples, payload, id).status();
        };
        u64 id = 0;
        for (const u64 count : {u64{0}, u64{3}, u64{4}, u64{23}, u64{25}, ~u64{0}})
            EXPECT_EQ(status(infer_payload<double>(key, phases, count), ++id), wire::Status::BadLength) << count;
        EXPECT_EQ(status(report_payload(key, phases), ++id), wire::Status::BadLength);
        EXPECT_EQ(status(infer_payload<double>(key ^ 1, phases, 24), ++id), wire::Status::BadKey);
        EXPECT_EQ(status(infer_payload<double>(key, {1, 2, 3}, 24), ++id), wire::Status::BadLength);
        EXPECT_EQ(status(infer_payload<double>(key, {1, 2, std::nan(""), 4}, 24), ++id),
                  shots == 0 ? wire::Status::BadLength : wire::Status::InvalidPhase);
        EXPECT_TRUE(bench.record->ids().empty());
    }
}

/// Changes what the test processor reports.
class Liar : public TestProcessor {
  public:
    Liar(std::shared_ptr<Record> record, std::function<void(optics::RowReport&)> lie)
        : TestProcessor(std::move(record)), lie_(std::move(lie)) {}
    void run(const optics::SimulationBatch& batch) override {
        TestProcessor::run(batch);
        for (std::size_t row = 0; row < batch.rows; ++row) lie_(batch.reports[row]);
    }

  private:
    const std::function<void(optics::RowReport&)> lie_;
};

TEST(Requests, SamplesThatThereCannotBeAreNotPassedOn) {
    const std::vector<std::function<void(optics::RowReport&)>> lies = {
        [](optics::RowReport& report) { ++report.counts[0]; }, [](optics::RowReport& report) { --report.counts[0]; },
        [](optics::RowReport& report) { report.state_index[1] = 6; },  // 2 photons in 4 modes: 6 states
        [](optics::RowReport& report) { report.state_index[1] = ~u32{0}; }};
    for (const auto& lie : lies) {
        Controller controller(std::make_unique<Liar>(std::make_shared<Record>(ProcessorSettings{}), lie));
        const SessionGrant grant = controller.reserve(test_program(), with_shots(6));
        Caller caller;
        controller.attach(grant.session, caller.attachment());
        const Answer answer = caller.call(wire::kSamples, infer_payload<double>(grant.key, {1, 2, 3, 4}, 24), 0);
        EXPECT_EQ(answer.status(), wire::Status::ProcessorFailed);
        EXPECT_EQ(controller.usage(grant.session).counts.tokens, 1u) << "it was executed";
        EXPECT_NE(controller.status().cause.find("sample"), std::string::npos) << controller.status().cause;
    }
}

TEST(Requests, LargeResultsLieInTheResultArea) {
    ProcessorSettings settings;
    settings.outputs = 200;
    Bench bench(settings, {}, {}, link::Geometry{4, 128, 2048});
    const std::vector<double> phases = {1, 2, 3, 4};
    link::Ticket ticket = bench.submit(phases, 0);
    Answer answer = bench.caller.collect(ticket);
    EXPECT_EQ(answer.status(), wire::Status::ResultInSegment);
    EXPECT_EQ(answer.header.result_len, sizeof(wire::SegmentRef));
    EXPECT_EQ(answer.values<double>(), expected(phases, 200, 0, 0, 0));
    // Single precision on a double session goes through scratch memory.
    answer = bench.caller.call(wire::kInferF32, infer_payload<float>(bench.grant.key, phases, 200), 1);
    EXPECT_EQ(answer.values<float>(), rounded(expected(phases, 200, 0, 0, 1)));
    // 32 + 200 * 16 bytes do not fit 2048: known before execution.
    answer = bench.caller.call(wire::kReport, report_payload(bench.grant.key, phases), 2);
    EXPECT_EQ(answer.status(), wire::Status::ResponseTooLarge);
    EXPECT_EQ(bench.record->ids(), (std::vector<u64>{0, 1}));
    EXPECT_EQ(bench.controller.usage(bench.grant.session).counts.tokens, 2u);
}

TEST(Requests, AResultThatJustFitsStaysInTheSlot) {
    ProcessorSettings settings;
    settings.outputs = 13;  // 24 + 104 = 128
    Bench bench(settings, {}, {}, link::Geometry{4, 128, 0});
    const Answer answer = bench.call({1, 2, 3, 4}, 0);
    EXPECT_EQ(answer.status(), wire::Status::Ok);
    EXPECT_EQ(answer.values<double>(), expected({1, 2, 3, 4}, 13, 0, 0, 0));
    settings.outputs = 14;
    Bench larger(settings, {}, {}, link::Geometry{4, 128, 0});
    EXPECT_EQ(larger.call({1, 2, 3, 4}, 0).status(), wire::Status::ResponseTooLarge);
}

TEST(Requests, ResultsGoStraightIntoTheCallersMemoryEvenIfItIsNotAligned) {
    ProcessorSettings settings;
    settings.outputs = 100;
    Bench bench(settings, {}, {}, link::Geometry{4, 128, 0});
    const std::vector<double> phases = {1, 2, 3, 4};
    for (const std::size_t shift : {0, 3}) {
        std::vector<u8> memory(800 + shift);
        link::Ticket ticket{};
        ASSERT_EQ(bench.caller.client().try_claim(&ticket), link::LinkStatus::Ok);
        ASSERT_TRUE(bench.caller.client().set_sink(ticket, memory.data() + shift, 800));
        const std::vector<u8> payload = bench.infer(phases);
        u8* frame = static_cast<u8*>(bench.caller.client().request_frame(ticket));
        wire::write_request(frame, wire::kInfer, static_cast<u32>(payload.size()), 0, 0);
        std::memcpy(frame + wire::kHeaderBytes, payload.data(), payload.size());
        bench.caller.client().submit(ticket);
        EXPECT_EQ(bench.caller.collect(ticket).status(), wire::Status::ResultInSegment);
        std::vector<double> values(100);
        std::memcpy(values.data(), memory.data() + shift, 800);
        EXPECT_EQ(values, expected(phases, 100, 0, 0, 0));
    }
}

struct Malformed {
    const char* what;
    wire::Status expected;
    u32 magic;
    u32 function;
    u32 arg_len;  // instead of the payload's size; 0 = as it is
    std::vector<u8> payload;
};

TEST(Requests, MalformedOnesAreRefusedAndNothingIsExecuted) {
    SessionOptions options;
    options.token_budget = 100;
    Bench bench({}, options);
    const u64 key = bench.grant.key;
    const u32 magic = wire::kRequestMagic;
    const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
    const auto good = bench.infer({1, 2, 3, 4});
    auto with = [](std::vector<u8> bytes, std::size_t at, u64 value) {
        std::memcpy(bytes.data() + at, &value, 8);
        return bytes;
    };
    const auto longer = [&](u32 by) {
        std::vector<u8> bytes = good;
        bytes.resize(bytes.size() + by);
        return bytes;
    };
    using wire::Status;
    const std::vector<Malformed> cases = {
        {"wrong magic", Status::BadLength, 0x12345678, wire::kInfer, 0, good},
        {"length beyond the slot", Status::BadLength, magic, wire::kInfer, 481, good},
        {"length near 2^32", Status::BadLength, magic, wire::kInfer, 0xFFFFFFFF, good},
        {"unknown function", Status::UnknownFunction, magic, wire::function_id("rpc_increment"), 0, good},
        {"echo without key", Status::BadLength, magic, wire::kEcho, 7, good},
        {"infer without key", Status::BadLength, magic, wire::kInfer, 7, good},
        {"status without key", Status::BadLength, magic, wire::kStatus, 4, good},
        {"status with more than a key", Status::BadLength, magic, wire::kStatus, 16, good},
        {"echo with a wrong key", Status::BadKey, magic, wire::kEcho, 0, echo_payload(key + 1, "x")},
        {"status with a wrong key", Status::BadKey, magic, wire::kStatus, 8, echo_payload(~key, "")},
        {"infer with a wrong key", Status::BadKey, magic, wire::kInfer, 0, with(good, 0, key ^ 1)},
        {"report with a wrong key", Status::BadKey, magic, wire::kReport, 0, report_payload(0, {1, 2, 3, 4})},
        {"too few phases", Status::BadLength, magic, wire::kInfer, 0, bench.infer({1, 2, 3})},
        {"too many phases", Status::BadLength, magic, wire::kInfer, 0, bench.infer({1, 2, 3, 4, 5})},
        {"no phases", Status::BadLength, magic, wire::kInfer, 0, bench.infer({})},
        {"a count that lies", Status::BadLength, magic, wire::kInfer, 0, with(good, 8, 3)},
        {"a count near 2^64", Status::BadLength, magic, wire::kInfer, 0, with(good, 8, ~0ULL)},
        {"fewer outputs", Status::BadLength, magic, wire::kInfer, 0, infer_payload<double>(key, {1, 2, 3, 4}, 2)},
        {"more outputs", Status::BadLength, magic, wire::kInfer, 0, infer_payload<double>(key, {1, 2, 3, 4}, ~0ULL)},
        {"one byte more", Status::BadLength, magic, wire::kInfer, 0, longer(1)},
        {"eight bytes more", Status::BadLength, magic, wire::kInfer, 0, longer(8)},
        {"double phases, single function", Status::BadLength, magic, wire::kInferF32, 0, good},
        {"infer layout, report function", Status::BadLength, magic, wire::kReport, 0, good},
        {"phase not a number", Status::InvalidPhase, magic, wire::kInfer, 0, bench.infer({1, nan, 3, 4})},
        {"phase infinite", Status::InvalidPhase, magic, wire::kInfer, 0, bench.infer({1, 2, 3, -infinity})},
        {"single phase not a number", Status::InvalidPhase, magic, wire::kInferF32, 0,
         infer_payload<float>(key, {1, nan, 3, 4}, 3)},
        {"report phase infinite", Status::InvalidPhase, magic, wire::kReport, 0,
         report_payload(key, {infinity, 2, 3, 4})},
    };
    u64 id = 0;
    for (const Malformed& request : cases) {
        const u32 arg_len = request.arg_len != 0 ? request.arg_len : static_cast<u32>(request.payload.size());
        const Answer answer = bench.caller.collect(
            bench.caller.submit_raw(request.magic, request.function, arg_len, request.payload, ++id));
        ASSERT_EQ(answer.link, link::LinkStatus::Ok) << request.what;
        EXPECT_EQ(answer.status(), request.expected) << request.what;
        EXPECT_TRUE(answer.payload.empty()) << request.what;
        EXPECT_EQ(answer.header.request_id, static_cast<u32>(id)) << request.what;
    }
    EXPECT_TRUE(bench.record->ids().empty());
    EXPECT_EQ(bench.call({1, 2, 3, 4}, ++id).status(), wire::Status::Ok) << "the port still works";
    const auto words = bench.caller.call(wire::kStatus, echo_payload(key, ""), ++id).values<i64>();
    EXPECT_EQ(words.at(4), 99) << "refused datapoints cost nothing";
    EXPECT_EQ(bench.caller.client().in_use(), 0u) << "no slot is lost";
}

TEST(Requests, RandomBytesNeverExecuteAnythingAndLoseNoSlot) {
    Bench bench;
    std::mt19937_64 random(20261122);
    const u32 functions[] = {wire::kEcho,      wire::kInfer,         wire::kInferF32, wire::kInferMixed,
                             wire::kReport,    wire::kSamples,       wire::kStatus,   1,
                             wire::kInferRows, wire::kInferRowsMixed};
    for (u64 i = 0; i < 3000; ++i) {
        std::vector<u8> payload(random() % 200);
        for (u8& byte : payload) byte = static_cast<u8>(random());
        const u32 magic = random() % 8 == 0 ? static_cast<u32>(random()) : wire::kRequestMagic;
        const u32 arg_len = random() % 4 == 0 ? static_cast<u32>(random()) : static_cast<u32>(payload.size());
        const Answer answer =
            bench.caller.collect(bench.caller.submit_raw(magic, functions[random() % 10], arg_len, payload, random()));
        ASSERT_EQ(answer.link, link::LinkStatus::Ok);
        ASSERT_LT(answer.header.status, 0);
    }
    EXPECT_TRUE(bench.record->ids().empty());
    EXPECT_EQ(bench.caller.client().in_use(), 0u);
}

}  // namespace
}  // namespace photonlink::qsc::test
