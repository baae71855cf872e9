// Servers that fall silent, close, or die in the middle of a batch: every row gets a status, every launch ends, and
// abandoned slots come back once they are answered.
#include "rows.hpp"

namespace photonlink::device::test {
namespace {

const Grid kGrids[] = {{1, 1, 1}, {3, 1, 4}, {2, 3, 2}, {1, 32, 4}};

/// Remembers what arrives and answers nothing until told to.
class Mute {
  public:
    void operator()(link::ServerHandle& server, const link::Arrival& arrival) {
        const std::lock_guard<std::mutex> lock(mutex_);
        ++arrived_;
        if (awake_) return answer_honestly(server, arrival);
        held_.push_back(arrival);
    }
    void wake(link::ServerHandle server) {
        const std::lock_guard<std::mutex> lock(mutex_);
        awake_ = true;
        for (const link::Arrival& arrival : held_) answer_honestly(server, arrival);
    }
    u64 arrived() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return arrived_;
    }

  private:
    std::mutex mutex_;
    bool awake_ = false;
    u64 arrived_ = 0;
    std::vector<link::Arrival> held_;
};

TEST(Ending, SilenceBecomesTimeoutAndTheSlotsComeBack) {
    for (const Grid& grid : kGrids) {
        Scripted port(4);
        port.side.link.row_timeout_ns = kMillisecond;
        Mute mute;
        const Server server(port, std::ref(mute));
        LaunchWords words{};
        Rows<float, double> rows(9, 5, 1);
        run_infer(port.link(), rows.batch(), grid, &words, 10'000 * kMillisecond);
        rows.expect_all(CallStatus::Timeout);
        const u32 abandoned =
            port.slots_in_use();  // all four, unless the machine is so busy that the time was too short
        Failure failure{};
        ASSERT_TRUE(take_failure(&port.side.latch, &failure));
        EXPECT_EQ(failure.status, CallStatus::Timeout);
        EXPECT_GE(failure.elapsed_ns, kMillisecond);

        mute.wake(port.server());
        port.side.link.row_timeout_ns = link::testing::kPatienceNs;
        run_infer(port.link(), rows.batch(), grid,
                  &words);  // late answers to abandoned rows must not be taken for its own
        rows.expect_all(CallStatus::Ok);
        EXPECT_EQ(port.slots_in_use(), 0u);
        EXPECT_EQ(port.server().violations(), 0u);
        EXPECT_EQ(port.side.words.next_id, 18u);
        EXPECT_EQ(mute.arrived(), abandoned + rows.rows) << "a slot was used again before its answer came";
    }
}

TEST(Ending, SingleCallsTimeOutWithAndWithoutASlot) {
    for (const u32 size : {1u, 3u, 32u}) {
        Scripted port(1);
        port.side.link.row_timeout_ns = kMillisecond;
        const auto x = random_features<double>(1, kFeatures, 1);
        std::vector<double> y(5, -1);
        const auto call = [&](const HostGroup& group) { return infer(group, port.link(), x.data(), y.data()); };
        EXPECT_EQ(launch_one(size, call).status, CallStatus::Timeout);  // sent, never answered
        EXPECT_EQ(launch_one(size, call).status, CallStatus::Timeout);  // not even sent
        EXPECT_EQ(y, std::vector<double>(5, -1));
        const Server server(port, honest);
        port.side.link.row_timeout_ns = ~0ULL;  // for ever, which must not wrap into the past
        EXPECT_EQ(launch_one(size, call).status, CallStatus::Ok);
        EXPECT_EQ(y, honest_row<double>(x.data(), 5));
    }
}

TEST(Ending, PastTheDeadlineNothingIsSent) {
    for (const Grid& grid : kGrids) {
        Scripted port(4);
        Mute mute;
        const Server server(port, std::ref(mute));
        mute.wake(port.server());
        LaunchWords words{};
        Rows<double, double> rows(9, 5, 1);
        run_infer(port.link(), rows.batch(), grid, &words, 0);
        rows.expect_all(CallStatus::Timeout);
        EXPECT_EQ(port.slots_in_use(), 0u);
    }
}

/// The end of a launch does not wait for a slow answer: it comes also while every answer is prompt.
TEST(Ending, ALaunchWithMoreRowsThanTimeEndsBeforeItsRowsDo) {
    constexpr u64 kRows = 3'000'000;  // seconds' worth of calls
    Scripted port(4, 1);
    const Server server(port, honest);
    const auto x = random_features<double>(1, kFeatures, 1);
    std::vector<double> y(kRows);
    std::vector<u32> statuses(kRows);
    const Batch<double, double> batch{x.data(), 0, y.data(), 1, statuses.data(), kRows};
    LaunchWords words{};
    run_infer(port.link(), batch, {1, 1, 4}, &words, 20 * kMillisecond);
    const auto late = std::find(statuses.begin(), statuses.end(), static_cast<u32>(CallStatus::Timeout));
    EXPECT_NE(late, statuses.end());
    EXPECT_EQ(std::count(statuses.begin(), statuses.end(), static_cast<u32>(CallStatus::Ok)) +
                  std::count(statuses.begin(), statuses.end(), static_cast<u32>(CallStatus::Timeout)),
              static_cast<i64>(kRows));
    EXPECT_TRUE(std::isnan(y.back()));
    EXPECT_EQ(port.side.words.failed_rows,
              static_cast<u64>(std::count(statuses.begin(), statuses.end(), static_cast<u32>(CallStatus::Timeout))));
}

/// Answers `good` datapoints honestly, then does `end` once and never answers again.
Serve answers_then(u64 good, std::function<void(link::ServerHandle&)> end) {
    auto served = std::make_shared<u64>(0);
    return [=](link::ServerHandle& server, const link::Arrival& arrival) {
        if (*served < good) answer_honestly(server, arrival);
        if (++*served == good) end(server);
    };
}

void expect_end(const Grid& grid, CallStatus expected, u64 reason, const Scripted& port, Rows<double, double>& rows) {
    constexpr u64 kGood = 7;
    EXPECT_EQ(rows.count(CallStatus::Ok), kGood) << "answers that were given before the end were lost";
    EXPECT_EQ(rows.count(expected), rows.rows - kGood);
    for (u64 row = 0; row < rows.rows; ++row) rows.expect_row(row, rows.status(row));
    Failure failure{};
    ASSERT_TRUE(take_failure(&port.link().latch[0], &failure));
    EXPECT_EQ(failure.status, expected) << grid.groups;
    EXPECT_EQ(failure.close_reason, reason);
    EXPECT_EQ(rows.status(failure.row), expected);
    EXPECT_EQ(failure.id, failure.row);
}

TEST(Ending, AServerThatClosesEndsEveryRowWithItsReason) {
    for (const Grid& grid : kGrids) {
        Scripted port(4);
        Rows<double, double> rows(25, 5, 1);
        const Server server(port, answers_then(7, [](link::ServerHandle& handle) { handle.close(42); }));
        LaunchWords words{};
        run_infer(port.link(), rows.batch(), grid, &words);
        expect_end(grid, CallStatus::Closed, 42, port, rows);
        Rows<double, double> more(3, 5, 2);
        run_infer(port.link(), more.batch(), grid, &words);
        more.expect_all(CallStatus::Closed);
    }
}

TEST(Ending, ALostServerEndsEveryRow) {
    for (const Grid& grid : kGrids) {
        Scripted port(4);
        Rows<double, double> rows(25, 5, 1);
        // As a watchdog of the host does, whose handle shares the close word and nothing else with the device.
        const auto lose = [&](link::ServerHandle&) { port.side.link.port.mark_peer_lost(); };
        const Server server(port, answers_then(7, lose));
        LaunchWords words{};
        run_infer(port.link(), rows.batch(), grid, &words);
        expect_end(grid, CallStatus::PeerLost, 0, port, rows);
    }
}

TEST(Ending, TheHostsOwnCloseEndsEveryRow) {
    for (const Grid& grid : kGrids) {
        Scripted port(4);
        Rows<double, double> rows(25, 5, 1);
        const auto close = [&](link::ServerHandle&) { port.side.link.port.close(); };
        const Server server(port, answers_then(7, close));
        LaunchWords words{};
        run_infer(port.link(), rows.batch(), grid, &words);
        expect_end(grid, CallStatus::Closed, 0, port, rows);
    }
}

TEST(Ending, SplitCallsEndToo) {
    for (const Grid& grid : kGrids) {
        Scripted port(25);
        Rows<double, double> rows(25, 5, 1);
        std::vector<Pending> pending(rows.rows);
        LaunchWords words{};
        run_submit(port.link(), rows.batch(), grid, &words, pending.data());
        const Server server(port, answers_then(7, [](link::ServerHandle& handle) { handle.close(9); }));
        run_collect(port.link(), rows.batch(), {2, 1, 1}, pending.data());
        expect_end(grid, CallStatus::Closed, 9, port, rows);
        for (const Pending& left : pending) EXPECT_FALSE(was_sent(left));
        run_submit(port.link(), rows.batch(), grid, &words, pending.data());
        run_collect(port.link(), rows.batch(), grid, pending.data());
        rows.expect_all(CallStatus::Closed);
    }
}

/// More rows than slots: what finds none is a Timeout, what was sent is still collected.
TEST(Ending, SubmittingMoreThanThereAreSlotsTimesOut) {
    Scripted port(4);
    Rows<double, double> rows(6, 5, 1);
    std::vector<Pending> pending(rows.rows);
    LaunchWords words{};
    run_submit(port.link(), rows.batch(), {1, 3, 1}, &words, pending.data(), 5 * kMillisecond);
    const Server server(port, honest);
    run_collect(port.link(), rows.batch(), {1, 3, 1}, pending.data());
    for (u64 row = 0; row < rows.rows; ++row) rows.expect_row(row, row < 4 ? CallStatus::Ok : CallStatus::Timeout);
    EXPECT_EQ(port.slots_in_use(), 0u);
}

}  // namespace
}  // namespace photonlink::device::test
