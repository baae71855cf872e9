// A session's client over UDP, with features that are the phases themselves.
#pragma once

#include "photonlink/transport/udp_session.hpp"
#include "udp_testing.hpp"

namespace photonlink::transport::test {

constexpr u64 kSecond = 1'000'000'000;

inline std::shared_ptr<const Encoding> identity() {
    return std::make_shared<Encoding>(4, std::vector<u32>{0, 1, 2, 3, 4}, std::vector<u32>{0, 1, 2, 3},
                                      std::vector<double>(4, 1.0), std::vector<double>(4, 0.0), false);
}

inline UdpSessionConfig config_of(const UdpBench& bench, u16 port) {
    UdpSessionConfig config;
    config.host = "127.0.0.1";
    config.connect_timeout_s = config.stall_limit_s = kPatience_ns * 1e-9;  // tests that mean them set their own
    config.port = port;
    if (bench.tag_key)
        config.tag_key = bench.tag_key;
    else
        config.key = bench.grant.key;
    config.slots = bench.geometry.slots;
    config.output_size = bench.grant.output_size;
    return config;
}

class UdpCaller {
  public:
    UdpCaller(const UdpBench& bench, const UdpSessionConfig& config) : bench_(bench), session_(identity(), config) {}
    explicit UdpCaller(const UdpBench& bench) : UdpCaller(bench, config_of(bench, bench.gateway->port())) {}

    /// Sends datapoints first..first+rows and compares what comes with what must come.
    qsc::CallResult infer(u64 first, u64 rows, u64 patience_ns = kPatience_ns) {
        const u64 outputs = session_.output_size();
        std::vector<double> x;
        for (u64 n = first; n < first + rows; ++n)
            for (const double phase : UdpBench::phases(n)) x.push_back(phase);
        const auto y = std::make_shared<std::vector<double>>(rows * outputs, -1.0);
        qsc::CallOptions options;
        options.deadline_ns = platform::clock_ns() + patience_ns;
        const qsc::CallResult result =
            session_.client().infer({x.data(), optics::Precision::Float64, rows, 4 * sizeof(double)},
                                    {y->data(), static_cast<i64>(outputs * sizeof(double)), y}, options);
        for (u64 row = 0; row < result.row; ++row) {
            const std::vector<double> expected = bench_.expected(first + row);
            EXPECT_TRUE(std::equal(expected.begin(), expected.end(), y->begin() + static_cast<i64>(row * outputs)))
                << "datapoint " << first + row;
        }
        return result;
    }

    UdpSession& session() { return session_; }

  private:
    const UdpBench& bench_;
    UdpSession session_;
};

}  // namespace photonlink::transport::test
