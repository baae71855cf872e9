// Calls over a device link on a runtime made of threads: results, streams, split calls and graphs. The address
// sanitizer watches what kernels touch.
#include "link_testing.hpp"

namespace photonlink::cuda::test {
namespace {

TEST_F(CudaLink, ThreadsOnStreamsOfTheirOwnGetTheirResults) {
    const u64 before = fake::live();
    {
        Port port(6);
        const auto link = port.open();
        std::vector<std::thread> threads;
        for (u64 seed = 0; seed < 4; ++seed)
            threads.emplace_back([&link, seed] {
                const UserStream stream;
                for (u64 round = 0; round < 5; ++round) {
                    DoubleRows rows(1 + (seed * 7 + round * 3) % 12, kOutputs, seed * 10 + round);
                    link->infer(raw(rows), kPatience, stream);
                    ASSERT_TRUE(link->synchronize(stream, kPatience));
                    rows.expect_all(CallStatus::Ok);
                }
            });
        for (std::thread& thread : threads) thread.join();
        EXPECT_FALSE(link->captured());
        EXPECT_FALSE(link->take_failure().has_value());
        port.close();
        EXPECT_TRUE(link->close(kPatience));
        EXPECT_TRUE(link->close(kPatience));
    }
    expect_nothing_left(before);
}

TEST_F(CudaLink, AnEmptyBatchIsNoLaunchAndABadOneIsRefused) {
    Port port(2, false);
    const auto link = port.open();
    const UserStream stream;
    DoubleRows rows(2, kOutputs, 1);
    RawBatch batch = raw(rows);
    batch.rows = 0;
    link->infer(batch, kPatience, stream);
    EXPECT_TRUE(link->synchronize(stream, kPatience));
    batch = raw(rows);
    batch.feature_bytes = 2;
    EXPECT_THROW(link->infer(batch, kPatience, stream), std::invalid_argument);
    batch = raw(rows);
    batch.out = nullptr;
    EXPECT_THROW(link->infer(batch, kPatience, stream), std::invalid_argument);
    batch = raw(rows);
    batch.out = reinterpret_cast<u8*>(batch.out) + 4;
    EXPECT_THROW(link->infer(batch, kPatience, stream), std::invalid_argument);
    EXPECT_THROW(link->infer(raw(rows), 0.0, stream), std::invalid_argument);
    for (const double y : rows.y) EXPECT_EQ(y, DoubleRows::kMark);
}

TEST_F(CudaLink, AReplayedGraphHasNewIds) {
    constexpr u64 kRows = 5;
    Port& port = *keep(new Port(3));
    auto& link = **keep(new std::shared_ptr<DeviceLink>(port.open()));
    UserStream stream;
    DoubleRows first(kRows, kOutputs, 1);
    DoubleRows second(kRows, kOutputs, 2);
    fake::begin_capture(stream);
    link.infer(raw(first), kPatience, stream);
    link.infer(raw(second), kPatience, stream);
    const fake::Graph graph = fake::end_capture(stream);
    EXPECT_TRUE(link.captured());
    for (u32 replays = 0; replays < 3; ++replays) fake::replay(graph, stream);
    ASSERT_TRUE(link.synchronize(stream, kPatience));
    first.expect_all(CallStatus::Ok);
    second.expect_all(CallStatus::Ok);
    port.stop_serving();
    std::sort(port.ids.begin(), port.ids.end());
    ASSERT_EQ(port.ids.size(), 6 * kRows);
    for (u32 i = 0; i < port.ids.size(); ++i) EXPECT_EQ(port.ids[i], i);
    // A graph may be replayed whenever its owner likes, so nothing is freed: a replay finds the port closed.
    port.close();
    EXPECT_FALSE(link.close(kPatience));
    fake::replay(graph, stream);
    ASSERT_TRUE(link.synchronize(stream, kPatience));
    first.expect_all(CallStatus::Closed);
    EXPECT_EQ(link.take_failure()->status, CallStatus::Closed);
}

TEST_F(CudaLink, CapturingMoreThanWasPreparedForSpoilsNoCapture) {
    Port& port = *keep(new Port(8));
    auto& link = **keep(new std::shared_ptr<DeviceLink>(port.open()));
    UserStream stream;
    UserStream other;
    DoubleRows rows(4, kOutputs, 1);
    DoubleRows eager(4, kOutputs, 2);
    fake::begin_capture(stream);
    for (u32 call = 0; call < 300; ++call) link.infer(raw(rows), kPatience, stream);
    // Also what happens on other streams meanwhile.
    link.infer(raw(eager), kPatience, other);
    link.collect(*link.submit(raw(eager), kPatience, other), kPatience, other);
    static_cast<void>(link.submit(raw(eager), kPatience, other));  // and dropped
    ASSERT_TRUE(link.synchronize(other, kPatience));
    EXPECT_THROW(static_cast<void>(link.synchronize(stream, kPatience)), CudaError);
    {
        Port second(2);  // opened and closed in the middle of it
        const auto link_of_second = second.open();
    }
    const fake::Graph graph = fake::end_capture(stream);
    fake::replay(graph, stream);
    ASSERT_TRUE(link.synchronize(stream, kPatience));
    rows.expect_all(CallStatus::Ok);
}

TEST_F(CudaLink, ASplitCallMayEndOnAnotherStream) {
    const u64 before = fake::live();
    {
        Port port(8);
        const auto link = port.open();
        const UserStream there;
        const UserStream back;
        for (u64 round = 0; round < 20; ++round) {
            DoubleRows rows(8, kOutputs, round);
            const auto submitted = link->submit(raw(rows), kPatience, there);
            EXPECT_EQ(submitted->rows(), 8u);
            link->collect(*submitted, kPatience, back);
            EXPECT_THROW(link->collect(*submitted, kPatience, back), std::invalid_argument);
            ASSERT_TRUE(link->synchronize(back, kPatience));
            rows.expect_all(CallStatus::Ok);
        }
        port.close();
        EXPECT_TRUE(link->close(kPatience));
    }
    expect_nothing_left(before);
}

TEST_F(CudaLink, SubmittedRowsMustFitTheSlotsAndDroppedOnesComeBack) {
    Port port(4);
    const auto link = port.open();
    const UserStream stream;
    DoubleRows three(3, kOutputs, 1);
    DoubleRows two(2, kOutputs, 2);
    DoubleRows five(5, kOutputs, 3);
    EXPECT_THROW(link->submit(raw(five), kPatience, stream), std::invalid_argument);
    auto submitted = link->submit(raw(three), kPatience, stream);
    EXPECT_THROW(link->submit(raw(two), kPatience, stream), std::invalid_argument);
    submitted.reset();
    for (u32 round = 0; round < 50; ++round) {
        link->collect(*link->submit(raw(two), kPatience, stream), kPatience, stream);
        submitted = link->submit(raw(three), kPatience, stream);
        submitted.reset();
    }
    DoubleRows all(4, kOutputs, 4);
    link->collect(*link->submit(raw(all), kPatience, stream), kPatience, stream);
    ASSERT_TRUE(link->synchronize(stream, kPatience));
    two.expect_all(CallStatus::Ok);
    all.expect_all(CallStatus::Ok);
}

TEST_F(CudaLink, ASplitCallIsCapturedWholeOrNotAtAll) {
    Port& port = *keep(new Port(8));
    auto& link = **keep(new std::shared_ptr<DeviceLink>(port.open()));
    UserStream stream;
    DoubleRows rows(3, kOutputs, 1);
    const auto eager = link.submit(raw(rows), kPatience, stream);
    ASSERT_TRUE(link.synchronize(stream, kPatience));
    fake::begin_capture(stream);
    EXPECT_THROW(link.collect(*eager, kPatience, stream), std::invalid_argument);
    const auto captured = link.submit(raw(rows), kPatience, stream);
    link.collect(*captured, kPatience, stream);
    const auto left = link.submit(raw(rows), kPatience, stream);
    fake::Graph graph = fake::end_capture(stream);
    EXPECT_THROW(link.collect(*left, kPatience, stream), std::invalid_argument);
    link.collect(*eager, kPatience, stream);
    ASSERT_TRUE(link.synchronize(stream, kPatience));
    graph.pop_back();  // the submit whose collect was refused
    for (u32 replays = 0; replays < 3; ++replays) {
        std::fill(rows.y.begin(), rows.y.end(), DoubleRows::kMark);
        fake::replay(graph, stream);
        ASSERT_TRUE(link.synchronize(stream, kPatience));
        rows.expect_all(CallStatus::Ok);
    }
}

TEST_F(CudaLink, EncodingIsThatOfTheHost) {
    Port port(2, false);
    const auto link = port.open();
    const UserStream stream;
    DoubleRows rows(9, device::test::kPhases, 5, 2, 0);
    rows.features(4)[1] = std::numeric_limits<double>::infinity();
    link->encode(raw(rows), stream);
    ASSERT_TRUE(link->synchronize(stream, kPatience));
    const ScriptEncoding encoding;
    for (u64 row = 0; row < rows.rows; ++row) {
        EXPECT_EQ(rows.status(row), row == 4 ? CallStatus::BadFeature : CallStatus::Ok);
        for (u32 phase = 0; phase < device::test::kPhases; ++phase) {
            if (row == 4)
                EXPECT_TRUE(std::isnan(rows.result(row)[phase]));
            else
                EXPECT_EQ(rows.result(row)[phase], encode_phase(encoding.view(), rows.features(row), phase));
        }
    }
}

}  // namespace
}  // namespace photonlink::cuda::test
