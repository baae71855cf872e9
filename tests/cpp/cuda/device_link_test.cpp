// The owner of a device link on a runtime made of threads: results, streams, split calls, graphs, and above all that it
// lets go of everything in the end and of nothing too early. The address sanitizer watches what kernels touch.
#include "device_link.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include "../device/rows.hpp"
#include "bench.hpp"
#include "fake_cuda.hpp"

namespace photonlink::cuda {
namespace {

using device::test::DeviceSide;
using device::test::honest;
using device::test::kFeatures;
using device::test::kKey;
using device::test::kMillisecond;
using device::test::Rows;
using device::test::ScriptEncoding;
using link::testing::patience;
using DoubleRows = Rows<double, double>;

constexpr u64 kOutputs = 5;
constexpr double kPatience = 60.0;  // seconds; only something broken takes as long

/// Stays for good where a test leaves something that a kernel might still touch: else it would count as leaked.
template <class T>
T* keep(T* object) {
    static auto* const kept = new std::vector<T*>;
    kept->push_back(object);
    return object;
}

/// A stream of the caller's.
class UserStream {
  public:
    UserStream() { cudaStreamCreateWithFlags(&stream_, 0); }
    ~UserStream() { cudaStreamDestroy(stream_); }
    UserStream(const UserStream&) = delete;
    UserStream& operator=(const UserStream&) = delete;
    operator cudaStream_t() const { return stream_; }

  private:
    cudaStream_t stream_ = nullptr;
};

/// A device port, and a server that answers honestly while it is told to.
class Port {
  public:
    explicit Port(u32 slots, bool serving = true) : memory_(link::Geometry{slots, 128, 0}) {
        if (serving) serve();
    }

    LinkConfig config() {
        encoding_ = values_.view();
        LinkConfig config;
        config.geometry = memory_.geometry();
        config.requests = memory_.requests();
        config.responses = const_cast<void*>(memory_.responses());
        config.responses_writable = true;
        config.key = kKey;
        config.output_size = kOutputs;
        config.observable_bytes = sizeof(double);
        config.encoding = &encoding_;
        config.row_timeout = kPatience;
        config.kernel_limit = kPatience;
        return config;
    }
    std::shared_ptr<DeviceLink> open() { return std::make_shared<DeviceLink>(config()); }
    void serve() {
        server_.emplace(memory_.server(), [this](link::ServerHandle& server, const std::vector<link::Arrival>& found) {
            for (const link::Arrival& arrival : found) {
                ids.push_back(device::test::read_request(server, arrival.slot).header.request_id);
                honest(server, arrival);
            }
        });
    }
    void stop_serving() { server_.reset(); }
    /// The client's side, as the session does it before it closes the link.
    void close() {
        link::ClientHandle(memory_.geometry(), memory_.requests(), memory_.responses(), nullptr, nullptr, nullptr)
            .close();
    }

    std::vector<u32> ids;  // of the requests served; complete once the server has stopped

  private:
    ScriptEncoding values_;
    EncodingView encoding_{};
    link::DevicePortMemory memory_;
    std::optional<link::testing::ServerThread> server_;
};

RawBatch raw(DoubleRows& rows) {
    return {rows.x.data(),        sizeof(double), rows.feature_stride, rows.y.data(), rows.out_stride,
            rows.statuses.data(), rows.rows};
}

/// Everything that this test handed out is back. Freeing goes on a thread of its own.
void expect_nothing_left(u64 before) {
    const u64 limit = patience();
    while (fake::live() != before && platform::clock_ns() < limit) std::this_thread::yield();
    EXPECT_EQ(fake::live(), before);
}

class CudaLink : public ::testing::Test {
  protected:
    void SetUp() override { violations_ = fake::violations(); }
    void TearDown() override { EXPECT_EQ(fake::violations(), violations_); }

  private:
    u64 violations_ = 0;
};

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

TEST_F(CudaLink, ClosingThePortEndsKernelsAndCloseWaitsForThem) {
    const u64 before = fake::live();
    {
        Port port(2, false);
        const auto link = port.open();
        const UserStream stream;
        DoubleRows rows(7, kOutputs, 1);
        link->infer(raw(rows), kPatience, stream);
        EXPECT_FALSE(link->close(1e-3));  // the kernel waits for answers: nothing may be freed
        EXPECT_THROW(link->infer(raw(rows), kPatience, stream), CudaError);
        port.close();
        EXPECT_TRUE(link->close(kPatience));
        rows.expect_all(CallStatus::Closed);
        const auto failure = link->take_failure();  // handed over before the latch was freed
        ASSERT_TRUE(failure.has_value());
        EXPECT_EQ(failure->status, CallStatus::Closed);
        EXPECT_FALSE(link->take_failure().has_value());
    }
    expect_nothing_left(before);
}

TEST_F(CudaLink, TheKernelLimitEndsAKernelThatNobodyAnswers) {
    Port port(2, false);
    LinkConfig config = port.config();
    config.kernel_limit = 0.02;
    const auto link = std::make_shared<DeviceLink>(config);
    const UserStream stream;
    DoubleRows rows(5, kOutputs, 1);
    link->infer(raw(rows), kPatience, stream);
    EXPECT_FALSE(link->synchronize(stream, 1e-3));
    ASSERT_TRUE(link->synchronize(stream, kPatience));
    rows.expect_all(CallStatus::Timeout);
    EXPECT_EQ(link->take_failure()->status, CallStatus::Timeout);
}

TEST_F(CudaLink, AKernelOfTheUsersIsWaitedFor) {
    const u64 before = fake::live();
    {
        Port port(2, false);
        const auto link = port.open();
        const device::Link argument = link->argument();
        EXPECT_EQ(std::memcmp(reinterpret_cast<const device::Link*>(link->pointer()), &argument, sizeof argument), 0);
        const UserStream stream;
        DoubleRows rows(1, kOutputs, 1);
        CallStatus status = CallStatus::Ok;
        fake::enqueue(stream, [&, argument] {
            status = device::infer(ThreadGroup(), argument, rows.features(0), rows.y.data()).status;
        });
        EXPECT_FALSE(link->close(0.02));
        port.close();
        // The thread that frees was started by the first close, and ends when the kernel does.
        EXPECT_TRUE(link->close(kPatience));
        EXPECT_EQ(status, CallStatus::Closed);
    }
    expect_nothing_left(before);
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
    graph.pop_back();  // the submit whose collect was refused
    for (u32 replays = 0; replays < 3; ++replays) {
        std::fill(rows.y.begin(), rows.y.end(), DoubleRows::kMark);
        fake::replay(graph, stream);
        ASSERT_TRUE(link.synchronize(stream, kPatience));
        rows.expect_all(CallStatus::Ok);
    }
}

TEST_F(CudaLink, AStreamPerCallDoesNotAddUp) {
    Port port(4);
    const auto link = port.open();
    DoubleRows rows(4, kOutputs, 1);
    u64 after_hundred = 0;
    for (u32 call = 0; call < 300; ++call) {
        const UserStream stream;
        link->infer(raw(rows), kPatience, stream);
        ASSERT_TRUE(link->synchronize(stream, kPatience));
        if (call == 100) after_hundred = fake::live();
    }
    EXPECT_LE(fake::live(), after_hundred);
    rows.expect_all(CallStatus::Ok);
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

TEST_F(CudaLink, WhenTheEndOfALaunchIsUnknownNothingIsFreed) {
    Port& port = *keep(new Port(2));
    auto& link = **keep(new std::shared_ptr<DeviceLink>(port.open()));
    UserStream stream;
    DoubleRows rows(2, kOutputs, 1);
    const u64 before = fake::live();
    fake::fail_next_record();
    EXPECT_THROW(link.infer(raw(rows), kPatience, stream), CudaError);
    port.close();
    EXPECT_FALSE(link.close(kPatience));
    EXPECT_GE(fake::live(), before);
    ASSERT_TRUE(link.synchronize(stream, kPatience));
}

TEST_F(CudaLink, WhatADeviceCannotDoIsSaidBeforeAnythingIsMapped) {
    const u64 before = fake::live();
    Port port(2, false);
    LinkConfig config = port.config();
    config.responses_writable = false;
    { EXPECT_NO_THROW(DeviceLink{config}); }
    fake::set_read_only_supported(false);
    EXPECT_THROW(DeviceLink{config}, CudaError);
    fake::set_read_only_supported(true);
    config.encoding = nullptr;
    EXPECT_THROW(DeviceLink{config}, std::invalid_argument);
    config = port.config();
    config.geometry.slot_bytes = 64;  // too small for four phases
    EXPECT_THROW(DeviceLink{config}, std::invalid_argument);
    config = port.config();
    config.device = 3;
    EXPECT_THROW(DeviceLink{config}, CudaError);
    expect_nothing_left(before);
}

TEST_F(CudaLink, ADestroyedLinkLetsGo) {
    const u64 before = fake::live();
    {
        Port port(4);
        const UserStream stream;
        DoubleRows rows(9, kOutputs, 1);
        auto link = port.open();
        link->infer(raw(rows), kPatience, stream);
        DoubleRows few(3, kOutputs, 2);
        const auto submitted = link->submit(raw(few), kPatience, stream);
        ASSERT_TRUE(link->synchronize(stream, kPatience));
        link.reset();  // the batch on its way still holds it
    }
    expect_nothing_left(before);
}

TEST_F(CudaLink, AForkedChildTouchesNothing) {
    Port port(2, false);
    auto link = port.open();
    const UserStream stream;
    DoubleRows rows(2, kOutputs, 1);
    const u64 before = fake::live();
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            link->infer(raw(rows), kPatience, stream);
            ::_exit(1);
        } catch (const CudaError&) {  // as it must be
        }
        if (link->close(kPatience)) ::_exit(2);
        link.reset();
        ::_exit(fake::live() == before ? 0 : 3);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_TRUE(link->close(kPatience));
}

TEST_F(CudaLink, APingPongIsMeasured) {
    const PingPongReport report = measure_ping_pong(0, 50, kPatience);
    EXPECT_EQ(report.rounds, 50u);
    ASSERT_EQ(report.latencies_ns.size(), 50u);
    double sum = 0;
    for (const double latency : report.latencies_ns) sum += latency;
    EXPECT_GT(sum, 0);
    EXPECT_LE(sum, report.seconds * 1e9 * 1.5);  // the two clocks are read one after the other
    EXPECT_THROW(measure_ping_pong(0, 0, kPatience), std::invalid_argument);
}

TEST_F(CudaLink, EchoesThatNobodyAnswersAreReportedAsSuch) {
    Port port(2, false);
    const auto link = port.open();
    const EchoReport report = measure_echo(*link, 3, 10, 0.01);
    EXPECT_EQ(report.answered, 0u);
    EXPECT_EQ(report.incomplete, 3u);
    EXPECT_EQ(report.ended, static_cast<u32>(CallStatus::Timeout));
    EXPECT_TRUE(report.latencies_ns.empty());
    EXPECT_THROW(measure_echo(*link, 1ULL << 40, 10, 0.01), std::invalid_argument);
}

}  // namespace
}  // namespace photonlink::cuda
