// Measurements say what they saw, also when that is nothing.
#include "bench.hpp"

#include "link_testing.hpp"

namespace photonlink::cuda::test {
namespace {

TEST_F(CudaLink, APingPongIsMeasured) {
    const PingPongReport report = measure_ping_pong(0, 50, kPatience);
    EXPECT_EQ(report.rounds, 50u);
    ASSERT_EQ(report.latencies_ns.size(), 50u);
    double sum = 0;
    for (const double latency : report.latencies_ns) sum += latency;
    EXPECT_GT(sum, 0);
    EXPECT_LE(sum, report.seconds * 1e9 * 1.5);  // the two clocks are read one after the other
    EXPECT_THROW(measure_ping_pong(0, 0, kPatience), std::invalid_argument);
}

TEST_F(CudaLink, EchoesThatNobodyAnswersAreReportedAsSuch) {
    Port port(2, false);
    const auto link = port.open();
    const EchoReport report = measure_echo(*link, 3, 10, 0.01);
    EXPECT_EQ(report.answered, 0u);
    EXPECT_EQ(report.incomplete, 3u);
    EXPECT_EQ(report.ended, static_cast<u32>(CallStatus::Timeout));
    EXPECT_TRUE(report.latencies_ns.empty());
    EXPECT_THROW(measure_echo(*link, 1ULL << 40, 10, 0.01), std::invalid_argument);
}

}  // namespace
}  // namespace photonlink::cuda::test
