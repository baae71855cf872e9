// The latch: the first failure reaches the host whole, later ones are counted, and it works again once it was read.
#include "scripted.hpp"

namespace photonlink::device::test {
namespace {

/// Every field follows from one number, so that a torn failure shows.
Failure failure_of(u64 number) {
    return {
        static_cast<CallStatus>(number % 12), static_cast<i32>(number % 1000), number, ~number, number * 3, number * 5};
}

bool is_whole(const Failure& failure) {
    const Failure expected = failure_of(failure.row);
    return std::memcmp(&failure, &expected, sizeof failure) == 0;
}

TEST(Latch, KeepsTheFirstFailureUntilItIsReadAndThenTheNext) {
    Scripted port(1);
    Failure failure{};
    EXPECT_FALSE(take_failure(&port.side.latch, &failure));
    for (u64 round = 0; round < 5; ++round) {
        for (u64 number = 1; number < 4; ++number) latch_failure(port.link(), failure_of(round * 10 + number));
        ASSERT_TRUE(take_failure(&port.side.latch, &failure));
        EXPECT_TRUE(is_whole(failure));
        EXPECT_EQ(failure.row, round * 10 + 1);
        EXPECT_FALSE(take_failure(&port.side.latch, &failure)) << "taken twice";
    }
    EXPECT_EQ(port.side.words.failed_rows, 15u);
}

TEST(Latch, NothingIsTornOrTakenTwiceWhileManyThreadsFail) {
    constexpr u32 kThreads = 4;
    constexpr u64 kFailures = 100'000;
    Scripted port(1);
    std::atomic<bool> done{false};
    std::vector<u64> taken;
    std::thread host([&] {
        Failure failure{};
        for (bool last = false; !last;) {
            last = done;  // one more look after the last failure
            if (take_failure(&port.side.latch, &failure)) {
                EXPECT_TRUE(is_whole(failure));
                taken.push_back(failure.row);
            } else {
                std::this_thread::yield();
            }
        }
    });
    launch(kThreads, 1, [&](const HostGroup&, u32 index) {
        for (u64 i = 0; i < kFailures; ++i) latch_failure(port.link(), failure_of(i * kThreads + index));
    });
    done = true;
    host.join();
    EXPECT_FALSE(taken.empty());
    std::sort(taken.begin(), taken.end());
    EXPECT_EQ(std::adjacent_find(taken.begin(), taken.end()), taken.end());
    EXPECT_EQ(port.side.words.failed_rows, kThreads * kFailures);
    EXPECT_EQ(port.side.words.latched, taken.size());
    EXPECT_EQ(port.side.words.latching, 0u);
    latch_failure(port.link(), failure_of(7));
    Failure failure{};
    ASSERT_TRUE(take_failure(&port.side.latch, &failure)) << "it must still work";
    EXPECT_EQ(failure.row, 7u);
}

}  // namespace
}  // namespace photonlink::device::test
