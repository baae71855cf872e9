// photonlink_samples over every link: the samples of a datapoint are those that the simulator draws for its id, byte
// for byte, whether they fit a slot or not.
#include <functional>
#include <utility>

#include "photonlink/optics/basis.hpp"
#include "photonlink/qsc/local_session.hpp"
#include "photonlink/transport/shm_service.hpp"
#include "photonlink/transport/shm_session.hpp"
#include "photonlink/transport/udp_session.hpp"
#include "udp_testing.hpp"

namespace photonlink::transport::test {
namespace {

using qsc::CallStatus;

constexpr std::size_t kMemoryLimit = std::size_t{1} << 28;
constexpr u32 kModes = 4;
constexpr u32 kPhases = 2;
constexpr u32 kSlots = 4;
constexpr u64 kSeed = 7;

/// Two balanced splitters side by side, phases, two more across them, phases, the first two again.
std::shared_ptr<optics::ProgramSpec> splitters() {
    const double half = std::sqrt(0.5);
    const auto pairs = [half](u32 a, u32 b, u32 c, u32 d) {
        std::vector<optics::Complex> matrix(kModes * kModes);
        for (const auto& [first, second] : {std::pair{a, b}, std::pair{c, d}}) {
            matrix[first * kModes + first] = matrix[second * kModes + second] = half;
            matrix[first * kModes + second] = matrix[second * kModes + first] = {0, half};
        }
        return matrix;
    };
    auto program = std::make_shared<optics::ProgramSpec>();
    program->modes = kModes;
    program->input = {1, 0, 1, 0};
    program->interferometers = {pairs(0, 1, 2, 3), pairs(1, 2, 0, 3), pairs(0, 1, 2, 3)};
    program->phases = {{0, 1}, {1, 2}};
    program->readout.space = optics::Space::Fock;
    return program;
}

std::shared_ptr<const Encoding> one_to_one() {
    return std::make_shared<Encoding>(kPhases, std::vector<u32>{0, 1, 2}, std::vector<u32>{0, 1},
                                      std::vector<double>{1, 1}, std::vector<double>{0, 0}, false);
}

std::vector<double> phases_of(u64 id) { return {0.3 + 0.7 * static_cast<double>(id), 1.1}; }

/// What the simulator draws without any link, listed by means of the whole basis.
std::vector<u8> drawn(const optics::ProgramSpec& program, u64 id, u32 shots) {
    const auto simulator = optics::Simulator::create(std::make_shared<optics::ProgramSpec>(program),
                                                     optics::Precision::Float64, kMemoryLimit, true);
    const std::vector<double> phases = phases_of(id);
    optics::RowReport report;
    void* nowhere = nullptr;
    optics::SimulationBatch batch;
    batch.rows = 1;
    batch.phases = phases.data();
    batch.ids = &id;
    batch.seed = kSeed;
    batch.shots = shots;
    batch.observables = &nowhere;
    batch.reports = &report;
    simulator->run(batch);
    const std::vector<u8> states = optics::basis_states(program.readout.space, kModes, 2);
    std::vector<u8> samples;
    for (std::size_t i = 0; i < report.counts.size(); ++i)
        for (u32 again = 0; again < report.counts[i]; ++again)
            samples.insert(samples.end(), states.begin() + report.state_index[i] * kModes,
                           states.begin() + (report.state_index[i] + 1) * kModes);
    return samples;
}

/// A controller with a session, and a client of it.
struct Link {
    std::shared_ptr<qsc::Controller> controller;
    u64 session;
    std::shared_ptr<const void> keep;
    qsc::SessionClient& client;

    u64 tokens() const { return controller->usage(session).counts.tokens; }
};

using OpenLink = Link (*)(const qsc::SessionOptions&);

std::shared_ptr<qsc::Controller> native_controller() {
    return std::make_shared<qsc::Controller>(qsc::make_native_processor(kMemoryLimit));
}

qsc::SessionTerms terms_of(const qsc::SessionGrant& grant, const qsc::SessionOptions& options) {
    return {grant.output_size, std::min<u64>(options.shots, grant.basis_size), options.precision};
}

link::Geometry geometry_of(const qsc::SessionGrant& grant, const qsc::SessionOptions& options,
                           const Encoding& encoding) {
    return qsc::remote_geometry(qsc::client_config(grant, options, encoding.view()), kSlots);
}

Link in_process(const qsc::SessionOptions& options) {
    const auto controller = native_controller();
    const auto session = std::make_shared<qsc::LocalSession>(controller, splitters(), one_to_one(), options, kSlots);
    return {controller, session->grant().session, session, session->client()};
}

Link over_shared_memory(const qsc::SessionOptions& options) {
    struct Both {
        ShmService service;
        ShmSession session;
    };
    const auto controller = native_controller();
    const qsc::SessionGrant grant = controller->reserve(splitters(), options);
    const auto encoding = one_to_one();
    const std::string address = "@photonlink-samples-" + std::to_string(::getpid());
    ShmSessionConfig config;
    static_cast<qsc::SessionTerms&>(config) = terms_of(grant, options);
    config.stall_limit_s = kPatience_ns * 1e-9;
    const std::shared_ptr<Both> both(
        new Both{ShmService(controller, grant, address, geometry_of(grant, options, *encoding), 0),
                 ShmSession(address, encoding, config)});
    return {controller, grant.session, both, both->session.client()};
}

Link over_datagrams(const qsc::SessionOptions& options, bool tags) {
    struct Both {
        std::unique_ptr<UdpGateway> gateway;
        std::unique_ptr<UdpSession> session;
    };
    const auto controller = native_controller();
    const auto both = std::make_shared<Both>();
    UdpOptions udp = patient();
    udp.tags = tags;
    both->gateway = std::make_unique<UdpGateway>(controller, udp);
    const qsc::SessionGrant grant = controller->reserve(splitters(), options);
    const auto encoding = one_to_one();
    UdpSessionConfig config;
    static_cast<qsc::SessionTerms&>(config) = terms_of(grant, options);
    config.tag_key = both->gateway->open(grant, geometry_of(grant, options, *encoding));
    config.host = "127.0.0.1";
    config.port = both->gateway->port();
    config.key = grant.key;
    config.slots = kSlots;
    config.stall_limit_s = kPatience_ns * 1e-9;
    both->session = std::make_unique<UdpSession>(encoding, config);
    return {controller, grant.session, both, both->session->client()};
}

Link over_udp(const qsc::SessionOptions& options) { return over_datagrams(options, false); }
Link over_tagged_udp(const qsc::SessionOptions& options) { return over_datagrams(options, true); }

struct Asked {
    qsc::CallResult result;
    std::vector<u8> samples;
};

Asked ask(qsc::SessionClient& client, u64 id, u64 count) {
    std::vector<u8> args;
    const std::vector<double> phases = phases_of(id);
    put<u64>(args, phases.size());
    for (const double phase : phases) put(args, phase);
    put(args, count);
    Asked asked;
    asked.samples.resize(count);
    qsc::RawRequest request{wire::kSamples, args.data(), args.size(), asked.samples.data(), asked.samples.size()};
    qsc::CallOptions options;
    options.deadline_ns = platform::clock_ns() + kPatience_ns;
    asked.result = client.call(&request, options);
    asked.samples.resize(std::min(request.result_bytes, count));
    return asked;
}

qsc::SessionOptions with_shots(u32 shots) {
    qsc::SessionOptions options;
    options.shots = shots;
    options.seed = kSeed;
    return options;
}

class Samples : public ::testing::TestWithParam<std::pair<const char*, OpenLink>> {
  protected:
    static Link open(u32 shots) { return GetParam().second(with_shots(shots)); }
};

TEST_P(Samples, AreThoseThatTheSimulatorDraws) {
    // A report has up to 32 + 10 * (8 + 8 + 4 + 4) = 272 bytes, and slots are made for that: 68 samples fill one. In
    // process they may have to hold a request of several datapoints, too.
    const bool in_process = GetParam().first == std::string("InProcess");
    for (const u32 shots : {1u, 67u, 68u, 69u, 136u, 2'049u, 20'000u}) {
        const Link link = open(shots);
        const u32 slot_bytes = link.client.geometry().slot_bytes, report_bytes = shots < 10 ? 224 : 296;
        EXPECT_TRUE(slot_bytes == report_bytes || (in_process && slot_bytes > report_bytes)) << slot_bytes;
        for (u64 id = 0; id < 3; ++id) {
            const Asked asked = ask(link.client, id, u64{shots} * kModes);
            ASSERT_EQ(asked.result.status, CallStatus::Ok) << shots << " shots, wire " << asked.result.wire_status;
            EXPECT_EQ(asked.samples, drawn(*splitters(), id, shots)) << shots << " shots, datapoint " << id;
        }
        EXPECT_EQ(link.tokens(), 3u);
        EXPECT_EQ(link.client.slots_in_use(), 0u);
    }
}

TEST_P(Samples, OfAnotherNumberAreRefusedAndCostNothing) {
    for (const u32 shots : {0u, 5u}) {
        const Link link = open(shots);
        for (const u64 count : {0u, 1u, 4u, 19u, 21u, 40u}) {
            const Asked asked = ask(link.client, 0, count);
            EXPECT_EQ(asked.result.status, CallStatus::Refused) << count;
            EXPECT_EQ(asked.result.wire_status, static_cast<i32>(wire::Status::BadLength)) << count;
        }
        EXPECT_EQ(link.tokens(), 0u);
    }
}

TEST_P(Samples, BeyondAMegabyteStayInTheirProcess) {
    constexpr u32 kMost = (1u << 20) / kModes;
    for (const u32 shots : {kMost, kMost + 1}) {
        const Link link = open(shots);
        const Asked asked = ask(link.client, 0, u64{shots} * kModes);
        if (shots == kMost || GetParam().second == &in_process) {
            EXPECT_EQ(asked.samples, drawn(*splitters(), 0, shots));
        } else {
            EXPECT_EQ(asked.result.wire_status, static_cast<i32>(wire::Status::ResponseTooLarge));
            EXPECT_EQ(link.tokens(), 0u);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Links, Samples,
                         ::testing::Values(std::pair{"InProcess", &in_process},
                                           std::pair{"SharedMemory", &over_shared_memory}, std::pair{"Udp", &over_udp},
                                           std::pair{"TaggedUdp", &over_tagged_udp}),
                         [](const auto& link) { return std::string(link.param.first); });

}  // namespace
}  // namespace photonlink::transport::test
