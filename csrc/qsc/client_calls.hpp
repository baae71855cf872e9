// What a call writes into a request frame and makes of the answer. How the datapoints get there is client_flight.hpp.
#pragma once

#include <algorithm>

#include "client_rows.hpp"

namespace photonlink::qsc {

class ClientCall {
  public:
    virtual ~ClientCall() = default;

    /// How `rows` datapoints travel.
    struct Pace {
        u32 rows;      // per request
        u32 requests;  // in flight, at most
    };
    /// The pace with at most `in_flight` requests at a time, given what results need of the caller's memory.
    virtual Pace prepare(u64 /*rows*/, u32 in_flight, u64 /*frame_payload*/) { return {1, in_flight}; }
    /// Writes the request whose first datapoint is `row`, and says where a large result may go.
    virtual void write(u64 row, u32 request_id, void* frame, link::Sink* sink) = 0;
    /// Takes its result of `length` bytes; false if that is not what was asked for.
    virtual bool take(u64 row, const void* result, u64 length) = 0;
    /// Memory that given-up requests may still be answered into; null if there is none.
    virtual std::shared_ptr<void> lent_memory() const { return nullptr; }
    /// Ids that its datapoints take.
    virtual u64 ids(u64 rows) const { return rows; }
};

/// Phases are float64 on the wire in both precisions: a float32 session computes in float32, but rounding its phases
/// too would double its error. Results have the session's precision, so that they lie in memory once.
class InferCall : public ClientCall {
  public:
    InferCall(const ClientConfig& config, const Features& features, const Output& out)
        : config_(config),
          writer_(config, features),
          out_(out),
          is_double_(config.precision == optics::Precision::Float64),
          bytes_(config.output_size * (is_double_ ? sizeof(double) : sizeof(float))) {}

    Pace prepare(u64 rows, u32 in_flight, u64 frame_payload) override {
        constexpr u32 kRequestsInFlight = 4;  // one is written and one read while others are computed
        const bool contiguous = out_.row_stride == static_cast<i64>(bytes_);
        rows_ = rows;
        most_rows_ = contiguous ? std::clamp(in_flight / kRequestsInFlight, 1u, rows_per_request(config_)) : 1;
        in_place_ = most_rows_ * bytes_ > frame_payload;
        return {most_rows_, in_flight};
    }

    void write(u64 row, u32 request_id, void* frame, link::Sink* sink) override {
        const u32 rows = rows_from(row);
        const u32 arg_len = wire::infer_arg_len(rows * config_.encoding.phases, sizeof(double));
        writer_.write(row, rows, function(rows), arg_len, request_id, frame);
        u8* count = static_cast<u8*>(wire::payload(frame)) + arg_len - wire::kCountBytes;
        const u64 outputs = rows * config_.output_size;
        platform::copy_bytes(count, &outputs, wire::kCountBytes);
        *sink = in_place_ ? link::Sink{output_row(out_, row), rows * bytes_} : link::Sink{nullptr, 0};
    }

    bool take(u64 row, const void* result, u64 length) override {
        const u64 bytes = rows_from(row) * bytes_;
        if (length != bytes) return false;
        void* target = output_row(out_, row);
        if (result != target && bytes != 0) platform::copy_bytes(target, result, bytes);
        return true;
    }

    std::shared_ptr<void> lent_memory() const override { return in_place_ ? out_.owner : nullptr; }

  private:
    u32 rows_from(u64 row) const { return static_cast<u32>(std::min<u64>(most_rows_, rows_ - row)); }
    u32 function(u32 rows) const {
        if (rows == 1) return is_double_ ? wire::kInfer : wire::kInferMixed;
        return is_double_ ? wire::kInferRows : wire::kInferRowsMixed;
    }

    const ClientConfig& config_;
    const PhaseWriter writer_;
    const Output& out_;
    const bool is_double_;
    const u64 bytes_;  // of one row
    u64 rows_ = 0;
    u32 most_rows_ = 1;      // in a request
    bool in_place_ = false;  // an in-process server writes large results straight into the caller's rows
};

class ReportCall : public ClientCall {
  public:
    ReportCall(const ClientConfig& config, const Features& features, const Output& out, Reports* reports)
        : config_(config),
          writer_(config, features),
          out_(out),
          reports_(*reports),
          most_bytes_(wire::report_bytes(config.output_size, config.max_counts)) {}

    Pace prepare(u64 /*rows*/, u32 in_flight, u64 frame_payload) override {
        if (most_bytes_ <= frame_payload) return {1, in_flight};
        in_flight = Staging::limit(in_flight, most_bytes_);
        staging_.allocate(in_flight, most_bytes_);
        return {1, in_flight};
    }

    void write(u64 row, u32 request_id, void* frame, link::Sink* sink) override {
        writer_.write(row, 1, wire::kReport, wire::report_arg_len(config_.encoding.phases), request_id, frame);
        *sink = staging_.piece(row);
    }

    bool take(u64 row, const void* result, u64 length) override;

    std::shared_ptr<void> lent_memory() const override { return staging_.memory(); }

  private:
    const ClientConfig& config_;
    const PhaseWriter writer_;
    const Output& out_;
    Reports& reports_;
    const u64 most_bytes_;
    Staging staging_;
};

/// Echo of arg_len 32: key, and a sequence of 16 bytes.
class EchoCall : public ClientCall {
  public:
    EchoCall(u64 key, u64* latencies_ns) : key_(key), latencies_ns_(latencies_ns) {}

    void write(u64 row, u32 request_id, void* frame, link::Sink*) override {
        sent_ns_ = platform::clock_ns();
        const u64 words[] = {key_, 2 * sizeof(u64), row, ~row};
        wire::write_request(frame, wire::kEcho, sizeof words, request_id, 0);
        platform::copy_bytes(wire::payload(frame), words, sizeof words);
    }

    bool take(u64 row, const void* result, u64 length) override {
        latencies_ns_[row] = platform::clock_ns() - sent_ns_;
        u64 words[3];
        if (length != sizeof words) return false;
        platform::copy_bytes(words, result, sizeof words);
        return words[0] == 2 * sizeof(u64) && words[1] == row && words[2] == ~row;
    }

    u64 ids(u64 /*rows*/) const override { return 0; }

  private:
    const u64 key_;
    u64* latencies_ns_;
    u64 sent_ns_ = 0;
};

/// Key, and arguments that the caller encoded.
class RawCall : public ClientCall {
  public:
    RawCall(const ClientConfig& config, RawRequest& request) : config_(config), request_(request) {}

    Pace prepare(u64 /*rows*/, u32 in_flight, u64 frame_payload) override {
        if (request_.capacity > frame_payload) staging_.allocate(1, request_.capacity);
        return {1, in_flight};
    }

    void write(u64 row, u32 request_id, void* frame, link::Sink* sink) override {
        *sink = staging_.piece(row);
        const u64 arg_len = wire::kKeyBytes + request_.arg_bytes;
        wire::write_request(frame, request_.function_id, static_cast<u32>(arg_len), request_id, 0);
        u8* payload = static_cast<u8*>(wire::payload(frame));
        platform::copy_bytes(payload, &config_.key, wire::kKeyBytes);
        if (request_.arg_bytes != 0) platform::copy_bytes(payload + wire::kKeyBytes, request_.args, request_.arg_bytes);
    }

    bool take(u64 /*row*/, const void* result, u64 length) override {
        request_.result_bytes = length;
        if (length != 0 && length <= request_.capacity) platform::copy_bytes(request_.result, result, length);
        return true;
    }

    std::shared_ptr<void> lent_memory() const override { return staging_.memory(); }
    u64 ids(u64 rows) const override {
        if (!wire::is_datapoint(request_.function_id)) return 0;
        const u64 row_bytes = config_.encoding.phases * sizeof(double);
        if (!wire::takes_rows(request_.function_id) || row_bytes == 0) return rows;
        return std::max<u64>(1, request_.arg_bytes / row_bytes);  // counts take bytes too: at least as many as rows
    }

  private:
    const ClientConfig& config_;
    RawRequest& request_;
    Staging staging_;
};

inline bool ReportCall::take(u64 row, const void* result, u64 length) {
    wire::ReportHeader header;
    if (length < sizeof header) return false;
    platform::copy_bytes(&header, result, sizeof header);
    if (header.observables != config_.output_size || header.distinct > config_.max_counts) return false;
    if (length != wire::report_bytes(header.observables, header.distinct)) return false;

    const u64 values = config_.output_size * sizeof(double);
    const u8* bytes = static_cast<const u8*>(result) + sizeof header;
    if (values != 0) store_row(config_, bytes, output_row(out_, row));
    if (reports_.standard_errors != nullptr && values != 0)
        platform::copy_bytes(reports_.standard_errors + row * config_.output_size, bytes + values, values);
    if (reports_.kept_fraction != nullptr) reports_.kept_fraction[row] = header.kept_fraction;
    if (reports_.quantum_ns != nullptr) reports_.quantum_ns[row] = header.quantum_ns;
    if (reports_.changed_phases != nullptr) reports_.changed_phases[row] = header.changed_phases;

    const u64 before = reports_.counts.size();
    const u64 column = u64{header.distinct} * sizeof(u32);
    reports_.state_index.resize(before + header.distinct);
    reports_.counts.resize(before + header.distinct);
    if (column != 0) {
        platform::copy_bytes(reports_.state_index.data() + before, bytes + 2 * values, column);
        platform::copy_bytes(reports_.counts.data() + before, bytes + 2 * values + column, column);
    }
    reports_.row_begin.push_back(before + header.distinct);
    return true;
}

}  // namespace photonlink::qsc
