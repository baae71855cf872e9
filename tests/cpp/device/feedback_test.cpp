// The closed loop of examples/06_feedback_loop, whose kernel runs this very text, in a session: it locks, it makes the
// steps that a loop of host calls makes, and it ends at its cap.
#include <cmath>
#include <random>

#include "../../../examples/06_feedback_loop.cuh"
#include "photonlink/encoding.hpp"
#include "photonlink/qsc/local_session.hpp"
#include "scripted.hpp"

namespace photonlink::device::test {
namespace {

constexpr u32 kSteps = 200;
constexpr double kGain = 1.0;

/// A balanced Mach-Zehnder interferometer with one photon, its phase driven by control and drift together.
std::shared_ptr<const optics::ProgramSpec> interferometer() {
    const double r = std::sqrt(0.5);
    auto spec = std::make_shared<optics::ProgramSpec>();
    spec->modes = 2;
    spec->input = {1, 0};
    spec->interferometers = {{r, r, r, -r}, {r, r, r, -r}};
    spec->phases = {{0, 0}};
    spec->readout.kind = optics::ReadoutKind::ModeExpectations;
    spec->readout.space = optics::Space::Fock;
    return spec;
}

struct Loop {
    Loop()
        : encoding(std::make_shared<const Encoding>(2, std::vector<u32>{0, 2}, std::vector<u32>{0, 1},
                                                    std::vector<double>{1, 1}, std::vector<double>{0}, false)),
          session(std::make_shared<qsc::Controller>(qsc::make_native_processor(std::size_t{1} << 26)), interferometer(),
                  encoding, {}, 2),
          port(session.open_device_port(2)),
          side(port->geometry(), port->requests(), port->responses(), port->config().encoding, port->config().key, 2,
               8),
          drift(kSteps),
          trace(kSteps) {
        std::mt19937_64 random(11);
        std::normal_distribution<double> step(0, 0.02);
        double phase = 0;
        for (double& value : drift) value = phase += step(random);
    }

    CallStatus run(u32 threads, u64 limit_ns, u32* done) {
        const FeedbackLoop loop{drift.data(), trace.data(), scratch, kSteps, kGain, limit_ns};
        return launch_one(threads, [&](const HostGroup& group) { return run_feedback(group, side.link, loop, done); });
    }

    std::vector<double> host_trace() {
        std::vector<double> measured;
        double control = 0;
        for (u32 step = 0; step < kSteps; ++step) {
            const double x[2] = {control, drift[step]};
            const auto y = std::make_shared<std::array<double, 2>>();
            const auto result = session.client().infer({x, optics::Precision::Float64, 1, 0}, {y->data(), 0, y}, {});
            EXPECT_EQ(result.status, CallStatus::Ok);
            measured.push_back((*y)[0]);
            control += kGain * (measured.back() - 0.5);
        }
        return measured;
    }

    std::shared_ptr<const Encoding> encoding;
    qsc::LocalSession session;
    std::shared_ptr<qsc::DevicePort> port;
    DeviceSide side;
    std::vector<double> drift;
    std::vector<double> trace;
    double scratch[4] = {};
};

TEST(FeedbackLoop, LocksAndMakesTheHostsSteps) {
    for (const u32 threads : {1u, 3u, 32u}) {
        Loop loop;
        u32 done = 0;
        ASSERT_EQ(loop.run(threads, 60'000'000'000, &done), CallStatus::Ok);
        EXPECT_EQ(done, kSteps);
        EXPECT_GT(std::abs(loop.trace[0] - 0.5), 0.4);
        for (u32 step = 50; step < kSteps; ++step) EXPECT_LT(std::abs(loop.trace[step] - 0.5), 0.1) << step;
        EXPECT_EQ(loop.trace, loop.host_trace());
        EXPECT_EQ(loop.session.usage().counts.tokens, 2 * kSteps);
    }
}

TEST(FeedbackLoop, EndsAtItsCap) {
    Loop loop;
    u32 done = 0;
    EXPECT_EQ(loop.run(3, 1, &done), CallStatus::Timeout);
    EXPECT_LT(done, kSteps);
}

TEST(FeedbackLoop, EndsWithTheSession) {
    Loop loop;
    loop.session.close();
    u32 done = 0;
    EXPECT_EQ(loop.run(3, 60'000'000'000, &done), CallStatus::Closed);
    EXPECT_EQ(done, 0u);
}

}  // namespace
}  // namespace photonlink::device::test
