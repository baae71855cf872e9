// Sessions as devices: what a kernel gets is what the optics say, and every way to fail has its own words.
#include "photonlink/device_call/session_link.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "calling.hpp"
#include "photonlink/qsc/local_session.hpp"

namespace photonlink::device_call::test {
namespace {

constexpr u32 kDevice = 5;
constexpr u64 kSecond = 1'000'000'000;

/// Two photons through two balanced beam splitters with a phase of twice the feature between them.
std::shared_ptr<optics::ProgramSpec> two_photons() {
    const double half = std::sqrt(0.5);
    const std::vector<optics::Complex> splitter{{half, 0}, {0, half}, {0, half}, {half, 0}};
    auto program = std::make_shared<optics::ProgramSpec>();
    program->modes = 2;
    program->input = {1, 1};
    program->interferometers = {splitter, splitter};
    program->phases = {{0, 0}};
    program->readout.space = optics::Space::Fock;
    return program;
}

/// Probability that the photons leave apart: cos^2 of the phase.
double apart(double feature) { return std::pow(std::cos(2 * feature), 2); }

class Rig {
  public:
    explicit Rig(qsc::SessionOptions options = {}, qsc::DispatcherOptions dispatcher = {},
                 u64 timeout_ns = 20 * kSecond)
        : session(std::make_shared<qsc::LocalSession>(
              controller(std::move(dispatcher)), program,
              std::make_shared<Encoding>(1, std::vector<u32>{0, 1}, std::vector<u32>{0}, std::vector<double>{2.0},
                                         std::vector<double>{0.0}, false),
              options, 4)) {
        auto link = std::make_shared<SessionLink>(session->client(), session, *program, options.shots, timeout_ns);
        const photonlink_device_link table = SessionLink::table(std::move(link));
        EXPECT_EQ(photonlink_device_open(kDevice, &table), 0);
    }
    ~Rig() { photonlink_device_close(kDevice); }

    static Outcome infer(const std::vector<double>& features, u64 outputs = 3) {
        const auto args = payload([&features, outputs](wire::PayloadWriter& writer) {
            writer.sequence(features.data(), features.size());
            writer.output(outputs);
        });
        return call(kDevice, "photonic_infer", args, outputs * sizeof(double));
    }
    static Outcome sample(double feature) {
        const auto args = payload([feature](wire::PayloadWriter& writer) { writer.sequence(&feature, 1); });
        return call(kDevice, "photonic_sample", args, sizeof(i64));
    }

    /// Of photonic_samples (features) or photonlink_samples (phases).
    static Outcome samples(const char* function, double argument, u64 wanted) {
        const auto args = payload([argument, wanted](wire::PayloadWriter& writer) {
            writer.sequence(&argument, 1);
            writer.output(wanted);
        });
        return call(kDevice, function, args, wanted);
    }

    const std::shared_ptr<optics::ProgramSpec> program = two_photons();
    const std::shared_ptr<qsc::LocalSession> session;

  private:
    static std::shared_ptr<qsc::Controller> controller(qsc::DispatcherOptions dispatcher) {
        qsc::ControllerOptions options;
        options.dispatcher = std::move(dispatcher);
        return std::make_shared<qsc::Controller>(qsc::make_native_processor(std::size_t{1} << 28), options);
    }
};

double observable(const Outcome& outcome, std::size_t k) {
    double value = std::numeric_limits<double>::quiet_NaN();
    if (outcome.result.size() >= (k + 1) * sizeof value)
        std::memcpy(&value, outcome.result.data() + k * sizeof value, sizeof value);
    return value;
}

TEST(SessionLink, InfersWhatTheOpticsSay) {
    for (const auto precision : {optics::Precision::Float64, optics::Precision::Float32}) {
        qsc::SessionOptions options;
        options.precision = precision;
        const Rig rig(options);
        const double tolerance = precision == optics::Precision::Float64 ? 1e-12 : 1e-6;
        for (const double feature : {0.0, 0.3, 1.1, -2.0}) {
            const Outcome outcome = Rig::infer({feature});
            ASSERT_EQ(outcome.status, 0) << last_error().cause;
            EXPECT_NEAR(observable(outcome, 1), apart(feature), tolerance);
            EXPECT_NEAR(call(kDevice, "photonic_expectation", integer(1), 8).value<double>(), apart(feature),
                        tolerance);
        }
        EXPECT_EQ(rig.session->usage().counts.tokens, 4u);
    }
}

TEST(SessionLink, SamplesOneStateAndItsPhotons) {
    qsc::SessionOptions options;
    options.shots = 1;
    const Rig rig(options);
    int together = 0;
    constexpr int kDraws = 300;
    for (int i = 0; i < kDraws; ++i) {
        const Outcome outcome = Rig::sample(0.3);
        ASSERT_EQ(outcome.status, 0) << last_error().cause;
        const i64 left = call(kDevice, "photonic_photons", integer(0), 8).value<i64>();
        const i64 right = call(kDevice, "photonic_photons", integer(1), 8).value<i64>();
        EXPECT_EQ(left + right, 2);
        EXPECT_EQ(outcome.value<i64>(), 2 - left) << "states are listed (2, 0), (1, 1), (0, 2)";
        together += left != 1 ? 1 : 0;
    }
    const double expected = 1 - apart(0.3);
    EXPECT_NEAR(together / double{kDraws}, expected, 4 * std::sqrt(expected * (1 - expected) / kDraws));
}

TEST(SessionLink, SamplesOfManyShotsAreThoseOfTheSimulator) {
    const std::vector<std::vector<u8>> states{{2, 0}, {1, 1}, {0, 2}};
    for (const u32 shots : {1u, 30u, 10'000u}) {  // fewer than a slot holds, and more
        qsc::SessionOptions options;
        options.shots = shots;
        options.seed = 3;
        const Rig rig(options);
        const auto simulator = optics::Simulator::create(rig.program, optics::Precision::Float64, 1u << 28, true);
        for (u64 id = 0; id < 6; ++id) {
            const double feature = 0.1 + 0.2 * static_cast<double>(id);
            const double phase = 2 * feature;
            optics::RowReport report;
            void* nowhere = nullptr;
            simulator->run({1, &phase, &id, options.seed, shots, &nowhere, &report, nullptr});
            std::vector<u8> expected;
            for (std::size_t i = 0; i < report.counts.size(); ++i)
                for (u32 again = 0; again < report.counts[i]; ++again)
                    expected.insert(expected.end(), states[report.state_index[i]].begin(),
                                    states[report.state_index[i]].end());
            const bool by_features = id % 2 == 0;
            const Outcome outcome = Rig::samples(by_features ? "photonic_samples" : "photonlink_samples",
                                                 by_features ? feature : phase, 2 * shots);
            ASSERT_EQ(outcome.status, 0) << last_error().cause;
            EXPECT_EQ(outcome.result, expected) << shots << " shots, datapoint " << id;
            if (by_features) {
                EXPECT_DOUBLE_EQ(call(kDevice, "photonic_expectation", integer(1), 8).value<double>(),
                                 report.observables[1]);
            }
        }
        EXPECT_EQ(rig.session->usage().counts.tokens, 6u);
    }
}

TEST(SessionLink, OtherFunctionsGoToTheController) {
    const Rig rig;
    EXPECT_EQ(call(kDevice, "photonlink_echo", integer(123), 8).value<i64>(), 123);
    EXPECT_EQ(call(kDevice, "nobody_knows_me", integer(1), 8).status, PHOTONLINK_DEVICE_REMOTE_ERROR);
    EXPECT_EQ(last_error().call_status, static_cast<u32>(CallStatus::Refused));
    EXPECT_EQ(last_error().remote_status, static_cast<i32>(wire::Status::UnknownFunction));
    EXPECT_EQ(call(kDevice, "photonlink_echo", std::vector<u8>(1u << 20), 8).status,
              PHOTONLINK_DEVICE_INVALID_ARGUMENT);
}

TEST(SessionLink, ADatapointOfPhasesIsCountedLikeAnyOther) {
    const Rig rig;
    const double phase = 0.8;
    const auto args = payload([&phase](wire::PayloadWriter& writer) {
        writer.sequence(&phase, 1);
        writer.output(3);
    });
    const Outcome outcome = call(kDevice, "photonlink_infer", args, 3 * sizeof(double));
    ASSERT_EQ(outcome.status, 0);
    EXPECT_NEAR(observable(outcome, 1), apart(phase / 2), 1e-12);
    EXPECT_EQ(rig.session->usage().counts.tokens, 1u);
}

TEST(SessionLink, SaysWhatIsWrongWithArguments) {
    const Rig rig;
    const auto refused = [](const Outcome& outcome, const char* words) {
        EXPECT_EQ(outcome.status, PHOTONLINK_DEVICE_INVALID_ARGUMENT);
        EXPECT_NE(std::strstr(last_error().cause, words), nullptr) << last_error().cause;
    };
    refused(Rig::infer({0.1, 0.2}), "1 features and the list holds 2");
    refused(Rig::infer({0.1}, 4), "3 observables and the list holds 4");
    refused(Rig::infer({std::nan("")}), "not finite");
    refused(call(kDevice, "photonic_infer", integer(1), 8), "photonic_infer takes");
    refused(call(kDevice, "photonic_expectation", integer(0), 8), "no datapoint yet");
    refused(call(kDevice, "photonic_photons", integer(0), 8), "no sample yet");
    refused(Rig::sample(0.1), "shots=1");
    refused(Rig::samples("photonic_samples", 0.1, 2), "reserve it with shots=");
    refused(call(kDevice, "photonic_samples", integer(1), 8), "photonic_samples takes");
    EXPECT_EQ(rig.session->usage().counts.tokens, 0u) << "nothing was sent";
    EXPECT_EQ(Rig::infer({0.1}).status, 0);
    refused(call(kDevice, "photonic_expectation", integer(3), 8), "observable 3 does not exist");
    refused(call(kDevice, "photonic_expectation", integer(-1), 8), "observable -1 does not exist");
    refused(call(kDevice, "photonic_expectation", integer(0), 4), "8 bytes");
}

TEST(SessionLink, SaysHowManyPhotonNumbersThereAre) {
    qsc::SessionOptions options;
    options.shots = 5;
    const Rig rig(options);
    for (const u64 wanted : {0u, 9u, 11u}) {
        EXPECT_EQ(Rig::samples("photonic_samples", 0.1, wanted).status, PHOTONLINK_DEVICE_INVALID_ARGUMENT);
        EXPECT_NE(std::strstr(last_error().cause, "5 shots of 2 modes show 10"), nullptr) << last_error().cause;
    }
    EXPECT_EQ(Rig::samples("photonic_samples", std::nan(""), 10).status, PHOTONLINK_DEVICE_INVALID_ARGUMENT);
    EXPECT_EQ(Rig::sample(0.1).status, PHOTONLINK_DEVICE_INVALID_ARGUMENT) << "of one shot only";
    EXPECT_EQ(rig.session->usage().counts.tokens, 0u);
    EXPECT_EQ(Rig::samples("photonic_samples", 0.1, 10).status, 0);
}

TEST(SessionLink, GivesUpAtItsTimeoutAndRecovers) {
    qsc::DispatcherOptions dispatcher;
    dispatcher.faults.mute_from = 1;
    const Rig rig({}, dispatcher, 2 * kSecond);
    EXPECT_EQ(Rig::infer({0.1}).status, 0);
    EXPECT_EQ(Rig::infer({0.1}).status, PHOTONLINK_DEVICE_TIMEOUT);
    EXPECT_EQ(last_error().call_status, static_cast<u32>(CallStatus::Timeout));
    EXPECT_GE(last_error().elapsed_ns, 2 * kSecond);
    EXPECT_EQ(call(kDevice, "photonlink_echo", integer(1), 8).value<i64>(), 1) << "the link is not blocked";
}

TEST(SessionLink, AClosedSessionSaysSo) {
    const Rig rig;
    rig.session->close();
    EXPECT_EQ(Rig::infer({0.1}).status, PHOTONLINK_DEVICE_NOT_INITIALIZED);
    EXPECT_EQ(last_error().call_status, static_cast<u32>(CallStatus::Closed));
}

TEST(SessionLink, ThreadsKeepTheirOwnLatestDatapoint) {
    const Rig rig;
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([thread, &wrong] {
            for (int i = 0; i < 100; ++i) {
                const double feature = 0.1 * thread + 0.001 * i;
                if (Rig::infer({feature}).status != 0) ++wrong;
                const double kept = call(kDevice, "photonic_expectation", integer(1), 8).value<double>();
                if (std::abs(kept - apart(feature)) > 1e-12) ++wrong;
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace photonlink::device_call::test
