// What threads ask of the system is in force on those threads, refusals are reported, and stages are recorded in order.
#include "photonlink/qsc/latency.hpp"

#include <sched.h>

#include "fixture.hpp"

namespace photonlink::qsc::test {
namespace {

std::vector<u32> own_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    std::vector<u32> cpus;
    for (u32 cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

/// Runs `settle` on a thread and returns the CPUs that it may use then.
template <class Settle>
std::vector<u32> cpus_after(Settle settle) {
    std::vector<u32> cpus;
    std::thread([&] {
        settle();
        cpus = own_cpus();
    }).join();
    return cpus;
}

TEST(Latency, NothingAskedIsNothingReported) {
    EXPECT_FALSE(LatencyOptions{}.any());
    EXPECT_TRUE(LatencySetup({}).report().empty());
}

TEST(Latency, ThreadsArePinnedEachToItsOwnCpus) {
    const std::vector<u32> all = own_cpus();
    LatencyOptions options;
    options.dispatcher_cpus = {all.front()};
    options.transport_cpus = {all.back()};
    const LatencySetup setup(options);
    ASSERT_EQ(setup.report().size(), 2u);
    for (const LatencyOutcome& outcome : setup.report()) EXPECT_TRUE(outcome.granted) << outcome.detail;
    EXPECT_EQ(cpus_after([&] { setup.settle_dispatcher(); }), options.dispatcher_cpus);
    EXPECT_EQ(cpus_after([&] { setup.settle_transport(); }), options.transport_cpus);
    EXPECT_EQ(own_cpus(), all) << "whoever makes a setup keeps its CPUs";
}

TEST(Latency, CpusThatCannotBeHadAreReported) {
    LatencyOptions options;
    options.dispatcher_cpus = {CPU_SETSIZE - 1};
    const LatencySetup setup(options);
    ASSERT_EQ(setup.report().size(), 1u);
    EXPECT_FALSE(setup.report()[0].granted);
    EXPECT_EQ(setup.report()[0].asked, std::to_string(CPU_SETSIZE - 1));
    EXPECT_NE(setup.report()[0].detail.find("CPUs"), std::string::npos);
    EXPECT_EQ(cpus_after([&] { setup.settle_dispatcher(); }), own_cpus());
}

TEST(Latency, PriorityIsInForceWhereItWasGranted) {
    LatencyOptions options;
    options.realtime_priority = 2;
    const LatencySetup setup(options);
    ASSERT_EQ(setup.report().size(), 1u);
    int policy = -1;
    std::thread([&] {
        setup.settle_dispatcher();
        policy = ::sched_getscheduler(0);
    }).join();
    EXPECT_EQ(policy == SCHED_FIFO, setup.report()[0].granted) << setup.report()[0].detail;
    EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
}

TEST(Latency, LocalMemoryNeedsPinnedThreads) {
    LatencyOptions options;
    options.local_memory = true;
    const LatencySetup setup(options);
    ASSERT_EQ(setup.report().size(), 1u);
    EXPECT_FALSE(setup.report()[0].granted);
    EXPECT_NE(setup.report()[0].detail.find("not pinned"), std::string::npos);
    const LocalMemory nothing(&setup);
    const LocalMemory nobody(nullptr);
}

TEST(Latency, LocalMemoryIsReportedWhetherGrantedOrNot) {
    LatencyOptions options;
    options.dispatcher_cpus = {own_cpus().front()};
    options.local_memory = true;
    const LatencySetup setup(options);
    ASSERT_EQ(setup.report().size(), 2u);
    EXPECT_EQ(setup.report()[1].measure, "local memory");
    EXPECT_FALSE(setup.report()[1].detail.empty());
    const LocalMemory made_here(&setup);
    EXPECT_NO_THROW(link::InProcessPort(link::Geometry{8, 504, 0}));
}

TEST(Latency, NumbersThatNoSystemHasAreRefused) {
    LatencyOptions priority;
    priority.realtime_priority = 100;
    EXPECT_THROW(LatencySetup{priority}, std::invalid_argument);
    LatencyOptions cpu;
    cpu.transport_cpus = {CPU_SETSIZE};
    EXPECT_THROW(LatencySetup{cpu}, std::invalid_argument);
}

TEST(StageLog, KeepsTheFirstOnesAndCountsTheRest) {
    StageLog log(2);
    for (u64 id = 0; id < 3; ++id) log.record({1, id, 10, 20, 30, 40});
    EXPECT_EQ(log.seen(), 3u);
    ASSERT_EQ(log.entries().size(), 2u);
    EXPECT_EQ(log.entries()[1].id, 1u);
}

TEST(StageLog, AnAnswerIsNeverSeenBeforeItsEntry) {
    auto record = std::make_shared<Record>(ProcessorSettings{});
    ControllerOptions options;
    options.dispatcher.stages = std::make_shared<StageLog>(100);
    Controller controller(std::make_unique<TestProcessor>(record), options);
    const SessionGrant grant = controller.reserve(test_program(), {});
    Caller caller;
    controller.attach(grant.session, caller.attachment(0));
    const auto payload = infer_payload<double>(grant.key, {0, 0, 0, 0}, 3);
    for (u64 id = 0; id < 100; ++id) {
        const u64 before = platform::clock_ns();
        ASSERT_EQ(caller.call(wire::kInfer, payload, id).status(), wire::Status::Ok);
        const u64 after = platform::clock_ns();
        const std::vector<Stages> entries = controller.stages()->entries();
        ASSERT_EQ(entries.size(), id + 1);
        const Stages& last = entries.back();
        EXPECT_EQ(last.session, grant.session);
        EXPECT_EQ(last.id, id);
        EXPECT_LE(before, last.accepted_ns);
        EXPECT_LE(last.accepted_ns, last.begun_ns);
        EXPECT_LE(last.begun_ns, last.executed_ns);
        EXPECT_LE(last.executed_ns, last.published_ns);
        EXPECT_LE(last.published_ns, after);
    }
}

}  // namespace
}  // namespace photonlink::qsc::test
