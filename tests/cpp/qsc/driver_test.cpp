// The desk between a controller and a driver in a thread of its own: answers find their orders, and nobody waits longer
// than told, whatever the driver does.
#include "photonlink/qsc/driver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <thread>

namespace photonlink::qsc {
namespace {

constexpr std::size_t kLimit = std::size_t{1} << 24;

/// One photon in two modes, nothing in its way.
std::shared_ptr<optics::ProgramSpec> one_photon() {
    auto spec = std::make_shared<optics::ProgramSpec>();
    spec->modes = 2;
    spec->input = {1, 0};
    spec->interferometers = {{1, 0, 0, 1}, {1, 0, 0, 1}};
    spec->phases = {{0, 1}};
    spec->readout = {optics::ReadoutKind::Probabilities, optics::Space::Fock, optics::Grouping::None, 0};
    return spec;
}

/// Answers orders in a thread until the desk is closed.
class Driver {
  public:
    Driver(DriverInfo info, std::function<DriverAnswer(const Order&)> answer)
        : desk(std::make_shared<DriverDesk>(std::move(info))), thread_([this, answer = std::move(answer)] {
              while (std::optional<Order> order = desk->take()) desk->answer(order->number, answer(*order));
          }) {}
    ~Driver() {
        desk->close();
        thread_.join();
    }

    const std::shared_ptr<DriverDesk> desk;

  private:
    std::thread thread_;
};

DriverAnswer failure(DriverAnswer::Failure kind) {
    DriverAnswer answer;
    answer.failure = kind;
    answer.error = "as told";
    return answer;
}

u64 soon(double seconds) { return platform::clock_ns() + static_cast<u64>(seconds * 1e9); }

struct OneRow {
    double phase = 0.5;
    u64 id = 7;
    double values[2] = {-1, -1};
    void* target = values;
    double kept = -1;

    optics::SimulationBatch batch(u32 shots) {
        optics::SimulationBatch made;
        made.rows = 1;
        made.phases = &phase;
        made.ids = &id;
        made.shots = shots;
        made.observables = &target;
        made.kept_fractions = &kept;
        return made;
    }
};

TEST(Driver, ReadsOutADistribution) {
    const auto answer = [](const Order& order) {
        DriverAnswer made;
        if (order.program) return made;
        EXPECT_EQ(order.phases, std::vector<double>{0.5});
        EXPECT_EQ(order.datapoint, 7u);
        made.probabilities = {0.1, 0.3};
        return made;
    };
    Driver driver({"d", true, true, 60}, answer);
    const auto processor = make_driver_processor(driver.desk, kLimit);
    processor->configure(one_photon(), {});
    EXPECT_EQ(processor->output_size(), 2u);
    OneRow row;
    processor->run(row.batch(0));
    EXPECT_DOUBLE_EQ(row.values[0], 0.25);
    EXPECT_DOUBLE_EQ(row.values[1], 0.75);
    EXPECT_DOUBLE_EQ(row.kept, 0.4);
}

TEST(Driver, AsksUntilEnoughEventsAreKept) {
    std::vector<u64> asked;
    const auto answer = [&asked](const Order& order) {
        DriverAnswer made;
        if (order.program) return made;
        asked.push_back(order.events);
        made.events.states = {0, 1, 1, 1};  // the latter is no state of one photon
        const u32 half = static_cast<u32>((order.events + 1) / 2);
        made.events.counts = {half, static_cast<u32>(order.events) - half};
        return made;
    };
    Driver driver({"d", false, false, 60}, answer);
    const auto processor = make_driver_processor(driver.desk, kLimit);
    processor->configure(one_photon(), RunOptions{10, 0, optics::Precision::Float64, 0});
    OneRow row;
    processor->run(row.batch(10));
    EXPECT_EQ(asked, (std::vector<u64>{10, 5, 2, 1}));
    EXPECT_DOUBLE_EQ(row.values[1], 1.0);
    EXPECT_DOUBLE_EQ(row.kept, 10.0 / 18.0);
}

TEST(Driver, FailuresKeepTheirKind) {
    DriverAnswer::Failure kind = DriverAnswer::Failure::Program;
    Driver driver({"d", true, true, 60}, [&kind](const Order&) { return failure(kind); });
    const auto processor = make_driver_processor(driver.desk, kLimit);
    EXPECT_THROW(processor->configure(one_photon(), {}), optics::ProgramError);
    kind = DriverAnswer::Failure::Fatal;
    EXPECT_THROW(processor->configure(one_photon(), {}), ProcessorFatal);
    kind = DriverAnswer::Failure::Datapoint;
    EXPECT_THROW(processor->configure(one_photon(), {}), std::runtime_error);
}

TEST(Driver, AnswersThatCannotBeAreRefused) {
    DriverAnswer given;
    Driver driver({"d", true, true, 60}, [&given](const Order&) { return given; });
    const auto processor = make_driver_processor(driver.desk, kLimit);
    processor->configure(one_photon(), {});
    OneRow row;
    for (const std::vector<double>& wrong : {std::vector<double>{}, {0.5}, {0.5, 0.6}, {-0.5, 0.5}, {NAN, 0.5}}) {
        given.probabilities = wrong;
        EXPECT_THROW(processor->run(row.batch(0)), std::runtime_error);
    }
    given.probabilities = {0, 0};
    EXPECT_THROW(processor->run(row.batch(5)), optics::PostSelectionError);
}

TEST(Driver, NobodyWaitsLongerThanTheLimit) {
    DriverDesk desk({"d", true, true, 60});  // without a driver
    EXPECT_THROW(desk.ask({}, soon(0.01)), ProcessorFatal);
}

TEST(Driver, ClosingEndsBothSides) {
    DriverDesk desk({"d", true, true, 60});
    std::thread asking([&desk] { EXPECT_THROW(desk.ask({}, soon(60)), ProcessorFatal); });
    const std::optional<Order> order = desk.take();
    ASSERT_TRUE(order);
    desk.close();
    asking.join();
    EXPECT_FALSE(desk.take());
    EXPECT_FALSE(desk.wait_while_wanted(order->number, 60));
    EXPECT_THROW(desk.ask({}, soon(60)), ProcessorFatal);
}

TEST(Driver, AnInterruptedOrderIsNotWantedAndItsLateAnswerIsNobodys) {
    DriverDesk desk({"d", true, true, 60});
    std::thread asking([&desk] {
        EXPECT_THROW(desk.ask({}, soon(60)), std::runtime_error);
        EXPECT_EQ(desk.ask({}, soon(60)).probabilities, std::vector<double>{2});
    });
    const std::optional<Order> first = desk.take();
    ASSERT_TRUE(first);
    desk.interrupt();
    EXPECT_FALSE(desk.wait_while_wanted(first->number, 60));
    const std::optional<Order> second = desk.take();
    ASSERT_TRUE(second);
    DriverAnswer late, right;
    late.probabilities = {1};
    right.probabilities = {2};
    desk.answer(first->number, late);
    EXPECT_TRUE(desk.wait_while_wanted(second->number, 0));
    desk.answer(second->number, right);
    asking.join();
}

TEST(Driver, AnswersFindTheirOrdersAmongInterrupts) {
    const auto echo = [](const Order& order) {
        DriverAnswer answer;
        answer.probabilities = order.phases;
        return answer;
    };
    Driver driver({"d", true, true, 60}, echo);
    std::atomic<bool> done{false};
    std::thread interrupting([&] {
        while (!done.load()) {
            driver.desk->interrupt();
            std::this_thread::yield();
        }
    });
    u64 answered = 0;
    for (u32 i = 0; i < 300; ++i) {
        Order order;
        order.phases = {static_cast<double>(i)};
        try {
            EXPECT_EQ(driver.desk->ask(std::move(order), soon(60)).probabilities, std::vector<double>{double(i)});
            ++answered;
        } catch (const ProcessorFatal&) {
            ADD_FAILURE() << "an order was lost";
        } catch (const std::runtime_error&) {  // interrupted
        }
    }
    done.store(true);
    interrupting.join();
    EXPECT_LE(answered, 300u);
    Order last;
    last.phases = {-1};
    EXPECT_EQ(driver.desk->ask(std::move(last), soon(60)).probabilities, std::vector<double>{-1});
}

}  // namespace
}  // namespace photonlink::qsc
