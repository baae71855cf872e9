// Order, batches, budget, counts.
#include <algorithm>
#include <numeric>
#include <random>

#include "fixture.hpp"

namespace photonlink::qsc::test {
namespace {

std::vector<u64> iota(u64 first, u64 count) {
    std::vector<u64> ids(count);
    std::iota(ids.begin(), ids.end(), first);
    return ids;
}

TEST(Order, WithinAPortByIdWhateverTheSlots) {
    ProcessorSettings settings;
    settings.gated = true;
    Bench bench(settings);
    std::vector<link::Ticket> tickets = {bench.submit({0, 0, 0, 0}, 0)};
    bench.record->wait_for_run();  // stands at the gate; what follows queues up
    for (const u64 id : {5, 2, 7, 1, 9, 3, 8, 4, 6}) tickets.push_back(bench.submit({0, 0, 0, 0}, id));
    bench.record->open_gate();
    for (const link::Ticket& ticket : tickets) ASSERT_EQ(bench.caller.collect(ticket).status(), wire::Status::Ok);
    EXPECT_EQ(bench.record->ids(), iota(0, 10));
}

TEST(Order, SixtyFourBitIdsSurviveTheirLowHalfWrapping) {
    ProcessorSettings settings;
    auto record = std::make_shared<Record>(settings);
    Controller controller(std::make_unique<TestProcessor>(record));
    const SessionGrant grant = controller.reserve(test_program(), {});
    Caller caller;
    const u64 base = (u64{7} << 32) - 5;
    controller.attach(grant.session, caller.attachment(base));
    const auto payload = infer_payload<double>(grant.key, {0, 0, 0, 0}, 3);
    for (u64 id = base; id < base + 10; ++id)
        ASSERT_EQ(caller.call(wire::kInfer, payload, id).status(), wire::Status::Ok);
    EXPECT_EQ(record->ids(), iota(base, 10));
}

TEST(Order, EachThreadsDatapointsInTurnAndPortsRoundRobin) {
    constexpr u64 kPorts = 3, kThreads = 2, kEach = 300;
    auto record = std::make_shared<Record>(ProcessorSettings{});
    Controller controller(std::make_unique<TestProcessor>(record));
    const SessionGrant grant = controller.reserve(test_program(), {});
    std::vector<std::unique_ptr<Caller>> callers;
    for (u64 port = 0; port < kPorts; ++port) {
        callers.push_back(std::make_unique<Caller>(link::Geometry{8, 504, 0}));
        controller.attach(grant.session, callers.back()->attachment(port << 32));
    }
    const auto payload = infer_payload<double>(grant.key, {0, 0, 0, 0}, 3);
    std::vector<std::thread> threads;
    for (u64 port = 0; port < kPorts; ++port)
        for (u64 thread = 0; thread < kThreads; ++thread)
            threads.emplace_back([&, port, thread] {
                // Two in flight: the second must never be executed before the first.
                for (u64 i = 0; i < kEach; i += 2) {
                    const u64 id = (port << 32) + thread * kEach + i;
                    const auto first = callers[port]->submit(wire::kInfer, payload, id);
                    const auto second = callers[port]->submit(wire::kInfer, payload, id + 1);
                    EXPECT_EQ(callers[port]->collect(second).status(), wire::Status::Ok);
                    EXPECT_EQ(callers[port]->collect(first).status(), wire::Status::Ok);
                }
            });
    for (std::thread& thread : threads) thread.join();
    const std::vector<u64> executed = record->ids();
    ASSERT_EQ(executed.size(), kPorts * kThreads * kEach);
    std::map<u64, std::vector<u64>> by_thread;
    for (const u64 id : executed) by_thread[(id >> 32) * kThreads + (id & 0xFFFFFFFF) / kEach].push_back(id);
    for (u64 port = 0; port < kPorts; ++port)
        for (u64 thread = 0; thread < kThreads; ++thread)
            EXPECT_EQ(by_thread[port * kThreads + thread], iota((port << 32) + thread * kEach, kEach));
    EXPECT_EQ(controller.release(grant.session).counts.tokens, executed.size());
}

TEST(Order, AFullPortDoesNotStarveAnother) {
    ProcessorSettings settings;
    settings.gated = true;
    auto record = std::make_shared<Record>(settings);
    Controller controller(std::make_unique<TestProcessor>(record));
    const SessionGrant grant = controller.reserve(test_program(), {});
    Caller first, second;
    controller.attach(grant.session, first.attachment(0));
    controller.attach(grant.session, second.attachment(1000));
    const auto payload = infer_payload<double>(grant.key, {0, 0, 0, 0}, 3);
    std::vector<std::pair<Caller*, link::Ticket>> tickets = {{&first, first.submit(wire::kInfer, payload, 0)}};
    record->wait_for_run();
    for (u64 i = 1; i < 8; ++i) tickets.emplace_back(&first, first.submit(wire::kInfer, payload, i));
    for (u64 i = 1000; i < 1004; ++i) tickets.emplace_back(&second, second.submit(wire::kInfer, payload, i));
    record->open_gate();
    for (auto& [caller, ticket] : tickets) ASSERT_EQ(caller->collect(ticket).status(), wire::Status::Ok);
    EXPECT_EQ(record->ids(), (std::vector<u64>{0, 1000, 1, 1001, 2, 1002, 3, 1003, 4, 5, 6, 7}));
}

TEST(Batches, ResultsAreIdenticalForAnyBatchAndOrder) {
    constexpr u64 kRows = 67;
    std::mt19937_64 random(7);
    std::uniform_real_distribution<double> phase(0, 6.28);
    std::vector<std::vector<double>> points(kRows);
    for (auto& point : points)
        for (int i = 0; i < 4; ++i) point.push_back(phase(random));
    for (const std::size_t batch : {1, 2, 16, 67, 500}) {
        ProcessorSettings settings;
        settings.max_batch = batch;
        settings.gated = true;
        SessionOptions options;
        options.shots = 100;
        options.seed = 3;
        Bench bench(settings, options, {}, link::Geometry{128, 504, 0});
        std::vector<u64> order = iota(0, kRows);
        std::shuffle(order.begin(), order.end(), random);
        std::map<u64, link::Ticket> tickets;
        for (const u64 id : order) tickets[id] = bench.submit(points[id], id);
        bench.record->open_gate();
        for (auto& [id, ticket] : tickets) {
            const Answer answer = bench.caller.collect(ticket);
            ASSERT_EQ(answer.status(), wire::Status::Ok);
            for (std::size_t i = 0; i < 3; ++i)
                ASSERT_EQ(answer.values<double>().at(i), expected_value(points[id].data(), 4, i, 100, 3, id));
        }
        for (const std::size_t rows : bench.record->batches()) EXPECT_LE(rows, batch);
        if (batch >= kRows) {
            EXPECT_LT(bench.record->batches().size(), kRows) << "what is pending goes together";
        }
    }
}

TEST(Batches, ReportsAndPlainDatapointsDoNotShareOne) {
    ProcessorSettings settings;
    settings.max_batch = 8;
    settings.gated = true;
    Bench bench(settings);
    std::vector<link::Ticket> tickets = {bench.submit({0, 0, 0, 0}, 0)};
    bench.record->wait_for_run();
    for (u64 id = 1; id < 9; ++id) {
        const bool report = id >= 4 && id < 6;
        tickets.push_back(report ? bench.caller.submit(wire::kReport, report_payload(bench.grant.key, {0, 0, 0, 0}), id)
                                 : bench.submit({0, 0, 0, 0}, id));
    }
    bench.record->open_gate();
    for (const link::Ticket& ticket : tickets) ASSERT_EQ(bench.caller.collect(ticket).status(), wire::Status::Ok);
    EXPECT_EQ(bench.record->batches(), (std::vector<std::size_t>{1, 3, 2, 3}));
    EXPECT_EQ(bench.record->ids(), iota(0, 9));
}

TEST(Budget, IsSpentToTheLastTokenAndNotBeyond) {
    for (const std::size_t batch : {1, 8}) {
        ProcessorSettings settings;
        settings.max_batch = batch;
        settings.gated = true;
        SessionOptions options;
        options.token_budget = 5;
        Bench bench(settings, options);
        std::vector<link::Ticket> tickets;
        for (u64 id = 0; id < 12; ++id) tickets.push_back(bench.submit({0, 0, 0, 0}, id));
        bench.record->open_gate();
        for (u64 id = 0; id < 12; ++id) {
            const Answer answer = bench.caller.collect(tickets[id]);
            EXPECT_EQ(answer.status(), id < 5 ? wire::Status::Ok : wire::Status::BudgetSpent) << "datapoint " << id;
        }
        EXPECT_EQ(bench.caller.call(wire::kEcho, echo_payload(bench.grant.key, "x"), 12).status(), wire::Status::Ok);
        EXPECT_EQ(bench.record->ids(), iota(0, 5));
        EXPECT_EQ(bench.controller.release(bench.grant.session).counts.tokens, 5u);
    }
}

class SlowLedger : public MemoryLedger {
  public:
    void count(u64 session, const Counts& executed) override {
        std::unique_lock<std::mutex> lock(mutex_);
        asked_ = true;
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
        MemoryLedger::count(session, executed);
    }
    void wait_until_asked() {
        std::unique_lock<std::mutex> lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, std::chrono::nanoseconds(kPatience_ns), [this] { return asked_; }));
    }
    void open_gate() {
        const std::lock_guard<std::mutex> lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool asked_ = false, open_ = false;
};

TEST(Ledger, HasTheCountBeforeTheAnswerIsPublished) {
    const auto ledger = std::make_shared<SlowLedger>();
    ControllerOptions options;
    options.ledger = ledger;
    Bench bench({}, {}, options);
    const link::Ticket ticket = bench.submit({0, 0, 0, 0}, 0);
    ledger->wait_until_asked();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(bench.caller.client().poll(ticket), link::LinkStatus::Pending);
    ledger->open_gate();
    EXPECT_EQ(bench.caller.collect(ticket).status(), wire::Status::Ok);
    EXPECT_EQ(bench.controller.usage(bench.grant.session).counts.tokens, 1u);
}

TEST(Ledger, OfTheCallerIsUsed) {
    auto ledger = std::make_shared<MemoryLedger>();
    ControllerOptions options;
    options.ledger = ledger;
    u64 session = 0;
    {
        Bench bench({}, {}, options);
        session = bench.grant.session;
        ASSERT_EQ(bench.call({0, 0, 0, 0}, 0).status(), wire::Status::Ok);
    }
    const auto entry = ledger->find(session);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->counts.tokens, 1u);
    EXPECT_EQ(entry->digest, "digest-of-test");
    EXPECT_EQ(entry->end, EndReason::Shutdown);
    EXPECT_EQ(ledger->entries().size(), 1u);
}

TEST(AbandonedTickets, AreExecutedAtMostOnceAndTheirSlotsComeBack) {
    Bench bench({}, {}, {}, link::Geometry{4, 504, 0});
    constexpr u64 kCalls = 2000;
    for (u64 id = 0; id < kCalls; ++id) {
        const link::Ticket ticket = bench.submit({0, 0, 0, 0}, id);
        if (id % 3 != 0)
            bench.caller.client().abandon(ticket);
        else
            ASSERT_EQ(bench.caller.collect(ticket).status(), wire::Status::Ok);
    }
    EXPECT_EQ(bench.controller.release(bench.grant.session).counts.tokens, kCalls);
    EXPECT_EQ(bench.record->ids(), iota(0, kCalls));
    bench.caller.client().reap();
    EXPECT_EQ(bench.caller.client().in_use(), 0u);
}

}  // namespace
}  // namespace photonlink::qsc::test
