// A device port whose other end follows a script: what a host fills when it opens a port, and a server that answers as
// a test says.
#pragma once

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <mutex>

#include "../link/link_testing.hpp"
#include "host_group.hpp"
#include "photonlink/device/batch.hpp"
#include "photonlink/link/memory.hpp"

namespace photonlink::device::test {

using link::testing::kCrowded;
using link::testing::patience;

inline constexpr u64 kMillisecond = 1'000'000;

/// The device's own memory of a port, and the handle that a kernel gets.
class DeviceSide {
  public:
    DeviceSide(const link::Geometry& geometry, void* requests, const void* responses, const EncodingView& encoding,
               u64 key, u64 outputs, u32 result_bytes)
        : states_(geometry.slots) {
        link.version = kLinkVersion;
        link.result_bytes = result_bytes;
        link.port = link::ClientHandle(geometry, requests, responses, states_.data(), nullptr, &words.port);
        link.encoding = encoding;
        link.key = key;
        link.outputs = outputs;
        link.row_timeout_ns = link::testing::kPatienceNs;
        link.words = &words;
        link.latch = &latch;
        link.backoff = kCrowded;
    }
    DeviceSide(const DeviceSide&) = delete;
    DeviceSide& operator=(const DeviceSide&) = delete;

    Words words{};
    Latch latch{};
    Link link{};

  private:
    std::vector<u64> states_;
};

inline constexpr u32 kFeatures = 3;
inline constexpr u32 kPhases = 4;
inline constexpr u64 kKey = 0x1122334455667788ULL;

/// phase 0..2 = feature; phase 3 = 1e300 * feature 2 + 1, which overflows for a large feature.
struct ScriptEncoding {
    std::vector<u32> row_begin{0, 1, 2, 3, 4};
    std::vector<u32> term_feature{0, 1, 2, 2};
    std::vector<double> term_weight{1, 1, 1, 1e300};
    std::vector<double> offset{0, 0, 0, 1};

    EncodingView view() const {
        return {kFeatures, kPhases, row_begin.data(), term_feature.data(), term_weight.data(), offset.data(), false, 0};
    }
};

/// A request as the server found it.
struct Seen {
    wire::RequestHeader header;
    u64 key;
    u64 count;
    double phases[kPhases];
    u64 outputs;
};

inline Seen read_request(const link::ServerHandle& server, u32 slot) {
    Seen seen{};
    const void* const frame = server.request_frame(slot);
    EXPECT_EQ(wire::parse_request(frame, server.geometry().slot_bytes, &seen.header), wire::ParseError::None);
    EXPECT_EQ(seen.header.arg_len, wire::kKeyBytes + wire::kCountBytes + sizeof seen.phases + wire::kCountBytes);
    std::memcpy(&seen.key, wire::payload(frame), sizeof seen - sizeof seen.header);
    return seen;
}

/// What an honest server answers: depends on every phase and on the place, so that a mixed-up answer shows.
inline double observable(const double* phases, u64 k) {
    return phases[0] + 2 * phases[1] + 3 * phases[2] + static_cast<double>(k);
}

/// The result of an honest server in the type that was asked for.
inline std::vector<u8> honest_bytes(const Seen& seen) {
    const bool wide = seen.header.function_id == wire::kInfer;
    std::vector<u8> bytes(seen.outputs * (wide ? sizeof(double) : sizeof(float)));
    for (u64 k = 0; k < seen.outputs; ++k) {
        const double value = observable(seen.phases, k);
        const float narrow = static_cast<float>(value);
        if (wide)
            std::memcpy(bytes.data() + k * sizeof value, &value, sizeof value);
        else
            std::memcpy(bytes.data() + k * sizeof narrow, &narrow, sizeof narrow);
    }
    return bytes;
}

inline void publish(link::ServerHandle& server, const link::Arrival& arrival, const wire::ResponseHeader& header,
                    const void* payload, u64 bytes) {
    u8* const frame = static_cast<u8*>(server.response_frame(arrival.slot));
    std::memcpy(frame, &header, sizeof header);
    if (bytes != 0) std::memcpy(frame + sizeof header, payload, bytes);
    server.publish(arrival.slot, arrival.generation);
}

inline wire::ResponseHeader header_for(const Seen& seen, wire::Status status, u64 length) {
    return {wire::kResponseMagic, static_cast<i32>(status), static_cast<u32>(length), seen.header.request_id, 0};
}

/// In the frame where it fits, else in the slot's result area at `offset`.
inline void answer_honestly(link::ServerHandle& server, const link::Arrival& arrival, u64 offset = 0) {
    const Seen seen = read_request(server, arrival.slot);
    const std::vector<u8> result = honest_bytes(seen);
    if (result.size() <= server.geometry().slot_bytes - wire::kHeaderBytes)
        return publish(server, arrival, header_for(seen, wire::Status::Ok, result.size()), result.data(),
                       result.size());
    u64 capacity = 0;
    u8* const area = static_cast<u8*>(server.result_area(arrival.slot, &capacity));
    ASSERT_LE(offset + result.size(), capacity);
    std::memcpy(area + offset, result.data(), result.size());
    const wire::SegmentRef where{offset, result.size()};
    publish(server, arrival, header_for(seen, wire::Status::ResultInSegment, sizeof where), &where, sizeof where);
}

/// A port with a device on one side; each test puts a server on the other.
class Scripted {
  public:
    explicit Scripted(u32 slots, u64 outputs = 5, u32 result_bytes = sizeof(double), u64 area_bytes = 0)
        : memory_(link::Geometry{slots, 128, area_bytes}),
          side(memory_.geometry(), memory_.requests(), memory_.responses(), encoding_.view(), kKey, outputs,
               result_bytes) {}

    const Link& link() const { return side.link; }
    link::ServerHandle server() const { return memory_.server(); }
    /// Slots that are not free once abandoned ones with an answer are back.
    u32 slots_in_use() const {
        side.link.port.reap();
        return side.link.port.in_use();
    }

  private:
    ScriptEncoding encoding_;
    link::DevicePortMemory memory_;

  public:
    DeviceSide side;
};

using Serve = std::function<void(link::ServerHandle&, const link::Arrival&)>;

/// Answers each request by `serve` as it arrives, on a thread of its own, until destroyed.
class Server {
  public:
    Server(const Scripted& port, Serve serve)
        : thread_(port.server(),
                  [serve = std::move(serve)](link::ServerHandle& server, const std::vector<link::Arrival>& arrivals) {
                      for (const link::Arrival& arrival : arrivals) serve(server, arrival);
                  }) {}

  private:
    link::testing::ServerThread thread_;
};

inline void honest(link::ServerHandle& server, const link::Arrival& arrival) { answer_honestly(server, arrival); }

/// `rows` random feature rows, `stride` values apart; what lies between is NaN, so that reading it shows.
template <class Real>
std::vector<Real> random_features(u64 rows, i64 stride, u64 seed) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<Real> uniform(-3, 3);
    std::vector<Real> x(rows * static_cast<u64>(stride), std::numeric_limits<Real>::quiet_NaN());
    for (u64 row = 0; row < rows; ++row)
        for (u32 column = 0; column < kFeatures; ++column) x[row * static_cast<u64>(stride) + column] = uniform(random);
    return x;
}

/// What an honest server's answer to these features is, bit for bit.
template <class Out, class Real>
std::vector<Out> honest_row(const Real* features, u64 outputs) {
    const double phases[3] = {features[0], features[1], features[2]};
    std::vector<Out> y;
    for (u64 k = 0; k < outputs; ++k) y.push_back(static_cast<Out>(observable(phases, k)));
    return y;
}

template <class Out>
bool same_bits(const Out* a, const Out* b, u64 count) {
    return std::memcmp(a, b, count * sizeof(Out)) == 0;
}

}  // namespace photonlink::device::test
