// A session client and a server thread that answers by a script.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "photonlink/link/memory.hpp"
#include "photonlink/qsc/client.hpp"
#include "photonlink/wire/functions.hpp"

namespace photonlink::qsc {

constexpr u64 kKey = 0x1122334455667788ULL;
constexpr u64 kFirstId = 0xFFFFFFF0ULL;  // the low half wraps within the first rows
constexpr u32 kPhases = 3;
constexpr u64 kSecond = 1'000'000'000;

/// phase p = 2 * feature p + p
struct TestEncoding {
    std::vector<u32> row_begin{0, 1, 2, 3};
    std::vector<u32> term_feature{0, 1, 2};
    std::vector<double> term_weight{2, 2, 2};
    std::vector<double> offset{0, 1, 2};

    EncodingView view() const {
        return {kPhases, kPhases, row_begin.data(), term_feature.data(), term_weight.data(), offset.data(), false, 0};
    }
};

/// What an honest server makes of the phases: observable k = sum of phases + k.
inline double observable(const double* phases, u64 k) {
    return phases[0] + phases[1] + phases[2] + static_cast<double>(k);
}

struct Bench {
    explicit Bench(u32 slots, u64 outputs = 4, optics::Precision precision = optics::Precision::Float64,
                   u32 request_rows = 1)
        : output_size(outputs) {
        config.key = kKey;
        config.first_id = kFirstId;
        config.output_size = outputs;
        config.max_counts = 8;
        config.most_request_rows = request_rows;
        config.precision = precision;
        config.encoding = encoding.view();
        port = std::make_unique<link::InProcessPort>(client_geometry(config, slots));
        client = std::make_unique<SessionClient>(port->client(), config, nullptr);
        server = std::make_unique<link::ServerHandle>(port->server());
    }
    ~Bench() { stop_server(); }

    using Script = std::function<void(link::ServerHandle&, const link::Arrival&)>;

    /// Answers each request by `script`, in a thread of its own, until the bench ends: what the script writes to is
    /// declared before the bench. The script sees requests in the order in which one thread submitted them; a single
    /// pass over the slots would not keep it.
    void serve(Script script) {
        running = true;
        thread = std::thread([this, script = std::move(script)] {
            std::vector<link::Arrival> arrivals(server->geometry().slots);
            while (running) {
                const u32 found = server->poll_all(arrivals.data());
                std::sort(arrivals.begin(), arrivals.begin() + found,
                          [this](const auto& a, const auto& b) { return ids_before(a) < ids_before(b); });
                for (u32 i = 0; i < found; ++i) script(*server, arrivals[i]);
                if (found == 0) platform::yield();
            }
        });
    }
    void stop_server() {
        running = false;
        if (thread.joinable()) thread.join();
    }

    std::vector<double> features(u64 rows) const {
        std::vector<double> x(rows * kPhases);
        for (u64 i = 0; i < x.size(); ++i) x[i] = 0.25 * static_cast<double>(i);
        return x;
    }
    std::vector<double> expected(const std::vector<double>& x) const {
        std::vector<double> y;
        for (u64 row = 0; row * kPhases < x.size(); ++row) {
            double phases[kPhases];
            for (u32 p = 0; p < kPhases; ++p) phases[p] = 2 * x[row * kPhases + p] + p;
            for (u64 k = 0; k < output_size; ++k) y.push_back(observable(phases, k));
        }
        return y;
    }
    CallResult infer(const std::vector<double>& x, std::vector<double>* y, const CallOptions& options = {}) {
        y->assign(x.size() / kPhases * output_size, std::nan(""));
        const Features rows{x.data(), optics::Precision::Float64, x.size() / kPhases, kPhases * sizeof(double)};
        return client->infer(rows, {y->data(), static_cast<i64>(output_size * sizeof(double)), nullptr}, options);
    }

    /// How many ids the client gave out before that of this request.
    u32 ids_before(const link::Arrival& arrival) const {
        wire::RequestHeader header{};
        const void* frame = server->request_frame(arrival.slot);
        EXPECT_EQ(wire::parse_request(frame, server->geometry().slot_bytes, &header), wire::ParseError::None);
        return header.request_id - static_cast<u32>(kFirstId);
    }

    TestEncoding encoding;
    ClientConfig config;
    u64 output_size;
    std::unique_ptr<link::InProcessPort> port;
    std::unique_ptr<SessionClient> client;
    std::unique_ptr<link::ServerHandle> server;
    std::atomic<bool> running{false};
    std::thread thread;
};

struct Seen {
    wire::RequestHeader header;
    u64 key;
    u64 count;
    std::vector<double> phases;  // of all rows
    u64 outputs;
};

inline Seen read(link::ServerHandle& server, const link::Arrival& arrival) {
    Seen seen{};
    const void* frame = server.request_frame(arrival.slot);
    EXPECT_EQ(wire::parse_request(frame, server.geometry().slot_bytes, &seen.header), wire::ParseError::None);
    const auto* payload = static_cast<const u8*>(wire::payload(frame));
    platform::copy_bytes(&seen.key, payload, 8);
    platform::copy_bytes(&seen.count, payload + 8, 8);
    seen.phases.resize(seen.count);
    platform::copy_bytes(seen.phases.data(), payload + 16, seen.count * sizeof(double));
    platform::copy_bytes(&seen.outputs, payload + seen.header.arg_len - 8, 8);
    return seen;
}

/// The honest answer in the precision asked for, `outputs` for each row; where it goes depends on its size, as in the
/// dispatcher.
template <class Real>
void answer_in(link::ServerHandle& server, const link::Arrival& arrival, const Seen& seen, u64 outputs) {
    void* frame = server.response_frame(arrival.slot);
    auto* payload = static_cast<u8*>(wire::payload(frame));
    const u64 bytes = seen.count / kPhases * outputs * sizeof(Real);
    const bool fits = bytes <= server.geometry().slot_bytes - wire::kHeaderBytes;
    u64 capacity = 0;
    auto* target = fits ? payload : static_cast<u8*>(server.result_area(arrival.slot, &capacity));
    for (u64 i = 0; i * sizeof(Real) < bytes; ++i) {
        const Real value = static_cast<Real>(observable(seen.phases.data() + i / outputs * kPhases, i % outputs));
        platform::copy_bytes(target + i * sizeof value, &value, sizeof value);
    }
    if (fits) {
        wire::write_response(frame, seen.header, wire::Status::Ok, static_cast<u32>(bytes));
    } else {
        ASSERT_GE(capacity, bytes);
        const wire::SegmentRef where{0, bytes};
        platform::copy_bytes(payload, &where, sizeof where);
        wire::write_response(frame, seen.header, wire::Status::ResultInSegment, sizeof where);
    }
    server.publish(arrival.slot, arrival.generation);
}

inline void answer(link::ServerHandle& server, const link::Arrival& arrival, u64 outputs) {
    const Seen seen = read(server, arrival);
    if (seen.header.function_id == wire::kInferMixed || seen.header.function_id == wire::kInferRowsMixed)
        answer_in<float>(server, arrival, seen, outputs);
    else
        answer_in<double>(server, arrival, seen, outputs);
}

}  // namespace photonlink::qsc
