// Sessions over a network that loses, doubles, delays and cuts datagrams: every result correct, every datapoint
// executed once by the ledger.
#include "udp_caller.hpp"
#include "udp_relay.hpp"

namespace photonlink::transport::test {
namespace {

using qsc::CallStatus;

struct Network {
    const char* name;
    Faults faults;
};

class UdpFaults : public testing::TestWithParam<Network> {};

TEST_P(UdpFaults, EveryDatapointIsExecutedOnceAndItsResultArrives) {
    UdpBench bench;
    Relay relay(bench.gateway->port(), GetParam().faults, 7);
    UdpCaller caller(bench, config_of(bench, relay.port()));
    EXPECT_EQ(caller.infer(0, 500).status, CallStatus::Ok);
    EXPECT_EQ(caller.infer(500, 7).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 507u);
    EXPECT_EQ(bench.record->ids().size(), 507u);
    EXPECT_EQ(bench.gateway->accepted(), 1u);
    EXPECT_GT(relay.disturbed(), 0u);
}

TEST_P(UdpFaults, LargeResultsArriveWhole) {
    qsc::test::ProcessorSettings settings;
    settings.outputs = 2000;
    UdpBench bench(settings, {}, {4, 1024, 16'000});
    Relay relay(bench.gateway->port(), GetParam().faults, 8);
    UdpCaller caller(bench, config_of(bench, relay.port()));
    EXPECT_EQ(caller.infer(0, 20).status, CallStatus::Ok);
    EXPECT_EQ(bench.tokens(), 20u);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, UdpFaults,
    testing::Values(Network{"Loses5Percent", {0.05, 0, 0, 0}}, Network{"Loses20Percent", {0.2, 0, 0, 0}},
                    Network{"Doubles20Percent", {0, 0.2, 0, 0}}, Network{"Delays20Percent", {0, 0, 0.2, 0}},
                    Network{"Cuts10Percent", {0, 0, 0, 0.1}}, Network{"DoesAllOfIt", {0.1, 0.1, 0.1, 0.05}}),
    [](const testing::TestParamInfo<Network>& network) { return network.param.name; });

TEST(UdpFaultsOfTheProcessor, AreTheOnesOfTheirDatapoint) {
    qsc::test::ProcessorSettings settings;
    settings.fail_ids = {3};
    UdpBench bench(settings);
    Relay relay(bench.gateway->port(), {0.2, 0.1, 0, 0}, 9);
    UdpCaller caller(bench, config_of(bench, relay.port()));
    const qsc::CallResult result = caller.infer(0, 5);
    EXPECT_EQ(result.status, CallStatus::Refused);
    EXPECT_EQ(result.row, 3u);
    EXPECT_EQ(result.wire_status, static_cast<i32>(wire::Status::ProcessorFailed));
}

}  // namespace
}  // namespace photonlink::transport::test
