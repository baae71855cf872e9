// The groups of a launch agree on its ids, launch after launch on the same words; launches at the same time share
// nothing but the counter.
#include "rows.hpp"

namespace photonlink::device::test {
namespace {

/// One launch; returns the id that every group must have got.
u64 ids_of_launch(const Link& link, LaunchWords* words, u32 groups, u32 size, u64 rows) {
    std::vector<std::atomic<u64>> ids(groups * size);
    launch(groups, size, [&](const HostGroup& group, u32 index) {
        ids[index * size + group.rank()] = begin_launch(group, link, words, groups, rows, patience());
        end_launch(group, words, groups);
    });
    for (const auto& id : ids) EXPECT_EQ(id, ids[0]) << "groups disagree";
    return ids[0];
}

TEST(Launch, ConsecutiveLaunchesOfAnyShapeHaveContiguousIds) {
    Scripted port(1);
    LaunchWords words{};
    std::mt19937_64 random(5);
    u64 next = 0;
    for (u32 round = 0; round < 300; ++round) {
        const u32 groups = 1 + static_cast<u32>(random() % 6);
        const u32 size = round % 50 == 0 ? 32 : 1 + static_cast<u32>(random() % 2);
        const u64 rows = random() % 1000;
        EXPECT_EQ(ids_of_launch(port.link(), &words, groups, size, rows), next) << "round " << round;
        next += rows;
        ASSERT_EQ(words.arrived + words.left + words.ready, 0u);
    }
    EXPECT_EQ(port.side.words.next_id, next);
}

TEST(Launch, LaunchesAtTheSameTimeHaveDisjointIds) {
    constexpr u64 kRows = 10;
    constexpr u32 kRounds = 100;
    Scripted port(1);
    std::vector<u64> starts[2];
    std::thread streams[2];
    for (u32 stream = 0; stream < 2; ++stream)
        streams[stream] = std::thread([&, stream] {
            LaunchWords words{};
            for (u32 round = 0; round < kRounds; ++round)
                starts[stream].push_back(ids_of_launch(port.link(), &words, 3, 1, kRows));
        });
    for (std::thread& stream : streams) stream.join();
    std::vector<u64> all = starts[0];
    all.insert(all.end(), starts[1].begin(), starts[1].end());
    std::sort(all.begin(), all.end());
    for (u64 i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i * kRows);
    EXPECT_TRUE(std::is_sorted(starts[0].begin(), starts[0].end()));
    EXPECT_TRUE(std::is_sorted(starts[1].begin(), starts[1].end()));
}

TEST(Launch, BatchesAtTheSameTimeShareAPort) {
    Scripted port(3);
    std::vector<u32> times_seen(2 * 300);
    {
        const Server server(port, [&](link::ServerHandle& handle, const link::Arrival& arrival) {
            ++times_seen.at(read_request(handle, arrival.slot).header.request_id);
            answer_honestly(handle, arrival);
        });
        std::thread streams[2];
        for (u32 stream = 0; stream < 2; ++stream)
            streams[stream] = std::thread([&port, stream] {
                LaunchWords words{};
                Rows<double, double> rows(300, 5, stream);
                run_infer(port.link(), rows.batch(), {2, 1 + 2 * stream, 4}, &words);
                rows.expect_all(CallStatus::Ok);
            });
        for (std::thread& stream : streams) stream.join();
    }
    EXPECT_EQ(times_seen, std::vector<u32>(2 * 300, 1));
    EXPECT_EQ(port.slots_in_use(), 0u);
}

TEST(Launch, RepeatedLaunchesOfTheSameArgumentsContinueTheIds) {
    Scripted port(3);
    Rows<double, double> rows(11, 5, 1);
    std::vector<u32> ids;
    {
        const Server server(port, [&](link::ServerHandle& handle, const link::Arrival& arrival) {
            ids.push_back(read_request(handle, arrival.slot).header.request_id);
            answer_honestly(handle, arrival);
        });
        LaunchWords words{};
        for (u32 replay = 0; replay < 4; ++replay) {
            run_infer(port.link(), rows.batch(), {3, 1, 2}, &words);
            rows.expect_all(CallStatus::Ok);
        }
    }
    std::sort(ids.begin(), ids.end());
    ASSERT_EQ(ids.size(), 44u);
    for (u32 i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], i);
}

/// The group that takes the ids has come, and is held up before it publishes them.
TEST(Launch, AGroupWithoutIdsGivesUpAtTheDeadline) {
    Scripted port(2);
    LaunchWords words{};
    words.arrived = 1;
    Rows<double, double> rows(7, 5, 1);
    const Launch shape{2, 2 * kMillisecond, 2};
    launch(1, 3, [&](const HostGroup& group, u32) { infer_group(group, port.link(), rows.batch(), &words, shape, 1); });
    for (u64 row = 0; row < rows.rows; ++row) {
        if (row % 2 == 1) rows.expect_row(row, CallStatus::Timeout);
    }
    Failure failure{};
    ASSERT_TRUE(take_failure(&port.side.latch, &failure));
    EXPECT_EQ(failure.id, kNoId);
    EXPECT_EQ(failure.row, 1u);
    EXPECT_EQ(port.slots_in_use(), 0u);
    EXPECT_EQ(words.left, 1u);
}

}  // namespace
}  // namespace photonlink::device::test
