// The sets of ids behind "executed once", against a set that remembers everything.
#include "request_window.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace photonlink::transport {
namespace {

TEST(IdRanges, HoldWhatWasAddedAndNothingElseWhileThereIsRoom) {
    std::mt19937_64 random(3);
    IdRanges ranges(1000);
    std::set<u64> all;
    for (int i = 0; i < 2000; ++i) {
        const u64 id = 500 + random() % 1500;
        ranges.add(id);
        all.insert(id);
    }
    for (u64 id = 0; id < 2500; ++id) EXPECT_EQ(ranges.contains(id), all.count(id) == 1) << id;
    for (u64 id = 0; id < 2500; ++id) ranges.add(id);
    EXPECT_EQ(ranges.ranges(), 1u);
}

TEST(IdRanges, ForgetNothingWhenThereAreTooMany) {
    IdRanges ranges(4);
    const std::vector<u64> ids{10, 1'000'000, 20, 5'000'000'000, 22, 1'000'100, 7, ~0ULL - 1};
    for (std::size_t i = 0; i < ids.size(); ++i) {
        ranges.add(ids[i]);
        EXPECT_LE(ranges.ranges(), 4u);
        for (std::size_t j = 0; j <= i; ++j) EXPECT_TRUE(ranges.contains(ids[j]));
    }
    EXPECT_FALSE(ranges.contains(500'000)) << "only the smallest gaps are filled";
    EXPECT_FALSE(ranges.contains(4'000'000'000));
}

TEST(RequestWindow, FindsTheLatestAndKnowsTheIdsOfAllBefore) {
    std::mt19937_64 random(4);
    RequestWindow window(32, 256);
    std::vector<u64> order;
    for (u64 i = 0; i < 500; ++i) {
        const u64 id = (random() % 8) << 33 | i;  // buckets are shared
        window.take(id).stage = RequestRecord::Stage::Done;
        order.push_back(id);
        for (u64 j = 0; j <= i; ++j) {
            const bool recent = j + 32 > i;
            ASSERT_EQ(window.find(order[j]) != nullptr, recent);
            ASSERT_EQ(window.is_below(order[j]), !recent);
        }
        ASSERT_EQ(window.find(id)->id, id);
    }
}

}  // namespace
}  // namespace photonlink::transport
