// A session behind a provider, in both forms and all versions, as a client that writes datagrams byte by byte sees it.
#include <set>

#include "bridge_testing.hpp"
#include "udp_caller.hpp"

namespace photonlink::transport::test {
namespace {

using wire::Status;

struct Form {
    const char* name;
    const char* library;
    Words arguments;
    std::optional<u32> slots;
    bool hooks;
};

std::ostream& operator<<(std::ostream& out, const Form& form) { return out << form.name; }

class BridgeForms : public ::testing::TestWithParam<Form> {
  protected:
    /// Of a provider of version 1 nobody learns the port: a free one is chosen for it.
    BridgeBench& start(const Words& more = {}, qsc::test::ProcessorSettings settings = {},
                       const link::Geometry& geometry = small_slots()) {
        port_ = free_port();
        BridgeOptions options = options_of(GetParam().library, GetParam().arguments);
        options.arguments.push_back("--port=" + std::to_string(port_));
        options.arguments.insert(options.arguments.end(), more.begin(), more.end());
        options.slots = GetParam().slots;
        bench_.emplace(options, std::move(settings), geometry);
        wait_until([this] { return bench_->gateway->state() == BridgeState::Serving; });
        return *bench_;
    }
    u16 port() const { return port_; }

  private:
    static u16 free_port() {
        const link::UniqueFd probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in address = at_loopback(0);
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
        ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &length);
        return ntohs(address.sin_port);
    }

    u16 port_ = 0;
    std::optional<BridgeBench> bench_;
};

/// The forms of our own provider. CUDAQ_BRIDGE_UDP names libcudaq-realtime-bridge-udp.so of a CUDA-Q realtime
/// installation, whose forms are then run through the same tests.
std::vector<Form> forms() {
    std::vector<Form> all{{"HooksOfVersion3", BRIDGE_V3, {"--unified"}, std::nullopt, true},
                          {"HooksOfVersion2", BRIDGE_V2, {"--unified"}, std::nullopt, true},
                          {"RingsOfVersion3", BRIDGE_V3, {}, std::nullopt, false},
                          {"RingsOfVersion1", BRIDGE_V1, {}, 8, false}};
    if (const char* library = std::getenv("CUDAQ_BRIDGE_UDP")) {
        all.push_back({"RingsOfCudaQ", library, {}, std::nullopt, false});
        if (Bridge(library, {"--unified"}).plane().form == BridgePlane::Form::Hooks)
            all.push_back({"HooksOfCudaQ", library, {"--unified"}, std::nullopt, true});
    }
    return all;
}

INSTANTIATE_TEST_SUITE_P(Providers, BridgeForms, ::testing::ValuesIn(forms()),
                         [](const auto& form) { return std::string(form.param.name); });

TEST_P(BridgeForms, TheGoldenRequestIsAnsweredByteForByte) {
    const std::vector<u8> request{0x52, 0x51, 0x55, 0x43, 0x22, 0x63, 0x1b, 0x19, 3,    0,    0,    0,    7,   0,
                                  0,    0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00, 0xff, 0x41};
    std::vector<u8> answer{0x53, 0x51, 0x55, 0x43, 0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,
                           7,    0,    0,    0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
    answer.resize(256);
    start();
    RawClient client(port());
    client.send_bytes(request);
    EXPECT_EQ(client.receive().value_or(Reply{}).bytes, answer);
}

TEST_P(BridgeForms, EchoesCarryIdentityAndTimeStampAndNothingOfEarlierAnswers) {
    BridgeBench& bench = start();
    RawClient client(port());
    const std::string longest(256 - wire::kHeaderBytes - wire::kKeyBytes, 'x');
    for (const u32 id : {0u, 1u, 0xffffffffu}) {
        for (const std::string& text : {std::string(), longest, std::string("0123456789")}) {
            const std::vector<u8> payload = qsc::test::echo_payload(bench.grant.key, text);
            const Reply reply = client.call(wire::kEcho, payload, id, ~u64{id});
            EXPECT_EQ(reply.status(), Status::Ok);
            EXPECT_EQ(reply.header.request_id, id);
            EXPECT_EQ(reply.header.ptp_timestamp, ~u64{id});
            EXPECT_EQ(reply.payload(), std::vector<u8>(payload.begin() + 8, payload.end()));
            ASSERT_EQ(reply.bytes.size(), 256u);
            for (std::size_t i = wire::kHeaderBytes + text.size(); i < 256; ++i) ASSERT_EQ(reply.bytes[i], 0u);
        }
    }
    EXPECT_EQ(bench.gateway->accepted(), 1u);
}

TEST_P(BridgeForms, DatapointsInBurstsRoundTheRingAreAnsweredOnce) {
    BridgeBench& bench = start();
    RawClient client(port());
    for (u32 first = 0; first < 3 * 8; first += 8) {
        for (u32 id = first; id < first + 8; ++id) client.send(wire::kInfer, bench.infer(id), id);
        std::set<u32> answered;
        for (int i = 0; i < 8; ++i) {
            const Reply reply = client.receive().value_or(Reply{});
            EXPECT_EQ(reply.status(), Status::Ok);
            EXPECT_EQ(reply.values<double>(), bench.expected(reply.header.request_id));
            answered.insert(reply.header.request_id);
        }
        EXPECT_EQ(answered.size(), 8u);
    }
    EXPECT_EQ(bench.tokens(), 24u);
}

TEST_P(BridgeForms, WhatIsNoRequestStopsNobody) {
    BridgeBench& bench = start();
    RawClient client(port());
    const std::vector<u8> echo = qsc::test::echo_payload(bench.grant.key, "abc");
    std::vector<u8> wrong = RawClient::frame(wire::kEcho, echo, 1);
    wrong[0] ^= 1;
    for (u32 round = 0; round < 20; ++round) {
        client.send_bytes(round % 2 == 0 ? wrong : std::vector<u8>{0x52});
        if (!GetParam().hooks) {  // the ring goes on in order: an empty answer fills the place
            EXPECT_EQ(client.receive().value_or(Reply{}).status(), Status::UnknownFunction);
        }
        const Reply reply = client.call(wire::kEcho, echo, 100 + round);
        EXPECT_EQ(reply.header.request_id, 100 + round);
        EXPECT_EQ(reply.status(), Status::Ok);
    }
    EXPECT_EQ(bench.gateway->counts().dropped, 20u);
}

TEST_P(BridgeForms, WrongRequestsAreAnsweredWithTheReason) {
    BridgeBench& bench = start();
    RawClient client(port());
    std::vector<u8> bytes = RawClient::frame(wire::kEcho, qsc::test::echo_payload(bench.grant.key, "abc"), 5);
    for (const u32 length : {256u - 23, 100'000u, 0xffffffffu}) {
        std::memcpy(bytes.data() + 8, &length, sizeof length);
        client.send_bytes(bytes);
        EXPECT_EQ(client.receive().value_or(Reply{}).status(), Status::BadLength);
    }
    EXPECT_EQ(client.call(wire::kEcho, {}, 6).status(), Status::BadLength);
    EXPECT_EQ(client.call(wire::kEcho, key_payload(bench.grant.key ^ 1), 7).status(), Status::BadKey);
    EXPECT_EQ(client.call(wire::function_id("unheard_of"), key_payload(bench.grant.key), 8).status(),
              Status::UnknownFunction);
    EXPECT_EQ(client.call(wire::kEcho, key_payload(bench.grant.key), 9).status(), Status::Ok);
    EXPECT_EQ(bench.gateway->counts().refused, 6u);
}

TEST_P(BridgeForms, ARepetitionIsExecutedOnceAndBothAreAnswered) {
    qsc::test::ProcessorSettings settings;
    settings.gated = true;
    BridgeBench& bench = start({}, settings);
    RawClient client(port());
    client.send(wire::kInfer, bench.infer(3), 3, 1000);
    bench.record->wait_for_run();
    for (u64 stamp = 1001; stamp < 1004; ++stamp) client.send(wire::kInfer, bench.infer(3), 3, stamp);
    wait_until([&bench] { return bench.gateway->counts().received == 4; });
    bench.record->open_gate();
    std::set<u64> stamps;
    for (int i = 0; i < 4; ++i) {
        const Reply reply = client.receive().value_or(Reply{});
        EXPECT_EQ(reply.values<double>(), bench.expected(3));
        stamps.insert(reply.header.ptp_timestamp);
    }
    EXPECT_EQ(stamps, (std::set<u64>{1000, 1001, 1002, 1003})) << "each with its own time stamp";
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(3), 3).values<double>(), bench.expected(3)) << "from memory";
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(4), 3).status(), Status::IdReused);
    EXPECT_EQ(bench.tokens(), 1u);
    EXPECT_EQ(bench.gateway->counts().repeated, 4u);
}

TEST_P(BridgeForms, ResultsBeyondASlotAreFetched) {
    qsc::test::ProcessorSettings settings;
    settings.outputs = 100;
    BridgeBench& bench = start({}, settings, {4, 1024, 0});  // a port that would hold them
    RawClient client(port());
    const Reply reply = client.call(wire::kInfer, bench.infer(1), 1);
    ASSERT_EQ(reply.status(), Status::ResultInSegment);
    ASSERT_EQ(reply.values<u64>(), (std::vector<u64>{0, 800}));
    std::vector<double> values;
    for (u64 offset = 0; offset < 800; offset += 200) {
        const Reply piece = client.call(wire::kFetch, fetch_payload(bench.grant.key, 1, offset, 200), 1);
        EXPECT_EQ(piece.status(), Status::Ok);
        const std::vector<double> part = piece.values<double>();
        values.insert(values.end(), part.begin(), part.end());
    }
    EXPECT_EQ(values, bench.expected(1));
}

TEST_P(BridgeForms, SessionsFollowOneAnother) {
    BridgeBench& bench = start();
    RawClient client(port());
    const u64 first = bench.grant.key;
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(1), 1).status(), Status::Ok);
    bench.controller->release(bench.grant.session);
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(2), 2).status(), Status::SessionExpired);
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(1), 1).values<double>(), bench.expected(1)) << "still remembered";
    bench.reserve();
    EXPECT_EQ(client.call(wire::kEcho, key_payload(first), 3).status(), Status::BadKey);
    EXPECT_EQ(client.call(wire::kInfer, bench.infer(5), 1).values<double>(), bench.expected(5));
    EXPECT_EQ(bench.tokens(), 1u);
}

TEST_P(BridgeForms, WhatIsUnderWayWhenASessionEndsIsAnswered) {
    qsc::test::ProcessorSettings settings;
    settings.gated = true;
    BridgeBench& bench = start({}, settings);
    RawClient client(port());
    for (u32 id = 0; id < 6; ++id) client.send(wire::kInfer, bench.infer(id), id);
    bench.record->wait_for_run();
    wait_until([&bench] { return bench.gateway->counts().received == 6; });
    std::thread release([&bench] { bench.controller->release(bench.grant.session); });
    bench.record->open_gate();
    for (int i = 0; i < 6; ++i) {
        const Reply reply = client.receive().value_or(Reply{});
        EXPECT_TRUE(reply.status() == Status::Ok || reply.status() == Status::SessionExpired) << reply.header.status;
    }
    release.join();
    EXPECT_GE(bench.tokens(), 1u);
}

TEST_P(BridgeForms, AClientOfThisPackageInfersThroughIt) {
    BridgeBench& bench = start();
    UdpSessionConfig config;
    config.host = "127.0.0.1";
    config.port = port();
    config.key = bench.grant.key;
    config.slots = bench.gateway->slots();
    config.output_size = bench.grant.output_size;
    config.connect_timeout_s = config.stall_limit_s = kPatience_ns * 1e-9;
    UdpSession session(identity(), config);
    constexpr u64 kRows = 200;
    std::vector<double> x;
    for (u64 n = 0; n < kRows; ++n)
        for (const double phase : UdpBench::phases(n)) x.push_back(phase);
    const auto y = std::make_shared<std::vector<double>>(kRows * config.output_size, -1.0);
    qsc::CallOptions options;
    options.deadline_ns = platform::clock_ns() + kPatience_ns;
    const qsc::CallResult result =
        session.client().infer({x.data(), optics::Precision::Float64, kRows, 4 * sizeof(double)},
                               {y->data(), static_cast<i64>(config.output_size * sizeof(double)), y}, options);
    EXPECT_EQ(result.status, CallStatus::Ok);
    for (u64 n = 0; n < kRows; ++n) {
        const std::vector<double> expected = bench.expected(n);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), y->begin() + static_cast<i64>(n * expected.size())));
    }
    EXPECT_EQ(bench.tokens(), kRows);
}

TEST(BridgeGateway, WithoutASessionNothingIsServed) {
    const auto record = std::make_shared<qsc::test::Record>(qsc::test::ProcessorSettings{});
    const auto controller = std::make_shared<qsc::Controller>(std::make_unique<qsc::test::TestProcessor>(record));
    BridgeGateway gateway(controller, options_of(BRIDGE_V2, {"--unified"}));
    RawClient client(port_of(gateway.endpoint()));
    EXPECT_EQ(client.call(wire::kEcho, key_payload(1), 1).status(), Status::NotServing);
    EXPECT_EQ(gateway.accepted(), 0u);
}

TEST(BridgeGateway, RequestsThatFitNoSlotAreRefusedWhenTheSessionIsOpened) {
    BridgeBench bench(options_of(BRIDGE_V2, {"--slot-size=128"}));
    EXPECT_THROW(bench.gateway->open(bench.grant, small_slots(), 129), std::invalid_argument);
    EXPECT_THROW(bench.gateway->open({99, 1, 3, 5}, small_slots(), 128), qsc::UnknownSession);
}

}  // namespace
}  // namespace photonlink::transport::test
