// Batches against an honest server: every row gets its own answer, whatever the shape of the launch and the order of
// the answers, and groups that share too few slots do not block each other.

#include "rows.hpp"

namespace photonlink::device::test {
namespace {

const Grid kGrids[] = {{1, 1, 1}, {1, 1, 8}, {3, 1, 4}, {8, 1, 8}, {2, 3, 2}, {3, 3, 8}, {2, 32, 3}};

TEST(Batch, EveryRowGetsItsOwnAnswerAndConsecutiveIds) {
    for (const Grid& grid : kGrids) {
        for (const u32 slots : {1u, 2u, 16u}) {  // mostly fewer than groups * window
            Scripted port(slots);
            Rows<float, double> rows(grid.size == 32 ? 12 : 41, 5, slots);
            std::map<u32, double> first_phase;  // by request id
            {
                const Server server(port, [&](link::ServerHandle& handle, const link::Arrival& arrival) {
                    const Seen seen = read_request(handle, arrival.slot);
                    EXPECT_TRUE(first_phase.emplace(seen.header.request_id, seen.phases[0]).second) << "id came twice";
                    answer_honestly(handle, arrival);
                });
                LaunchWords words{};
                run_infer(port.link(), rows.batch(), grid, &words);
            }
            rows.expect_all(CallStatus::Ok);
            ASSERT_EQ(first_phase.size(), rows.rows);
            for (u64 row = 0; row < rows.rows; ++row)
                EXPECT_EQ(first_phase.at(static_cast<u32>(row)), rows.features(row)[0]) << "id of another row";
            EXPECT_EQ(port.slots_in_use(), 0u);
            EXPECT_EQ(port.side.words.failed_rows, 0u);
            EXPECT_EQ(port.server().violations(), 0u);
        }
    }
}

TEST(Batch, AnswersMayComeInAnyOrder) {
    constexpr u32 kRows = 60;
    Scripted port(8, 3, sizeof(float));
    Rows<double, float> rows(kRows, 3, 7);
    std::mt19937_64 random(7);
    std::vector<link::Arrival> held;
    u32 looks = 0;  // since the last arrival
    const auto answer_all = [&](link::ServerHandle& handle) {
        std::shuffle(held.begin(), held.end(), random);
        for (const link::Arrival& one : held) answer_honestly(handle, one);
        held.clear();
    };
    const link::testing::ServerThread server(
        port.server(),
        [&](link::ServerHandle& handle, const std::vector<link::Arrival>& arrivals) {
            looks = 0;
            held.insert(held.end(), arrivals.begin(), arrivals.end());
            if (held.size() >= 4) answer_all(handle);
        },
        [&](link::ServerHandle& handle) {
            if (++looks == 100) answer_all(handle);  // fewer: everybody may be waiting for these
        });
    LaunchWords words{};
    run_infer(port.link(), rows.batch(), {2, 3, 4}, &words);
    rows.expect_all(CallStatus::Ok);
}

TEST(Batch, BadRowsSpoilNoOthers) {
    for (const Grid& grid : kGrids) {
        Scripted port(2);
        Rows<double, double> rows(grid.size == 32 ? 10 : 40, 5, 8);
        const auto expected = [](u64 row) {
            return row % 5 == 1 ? CallStatus::BadFeature : row % 5 == 3 ? CallStatus::BadPhase : CallStatus::Ok;
        };
        for (u64 row = 0; row < rows.rows; ++row) {
            if (expected(row) == CallStatus::BadFeature)
                rows.features(row)[row % 3] = row % 2 == 0 ? std::nan("") : HUGE_VAL;
            if (expected(row) == CallStatus::BadPhase) rows.features(row)[2] = -1e10;
        }
        std::atomic<u64> served{0};
        const Server server(port, [&](link::ServerHandle& handle, const link::Arrival& arrival) {
            ++served;
            answer_honestly(handle, arrival);
        });
        LaunchWords words{};
        run_infer(port.link(), rows.batch(), grid, &words);
        for (u64 row = 0; row < rows.rows; ++row) rows.expect_row(row, expected(row));
        EXPECT_EQ(served, rows.count(CallStatus::Ok)) << "bad rows were sent";
        EXPECT_EQ(port.side.words.failed_rows, rows.rows - served);
        EXPECT_EQ(port.side.words.next_id, rows.rows);
        EXPECT_EQ(port.slots_in_use(), 0u);
        EXPECT_EQ(port.server().violations(), 0u);
    }
}

TEST(Batch, RefusedRowsAreLatchedWithTheirReason) {
    Scripted port(4);
    Rows<double, double> rows(20, 5, 9);
    const Server server(port, [&](link::ServerHandle& handle, const link::Arrival& arrival) {
        const Seen seen = read_request(handle, arrival.slot);
        if (seen.header.request_id < 5) return answer_honestly(handle, arrival);
        publish(handle, arrival, header_for(seen, wire::Status::BudgetSpent, 0), nullptr, 0);
    });
    LaunchWords words{};
    auto batch = rows.batch();
    batch.first_row = 100;
    run_infer(port.link(), batch, {1, 3, 2}, &words);
    for (u64 row = 0; row < rows.rows; ++row) rows.expect_row(row, row < 5 ? CallStatus::Ok : CallStatus::Refused);
    Failure failure{};
    ASSERT_TRUE(take_failure(&port.side.latch, &failure));
    EXPECT_EQ(failure.status, CallStatus::Refused);
    EXPECT_EQ(failure.wire_status, static_cast<i32>(wire::Status::BudgetSpent));
    EXPECT_EQ(failure.row, 105u);
    EXPECT_EQ(failure.id, 5u);
    EXPECT_EQ(port.side.words.failed_rows, 15u);
}

TEST(Batch, SplitCallsMayBeCollectedByAnotherGrid) {
    for (const u64 seed : {u64{1}, u64{2}}) {
        Scripted port(32);
        Rows<double, double> rows(30, 5, seed);
        rows.features(11)[0] = std::nan("");
        const Server server(port, honest);
        LaunchWords words{};
        std::vector<Pending> pending(rows.rows);
        for (u32 replay = 0; replay < 3; ++replay) {  // the same arguments again, as a graph replays them
            std::fill(rows.y.begin(), rows.y.end(), decltype(rows)::kMark);
            std::fill(rows.statuses.begin(), rows.statuses.end(), 99u);
            run_submit(port.link(), rows.batch(), {3, 3, 1}, &words, pending.data());
            EXPECT_EQ(rows.status(11), CallStatus::BadFeature);
            EXPECT_EQ(rows.count(static_cast<CallStatus>(99)), rows.rows - 1) << "nothing else is decided yet";
            for (u64 row = 0; row < rows.rows; ++row)
                EXPECT_EQ(pending[row].id, row == 11 ? 0 : replay * rows.rows + row);
            run_collect(port.link(), rows.batch(), {2, 1, 1}, pending.data());
            for (u64 row = 0; row < rows.rows; ++row)
                rows.expect_row(row, row == 11 ? CallStatus::BadFeature : CallStatus::Ok);
            for (const Pending& left : pending) EXPECT_FALSE(was_sent(left)) << "used up";
            EXPECT_EQ(port.slots_in_use(), 0u);
        }
        EXPECT_EQ(port.side.words.next_id, 3 * rows.rows);
    }
}

TEST(Batch, SubmittingAgainWithoutCollectingLosesNoSlots) {
    Scripted port(12);
    Rows<double, double> rows(12, 5, 3);
    const Server server(port, honest);
    LaunchWords words{};
    std::vector<Pending> pending(rows.rows);
    for (u32 replay = 0; replay < 5; ++replay) run_submit(port.link(), rows.batch(), {2, 3, 1}, &words, pending.data());
    run_collect(port.link(), rows.batch(), {3, 1, 1}, pending.data());
    rows.expect_all(CallStatus::Ok);
    EXPECT_EQ(port.slots_in_use(), 0u);
    EXPECT_EQ(port.server().violations(), 0u);
    run_submit(port.link(), rows.batch(), {2, 3, 1}, &words, pending.data());
    for (u64 row = 0; row < rows.rows; ++row) abandon_pending(port.link(), pending.data(), row);
    run_infer(port.link(), rows.batch(), {3, 1, 4}, &words);
    rows.expect_all(CallStatus::Ok);
    EXPECT_EQ(port.slots_in_use(), 0u);
}

TEST(Batch, OddShapesAreHarmless) {
    Scripted port(2);
    const Server server(port, honest);
    LaunchWords words{};
    Rows<double, double> none(0, 5, 1);
    run_infer(port.link(), none.batch(), {2, 3, 2}, &words);
    Rows<double, double> few(3, 5, 2);
    run_infer(port.link(), few.batch(), {7, 1, 2}, &words);  // more groups than rows
    few.expect_all(CallStatus::Ok);
    for (const u32 window : {0u, 9u, ~0u}) {  // clamped to 1..kMaxWindow
        Rows<double, double> rows(25, 5, window);
        run_infer(port.link(), rows.batch(), {2, 1, window}, &words);
        rows.expect_all(CallStatus::Ok);
    }
    Rows<double, double> silent(5, 5, 3);
    Batch<double, double> batch = silent.batch();
    batch.statuses = nullptr;
    run_infer(port.link(), batch, {1, 3, 2}, &words);
    EXPECT_TRUE(same_bits(silent.result(4), honest_row<double>(silent.features(4), 5).data(), 5));
    EXPECT_EQ(port.side.words.next_id, 3u + 3 * 25 + 5);
}

TEST(Batch, WrongTypesAndVersionsReachEveryRow) {
    for (const Grid& grid : kGrids) {
        Scripted port(2, 5, sizeof(float));
        LaunchWords words{};
        std::vector<Pending> pending(9);
        Rows<double, double> wrong_type(9, 5, 4);
        run_infer(port.link(), wrong_type.batch(), grid, &words);
        wrong_type.expect_all(CallStatus::WrongType);
        run_submit(port.link(), wrong_type.batch(), grid, &words, pending.data());
        wrong_type.expect_all(CallStatus::WrongType);

        Link newer{};  // null pointers: nothing of it may be touched
        newer.version = kLinkVersion + 1;
        Rows<double, double> wrong_version(9, 5, 5);
        run_infer(newer, wrong_version.batch(), grid, &words);
        run_submit(newer, wrong_version.batch(), grid, &words, pending.data());
        run_collect(newer, wrong_version.batch(), grid, pending.data());
        EXPECT_EQ(wrong_version.count(CallStatus::WrongType), 9u);
        for (const double value : wrong_version.y) EXPECT_EQ(value, decltype(wrong_version)::kMark);
        EXPECT_EQ(words.arrived + words.left + words.ready, 0u);
        EXPECT_EQ(port.slots_in_use(), 0u);
    }
}

/// Many calls from more groups than slots: each answer is the honest one for its own row, so that a lost, doubled or
/// torn answer shows, and each id comes once.
TEST(Batch, ManyCallsFromManyGroupsLoseAndMixUpNothing) {
    constexpr u64 kRows = 20'000;
    constexpr u32 kLaunches = 10;
    Scripted port(6);
    std::vector<u32> times_seen(kLaunches * kRows);
    {
        const Server server(port, [&](link::ServerHandle& handle, const link::Arrival& arrival) {
            ++times_seen[read_request(handle, arrival.slot).header.request_id];
            answer_honestly(handle, arrival);
        });
        LaunchWords words{};
        for (u32 round = 0; round < kLaunches; ++round) {
            Rows<double, double> rows(kRows, 5, round);
            run_infer(port.link(), rows.batch(), {4, 1, 3}, &words);
            rows.expect_all(CallStatus::Ok);
        }
    }
    EXPECT_EQ(std::count(times_seen.begin(), times_seen.end(), 1u), static_cast<i64>(times_seen.size()));
    EXPECT_EQ(port.slots_in_use(), 0u);
    EXPECT_EQ(port.server().violations(), 0u);
}

}  // namespace
}  // namespace photonlink::device::test
