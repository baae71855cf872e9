// The caller and the bare echo of the benchmark, against each other and against a gateway.
#include "photonlink/transport/udp_bench.hpp"

#include "photonlink/link/memory.hpp"
#include "udp_testing.hpp"

namespace photonlink::transport::test {
namespace {

constexpr u64 kRounds = 200;

TEST(UdpPingPong, TheEchoSendsBackWhatCame) {
    const UdpEcho echo(300);
    std::vector<u8> request(300);
    for (std::size_t i = 0; i < request.size(); ++i) request[i] = static_cast<u8>(i);
    const UdpPingPong done = udp_ping_pong("127.0.0.1", echo.port(), request, kRounds);
    EXPECT_EQ(done.round_trips_ns.size(), kRounds);
    const u32 last = kRounds;
    std::memcpy(request.data() + 12, &last, sizeof last);
    EXPECT_EQ(done.answer, request) << "each round has an id of its own, and nothing else changes";
}

TEST(UdpPingPong, AGatewayAnswersInWholeSlots) {
    UdpBench bench;
    const std::vector<u8> payload = qsc::test::echo_payload(bench.grant.key, "0123456789");
    std::vector<u8> request(wire::kHeaderBytes + payload.size());
    wire::write_request(request.data(), wire::kEcho, static_cast<u32>(payload.size()), 0, 0);
    std::memcpy(request.data() + wire::kHeaderBytes, payload.data(), payload.size());
    const UdpPingPong done = udp_ping_pong("127.0.0.1", bench.gateway->port(), request, kRounds);
    EXPECT_EQ(done.round_trips_ns.size(), kRounds);
    Reply reply;
    reply.bytes = done.answer;
    ASSERT_EQ(wire::parse_response(done.answer.data(), done.answer.size(), &reply.header), wire::ParseError::None);
    EXPECT_EQ(reply.status(), wire::Status::Ok);
    EXPECT_EQ(reply.header.request_id, kRounds);
    EXPECT_EQ(reply.payload(), std::vector<u8>(payload.begin() + 8, payload.end()));
    EXPECT_EQ(done.answer.size(), bench.geometry.slot_bytes);
    EXPECT_EQ(bench.gateway->counts().received, kRounds);
}

TEST(UdpPingPong, RefusesWhatIsNoFrameAndAddressesThatAreNone) {
    EXPECT_THROW(udp_ping_pong("127.0.0.1", 9, std::vector<u8>(23), 1), std::invalid_argument);
    EXPECT_THROW(udp_ping_pong("localhost", 9, std::vector<u8>(24), 1), std::invalid_argument);
}

}  // namespace
}  // namespace photonlink::transport::test
