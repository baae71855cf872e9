// Requests with several datapoints: the same results, identities and counts as one by one, or nothing at all.
#include "fixture.hpp"

namespace photonlink::qsc::test {
namespace {

constexpr u32 kPhases = 4;
constexpr u64 kOutputs = 3;

ProcessorSettings taking(std::size_t most_rows) {
    ProcessorSettings settings;
    settings.max_batch = most_rows;
    return settings;
}

std::vector<double> phases_of(u64 first, u64 rows) {
    std::vector<double> phases;
    for (u64 i = 0; i < rows * kPhases; ++i) phases.push_back(0.125 * static_cast<double>(first * kPhases + i) - 3);
    return phases;
}

std::vector<double> expected_rows(u64 first, u64 rows, u32 shots = 0, u64 seed = 0) {
    std::vector<double> values;
    const std::vector<double> phases = phases_of(first, rows);
    for (u64 row = 0; row < rows; ++row)
        for (u64 i = 0; i < kOutputs; ++i)
            values.push_back(expected_value(&phases[row * kPhases], kPhases, i, shots, seed, first + row));
    return values;
}

std::vector<u8> request(const Bench& bench, u64 first, u64 rows) {
    return infer_payload<double>(bench.grant.key, phases_of(first, rows), rows * kOutputs);
}

TEST(RequestRows, HaveTheResultsAndIdsOfOneByOne) {
    for (const auto precision : {optics::Precision::Float64, optics::Precision::Float32}) {
        SessionOptions options;
        options.shots = 7;
        options.seed = 3;
        options.precision = precision;
        Bench bench(taking(8), options);
        for (const u64 rows : {1u, 2u, 5u, 8u}) {
            const u64 first = 100 * rows;
            std::vector<double> expected = expected_rows(first, rows, 7, 3);
            const std::vector<float> rounded(expected.begin(), expected.end());
            if (precision == optics::Precision::Float32) expected.assign(rounded.begin(), rounded.end());
            const std::vector<u8> payload = request(bench, first, rows);
            EXPECT_EQ(bench.caller.call(wire::kInferRows, payload, first).values<double>(), expected) << rows;
            EXPECT_EQ(bench.caller.call(wire::kInferRowsMixed, payload, first).values<float>(), rounded) << rows;
        }
        const Counts counts = bench.controller.usage(bench.grant.session).counts;
        EXPECT_EQ(counts.tokens, 2u * (1 + 2 + 5 + 8));
        EXPECT_EQ(counts.shots, 7u * counts.tokens);
    }
}

TEST(RequestRows, KeepTheClockOfOneByOne) {
    SessionOptions options;
    options.shots = 1000;
    options.clock = ClockMode::Virtual;
    Bench together(taking(4), options);
    Bench one_by_one(taking(4), options);
    together.caller.call(wire::kInferRows, request(together, 0, 4), 0);
    for (u64 row = 0; row < 4; ++row) one_by_one.call(phases_of(row, 1), row);
    const i64 quantum_ns = one_by_one.controller.usage(one_by_one.grant.session).counts.quantum_ns;
    EXPECT_GT(quantum_ns, 0);
    EXPECT_EQ(together.controller.usage(together.grant.session).counts.quantum_ns, quantum_ns);
}

TEST(RequestRows, ShareABatchWithOthersWhereTheyFit) {
    ProcessorSettings settings = taking(8);
    settings.gated = true;
    Bench bench(settings, {}, {}, link::Geometry{16, 504, 0});
    std::vector<link::Ticket> tickets = {bench.submit(phases_of(0, 1), 0)};
    bench.record->wait_for_run();  // the rest is there when it ends
    for (u64 id = 1; id < 13; id += 3)
        tickets.push_back(bench.caller.submit(wire::kInferRows, request(bench, id, 3), id));
    bench.record->open_gate();
    EXPECT_EQ(bench.caller.collect(tickets[0]).values<double>(), expected_rows(0, 1));
    for (u64 i = 1; i < tickets.size(); ++i)
        EXPECT_EQ(bench.caller.collect(tickets[i]).values<double>(), expected_rows(3 * i - 2, 3));
    EXPECT_EQ(bench.record->batches(), (std::vector<std::size_t>{1, 6, 6}));
}

TEST(RequestRows, AreRefusedWholeAndCostNothing) {
    SessionOptions options;
    options.token_budget = 5;
    Bench bench(taking(4), options);
    const auto refused = [&bench](const std::vector<u8>& payload, u32 function = wire::kInferRows) {
        return bench.caller.call(function, payload, 50).status();
    };
    const u64 key = bench.grant.key;
    EXPECT_EQ(refused(request(bench, 0, 5)), wire::Status::BadLength) << "more than the processor takes at once";
    EXPECT_EQ(refused(infer_payload<double>(key, {}, 0)), wire::Status::BadLength) << "no rows";
    EXPECT_EQ(refused(infer_payload<double>(key, phases_of(0, 2), 5)), wire::Status::BadLength);
    EXPECT_EQ(refused(infer_payload<double>(key, phases_of(0, 2), ~0ULL)), wire::Status::BadLength);
    EXPECT_EQ(refused(infer_payload<double>(key, {1, 2, 3, 4, 5, 6}, 6)), wire::Status::BadLength);
    EXPECT_EQ(refused(infer_payload<double>(key + 1, phases_of(0, 2), 6)), wire::Status::BadKey);
    EXPECT_EQ(refused(request(bench, 0, 2), wire::kInfer), wire::Status::BadLength);
    std::vector<double> phases = phases_of(0, 3);
    phases[7] = std::nan("");
    EXPECT_EQ(refused(infer_payload<double>(key, phases, 9)), wire::Status::InvalidPhase);
    EXPECT_TRUE(bench.record->ids().empty());

    EXPECT_EQ(bench.caller.call(wire::kInferRows, request(bench, 0, 3), 0).values<double>(), expected_rows(0, 3));
    EXPECT_EQ(refused(request(bench, 3, 3)), wire::Status::BudgetSpent) << "two are left";
    EXPECT_EQ(bench.caller.call(wire::kInferRows, request(bench, 3, 2), 3).values<double>(), expected_rows(3, 2));
    EXPECT_EQ(refused(request(bench, 5, 1)), wire::Status::BudgetSpent);
    EXPECT_EQ(bench.controller.usage(bench.grant.session).counts.tokens, 5u);
    EXPECT_EQ(bench.caller.client().in_use(), 0u);
}

TEST(RequestRows, LargeResultsNeedAnAreaForAllOfThem) {
    Bench without_area(taking(16), {}, {}, link::Geometry{4, 560, 0});  // 16 x 3 doubles do not fit the 536 bytes
    EXPECT_EQ(without_area.caller.call(wire::kInferRows, request(without_area, 0, 14), 0).status(), wire::Status::Ok);
    ProcessorSettings wide = taking(4);
    wide.outputs = 40;
    for (const u64 area : {1216u, 1280u}) {  // of 4 x 320 bytes
        Bench bench(wide, {}, {}, link::Geometry{4, 504, area});
        const auto payload = infer_payload<double>(bench.grant.key, phases_of(0, 4), 160);
        const Answer answer = bench.caller.call(wire::kInferRows, payload, 0);
        EXPECT_EQ(answer.status(), area < 1280 ? wire::Status::ResponseTooLarge : wire::Status::ResultInSegment);
        EXPECT_EQ(bench.controller.usage(bench.grant.session).counts.tokens, area < 1280 ? 0u : 4u);
    }
}

TEST(RequestRows, FailTogether) {
    ProcessorSettings settings = taking(4);
    settings.fail_ids = {2};
    Bench bench(settings);
    EXPECT_EQ(bench.caller.call(wire::kInferRows, request(bench, 0, 4), 0).status(), wire::Status::ProcessorFailed);
    const Counts counts = bench.controller.usage(bench.grant.session).counts;
    EXPECT_EQ(counts.tokens, 4u) << "executed, if in vain";
    EXPECT_EQ(bench.caller.call(wire::kInferRows, request(bench, 4, 4), 4).values<double>(), expected_rows(4, 4));
}

TEST(RequestRows, UnderTheRealtimeClockAreOne) {
    SessionOptions options;
    options.shots = 10;
    options.clock = ClockMode::Realtime;
    Bench bench(taking(8), options);
    EXPECT_EQ(bench.caller.call(wire::kInferRows, request(bench, 0, 2), 0).status(), wire::Status::BadLength);
    const u64 started_ns = platform::clock_ns();
    EXPECT_EQ(bench.caller.call(wire::kInferRows, request(bench, 0, 1), 0).status(), wire::Status::Ok);
    const Counts counts = bench.controller.usage(bench.grant.session).counts;
    EXPECT_EQ(counts.tokens, 1u);
    EXPECT_GE(platform::clock_ns() - started_ns, static_cast<u64>(counts.quantum_ns));
}

TEST(RequestRows, EachHasItsStages) {
    ControllerOptions controller;
    controller.dispatcher.stages = std::make_shared<StageLog>(16);
    Bench bench(taking(8), {}, controller);
    ASSERT_EQ(bench.caller.call(wire::kInferRows, request(bench, 40, 3), 40).status(), wire::Status::Ok);
    std::vector<u64> ids;
    for (const Stages& stages : controller.dispatcher.stages->entries()) ids.push_back(stages.id);
    EXPECT_EQ(ids, (std::vector<u64>{40, 41, 42}));
}

TEST(RequestRows, AreOfferedWhereTheyAreCheapAndNothingTellsThemApart) {
    const auto offered = [](std::size_t most_rows, double datapoint_ns, const SessionOptions& options = {},
                            const Faults& faults = {}) {
        ControllerOptions controller;
        controller.dispatcher.faults = faults;
        ProcessorSettings settings = taking(most_rows);
        settings.datapoint_ns = datapoint_ns;
        return Bench(settings, options, controller).grant.most_request_rows;
    };
    SessionOptions realtime, limited;
    realtime.clock = ClockMode::Realtime;
    limited.token_budget = 100;
    Faults mute;
    mute.mute_from = 20;
    EXPECT_EQ(offered(64, 50), 16u);
    EXPECT_EQ(offered(64, 480), 4u);
    EXPECT_EQ(offered(24, 100), 12u) << "two fill a batch";
    EXPECT_EQ(offered(5, 50), 5u);
    EXPECT_EQ(offered(64, 1e6), 1u) << "a frame does not matter";
    EXPECT_EQ(offered(64, 0), 1u) << "nobody knows what one takes";
    EXPECT_EQ(offered(1, 50), 1u);
    EXPECT_EQ(offered(64, 50, realtime), 1u);
    EXPECT_EQ(offered(64, 50, limited), 1u);
    EXPECT_EQ(offered(64, 50, {}, mute), 1u);
}

}  // namespace
}  // namespace photonlink::qsc::test
