// Reports of datapoints, whole and broken.
#include "client_bench.hpp"

namespace photonlink::qsc {
namespace {

void answer_report(link::ServerHandle& server, const link::Arrival& arrival, u32 distinct, u32 observables, u32 extra) {
    const Seen seen = read(server, arrival);
    std::vector<u8> bytes(wire::report_bytes(observables, distinct) + extra);
    const wire::ReportHeader header{0.5, 1234, 2, 10, observables, distinct};
    platform::copy_bytes(bytes.data(), &header, sizeof header);
    for (u64 k = 0; k < 2 * u64{observables}; ++k) {
        const double value = observable(seen.phases.data(), k);
        platform::copy_bytes(bytes.data() + sizeof header + k * 8, &value, 8);
    }
    for (u32 i = 0; i < 2 * distinct; ++i)
        platform::copy_bytes(bytes.data() + sizeof header + observables * 16 + i * 4, &i, 4);
    void* frame = server.response_frame(arrival.slot);
    const u64 room = server.geometry().slot_bytes - wire::kHeaderBytes;
    platform::copy_bytes(wire::payload(frame), bytes.data(), std::min<u64>(bytes.size(), room));
    wire::write_response(frame, seen.header, wire::Status::Ok, static_cast<u32>(bytes.size()));
    server.publish(arrival.slot, arrival.generation);
}

CallResult report(Bench& bench, u64 rows, Reports* reports, std::vector<double>* y) {
    const std::vector<double> x = bench.features(rows);
    y->assign(rows * bench.output_size, 0);
    const Features features{x.data(), optics::Precision::Float64, rows, kPhases * sizeof(double)};
    return bench.client->report(features, {y->data(), static_cast<i64>(bench.output_size * 8), nullptr}, reports, {});
}

TEST(Client, ReportsBringCountsOfDifferentLength) {
    u32 seen = 0;
    Bench bench(4);
    bench.serve([&](link::ServerHandle& server, const link::Arrival& arrival) {
        answer_report(server, arrival, seen++ % 3, 4, 0);
    });
    Reports reports;
    std::vector<double> errors(6 * 4);
    std::vector<i64> quantum(6);
    reports.standard_errors = errors.data();
    reports.quantum_ns = quantum.data();
    std::vector<double> y;
    ASSERT_EQ(report(bench, 6, &reports, &y).status, CallStatus::Ok);
    EXPECT_EQ(y, bench.expected(bench.features(6)));
    EXPECT_EQ(errors[0], y[0] + 4);
    EXPECT_EQ(quantum, std::vector<i64>(6, 1234));
    EXPECT_EQ(reports.row_begin.size(), 7u);
    EXPECT_EQ(reports.row_begin.back(), 6u);
    EXPECT_EQ(reports.counts.size(), 6u);
}

TEST(Client, BrokenReportsAreProtocolErrors) {
    const u32 bad[][3] = {{9, 4, 0}, {1, 5, 0}, {1, 3, 0}, {1, 4, 8}, {0xFFFFFF, 4, 0}};
    for (const auto& [distinct, observables, extra] : bad) {
        Bench bench(2);
        bench.serve(
            [d = distinct, o = observables, e = extra](link::ServerHandle& server, const link::Arrival& arrival) {
                answer_report(server, arrival, d, o, e);
            });
        Reports reports;
        std::vector<double> y;
        EXPECT_EQ(report(bench, 1, &reports, &y).status, CallStatus::ProtocolError);
    }
}

}  // namespace
}  // namespace photonlink::qsc
