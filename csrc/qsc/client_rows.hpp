// A caller's datapoints on their way into request frames, and the rows and memory that results go to.
#pragma once

#include <algorithm>
#include <memory>

#include "photonlink/qsc/client.hpp"
#include "photonlink/wire/functions.hpp"

namespace photonlink::qsc {

/// Row `row` of the caller's features.
template <class Real>
const Real* feature_row(const Features& features, u64 row) {
    const auto* bytes = static_cast<const u8*>(features.data);
    return reinterpret_cast<const Real*>(bytes + static_cast<i64>(row) * features.row_stride);
}

/// Phases of consecutive datapoints in a request frame, behind key and count.
class PhaseWriter {
  public:
    PhaseWriter(const ClientConfig& config, const Features& features) : config_(config), features_(features) {}

    void write(u64 row, u32 rows, u32 function, u32 arg_len, u32 request_id, void* frame) const {
        wire::write_request(frame, function, arg_len, request_id, 0);
        u8* payload = static_cast<u8*>(wire::payload(frame));
        const u64 count = u64{rows} * config_.encoding.phases;
        platform::copy_bytes(payload, &config_.key, wire::kKeyBytes);
        platform::copy_bytes(payload + wire::kKeyBytes, &count, wire::kCountBytes);
        u8* phases = payload + wire::kKeyBytes + wire::kCountBytes;
        for (const u64 end = row + rows; row < end; ++row)
            phases = features_.type == optics::Precision::Float64 ? encode(feature_row<double>(features_, row), phases)
                                                                  : encode(feature_row<float>(features_, row), phases);
    }

  private:
    /// Returns the end of what it wrote.
    template <class Real>
    u8* encode(const Real* values, u8* phases) const {
        for (u32 p = 0; p < config_.encoding.phases; ++p, phases += sizeof(double)) {
            const double phase = encode_phase(config_.encoding, values, p);
            platform::copy_bytes(phases, &phase, sizeof phase);
        }
        return phases;
    }

    const ClientConfig& config_;
    const Features& features_;
};

inline void* output_row(const Output& out, u64 row) {
    return static_cast<u8*>(out.data) + static_cast<i64>(row) * out.row_stride;
}

/// The float64 observables of a report into one row of the session's precision.
inline void store_row(const ClientConfig& config, const void* values, void* row) {
    if (config.precision == optics::Precision::Float64) {
        platform::copy_bytes(row, values, config.output_size * sizeof(double));
        return;
    }
    const auto* from = static_cast<const u8*>(values);
    auto* to = static_cast<float*>(row);
    for (u64 i = 0; i < config.output_size; ++i) {
        double value;
        platform::copy_bytes(&value, from + i * sizeof value, sizeof value);
        to[i] = static_cast<float>(value);  // exact: it was a float before it was put on the wire
    }
}

/// Memory for results that fit no frame, one piece per datapoint in flight.
class Staging {
  public:
    /// Most datapoints that may be in flight with `bytes` each: so much memory at most, but one always.
    static u32 limit(u32 in_flight, u64 bytes) {
        constexpr u64 kMostBytes = u64{256} << 20;
        return static_cast<u32>(std::clamp<u64>(kMostBytes / std::max<u64>(bytes, 1), 1, in_flight));
    }

    void allocate(u32 pieces, u64 bytes) {
        piece_bytes_ = link::round_up(bytes, sizeof(u64));
        pieces_ = pieces;
        memory_.reset(new u64[pieces * piece_bytes_ / sizeof(u64)], std::default_delete<u64[]>());
    }
    link::Sink piece(u64 row) const {
        if (!memory_) return {nullptr, 0};
        return {memory_.get() + row % pieces_ * (piece_bytes_ / sizeof(u64)), piece_bytes_};
    }
    std::shared_ptr<void> memory() const { return memory_; }

  private:
    std::shared_ptr<u64> memory_;
    u64 piece_bytes_ = 0;
    u32 pieces_ = 1;
};

}  // namespace photonlink::qsc
