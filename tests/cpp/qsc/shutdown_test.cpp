// Ends that a controller chooses itself: stopped in good order, and never held up by a processor that hangs.
#include <future>

#include "fixture.hpp"

namespace photonlink::qsc::test {
namespace {

ControllerOptions impatient() {
    ControllerOptions options;
    options.dispatcher.drain_s = 0.05;
    options.dispatcher.processor_grace_s = 0.05;
    return options;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Shutdown, DoesNotWaitForAProcessorThatNeverComesBack) {
    ProcessorSettings settings;
    settings.gated = true;
    const auto record = std::make_shared<Record>(settings);
    const std::size_t before = threads_at_rest();
    Caller caller;
    {
        Controller controller(std::make_unique<TestProcessor>(record), impatient());
        const SessionGrant grant = controller.reserve(test_program(), {});
        controller.attach(grant.session, caller.attachment());
        caller.submit(wire::kInfer, infer_payload<double>(grant.key, {1, 2, 3, 4}, grant.output_size), 0);
        record->wait_for_run();
        EXPECT_FALSE(controller.shutdown());
        EXPECT_EQ(controller.status().state, State::Error);
        EXPECT_TRUE(contains(controller.status().cause, "left behind")) << controller.status().cause;
        EXPECT_EQ(controller.usage(grant.session).end, EndReason::ProcessorHung);
        EXPECT_EQ(caller.client().server_close_reason(), static_cast<u64>(EndReason::ProcessorHung));
        EXPECT_FALSE(controller.shutdown()) << "and says so again";
        EXPECT_THROW(controller.reserve(test_program(), {}), ControllerFailed);
        // The destructor does not wait either, and only the hung thread is left.
    }
    expect_threads(before + 1);
    record->open_gate();  // it may come back at any time, and finds all that it uses
    expect_threads(before);
}

TEST(Shutdown, TakesAProcessorThatComesBackInTimeAlong) {
    ProcessorSettings settings;
    settings.gated = true;
    const auto record = std::make_shared<Record>(settings);
    ControllerOptions options = impatient();
    options.dispatcher.processor_grace_s = 30;
    const std::size_t before = threads_at_rest();
    Caller caller;
    Controller controller(std::make_unique<TestProcessor>(record), options);
    const SessionGrant grant = controller.reserve(test_program(), {});
    controller.attach(grant.session, caller.attachment());
    caller.submit(wire::kInfer, infer_payload<double>(grant.key, {1, 2, 3, 4}, grant.output_size), 0);
    record->wait_for_run();
    auto ended = std::async(std::launch::async, [&] { return controller.shutdown(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    record->open_gate();
    EXPECT_TRUE(ended.get());
    expect_threads(before);
}

TEST(Shutdown, DoesNotWaitForAProgramThatIsNeverLoaded) {
    std::promise<void> loading, go_on;
    ProcessorSettings settings;
    settings.on_configure = [&] {
        loading.set_value();
        go_on.get_future().wait();
    };
    Controller controller(std::make_unique<TestProcessor>(std::make_shared<Record>(settings)), impatient());
    auto reserved = std::async(std::launch::async, [&] { controller.reserve(test_program(), {}); });
    loading.get_future().wait();
    EXPECT_FALSE(controller.shutdown());
    EXPECT_TRUE(contains(controller.status().cause, "still loading"));
    go_on.set_value();
    EXPECT_THROW(reserved.get(), ControllerFailed) << "no session comes of it";
    EXPECT_TRUE(controller.shutdown());
}

/// Has threads of its own, as a simulator may.
class BusyProcessor : public TestProcessor {
  public:
    using TestProcessor::TestProcessor;
    ~BusyProcessor() override {
        stop_ = true;
        thread_.join();
    }

  private:
    std::atomic<bool> stop_{false};
    std::thread thread_{[this] {
        while (!stop_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }};
};

TEST(Shutdown, EndsTheThreadsOfTheProcessorToo) {
    const std::size_t before = threads_at_rest();
    Controller controller(std::make_unique<BusyProcessor>(std::make_shared<Record>(ProcessorSettings{})));
    EXPECT_EQ(thread_count(), before + 1);
    const SessionGrant grant = controller.reserve(test_program(), {});
    EXPECT_TRUE(controller.shutdown());
    expect_threads(before);
    EXPECT_TRUE(controller.shutdown());
    EXPECT_EQ(controller.status().processor.name, "test");
    EXPECT_THROW(controller.reserve(test_program(), {}), ControllerFailed);
    EXPECT_THROW(controller.attach(grant.session, Caller().attachment()), ControllerFailed);
}

TEST(Stop, FinishesWhatWasAcceptedAndSaysWhy) {
    ProcessorSettings settings;
    settings.gated = true;
    Bench bench(settings);
    std::vector<link::Ticket> tickets;
    for (u64 i = 0; i < 8; ++i) tickets.push_back(bench.submit({0, 0, 0, double(i)}, i));
    bench.record->wait_for_run();
    auto stopped = std::async(std::launch::async,
                              [&] { return bench.controller.release(bench.grant.session, EndReason::Stopped); });
    bench.record->open_gate();
    for (const link::Ticket& ticket : tickets) EXPECT_EQ(bench.caller.collect(ticket).status(), wire::Status::Ok);
    const Usage usage = stopped.get();
    EXPECT_EQ(usage.counts.tokens, 8u);
    EXPECT_EQ(usage.end, EndReason::Stopped);
    EXPECT_EQ(bench.caller.client().server_close_reason(), static_cast<u64>(EndReason::Stopped));
}

TEST(Renewal, StartsTheIdleTimeAnew) {
    SessionOptions options;
    options.idle_timeout_s = 2;
    Bench bench({}, options);
    const u64 begun = platform::clock_ns();
    while (platform::clock_ns() - begun < 3'000'000'000) {
        EXPECT_NO_THROW(bench.controller.renew(bench.grant.session));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_EQ(bench.controller.status().session, bench.grant.session);
    wait_until([&] { return bench.controller.status().session == 0; });
    EXPECT_THROW(bench.controller.renew(bench.grant.session), UnknownSession);
    EXPECT_EQ(bench.controller.usage(bench.grant.session).end, EndReason::IdleTimeout);
}

}  // namespace
}  // namespace photonlink::qsc::test
