// Equipment of the controller's tests: a processor whose results are known in closed form and which can be told to
// wait, to fail and to die, and a caller that writes frames byte by byte, independent of the session client.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <set>
#include <thread>

#include "photonlink/link/memory.hpp"
#include "photonlink/qsc/attachment.hpp"
#include "photonlink/qsc/controller.hpp"
#include "photonlink/wire/functions.hpp"
#include "waiting.hpp"

namespace photonlink::qsc::test {

/// Observable `i` of a datapoint; sampled results also depend on seed and id.
inline double expected_value(const double* phases, std::size_t count, std::size_t i, u32 shots, u64 seed, u64 id) {
    double sum = static_cast<double>(i + 1) * 0.25;
    for (std::size_t p = 0; p < count; ++p) sum += phases[p] * static_cast<double>(p + i + 1);
    if (shots != 0) sum += static_cast<double>((id * 2654435761u + seed * 40503u) % 1009u) / 1009.0;
    return sum;
}

struct ProcessorSettings {
    std::size_t outputs = 3;
    std::size_t basis = 5;
    std::size_t max_batch = 1;
    double datapoint_ns = 0;
    bool supports_exact = true;
    double kept_fraction = 0.5;
    bool gated = false;                  // every run waits for open_gate()
    std::set<u64> fail_ids;              // run throws std::runtime_error when one of these is in the batch
    std::optional<u64> fatal_id;         // likewise ProcessorFatal
    std::optional<u64> alien_id;         // likewise something that is no std::exception
    bool wrong_report = false;           // reports one observable too many
    std::function<void()> on_configure;  // may throw
};

/// What a processor saw; outlives the controller that owns the processor.
class Record {
  public:
    explicit Record(ProcessorSettings chosen) : settings(std::move(chosen)), gate_open_(!settings.gated) {}

    std::vector<u64> ids() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return ids_;
    }
    std::vector<std::size_t> batches() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return batches_;
    }
    void open_gate() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            gate_open_ = true;
        }
        changed_.notify_all();
    }
    /// Until a run has begun (and stands at the gate).
    void wait_for_run() {
        std::unique_lock<std::mutex> lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, std::chrono::nanoseconds(kPatience_ns), [this] { return !ids_.empty(); }));
    }
    void begin(const optics::SimulationBatch& batch) {
        std::unique_lock<std::mutex> lock(mutex_);
        ids_.insert(ids_.end(), batch.ids, batch.ids + batch.rows);
        batches_.push_back(batch.rows);
        changed_.notify_all();
        changed_.wait(lock, [this] { return gate_open_; });
    }

    const ProcessorSettings settings;

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<u64> ids_;
    std::vector<std::size_t> batches_;
    bool gate_open_;
};

class TestProcessor : public Processor {
  public:
    explicit TestProcessor(std::shared_ptr<Record> record) : record_(std::move(record)) {}

    ProcessorInfo info() const override {
        ProcessorInfo info;
        info.name = "test";
        info.supports_exact = record_->settings.supports_exact;
        info.max_batch = record_->settings.max_batch;
        info.datapoint_ns = record_->settings.datapoint_ns;
        return info;
    }
    void configure(std::shared_ptr<const optics::ProgramSpec> spec, const RunOptions& options) override {
        if (record_->settings.on_configure) record_->settings.on_configure();
        spec_ = std::move(spec);
        options_ = options;
    }
    std::size_t output_size() const override { return record_->settings.outputs; }
    std::size_t basis_size() const override { return record_->settings.basis; }

    void run(const optics::SimulationBatch& batch) override {
        EXPECT_EQ(batch.seed, options_.seed);
        EXPECT_EQ(batch.shots, options_.shots);
        EXPECT_LE(batch.rows, record_->settings.max_batch);
        record_->begin(batch);
        for (std::size_t row = 0; row < batch.rows; ++row) throw_if_asked(batch.ids[row]);
        for (std::size_t row = 0; row < batch.rows; ++row) fill(batch, row);
    }

  private:
    void throw_if_asked(u64 id) const {
        const ProcessorSettings& settings = record_->settings;
        if (settings.fail_ids.count(id) != 0) throw std::runtime_error("laser unlocked at " + std::to_string(id));
        if (settings.fatal_id == id) throw ProcessorFatal("cryostat warm");
        if (settings.alien_id == id) throw 42;
    }
    void fill(const optics::SimulationBatch& batch, std::size_t row) const {
        const ProcessorSettings& settings = record_->settings;
        const std::size_t count = spec_->phases.size();
        std::vector<double> values(settings.outputs);
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = expected_value(batch.phases + row * count, count, i, batch.shots, batch.seed, batch.ids[row]);
        if (void* target = batch.observables[row]) store(target, values);
        if (batch.kept_fractions != nullptr) batch.kept_fractions[row] = settings.kept_fraction;
        if (batch.reports != nullptr) batch.reports[row] = report(values, batch.shots);
    }
    void store(void* target, const std::vector<double>& values) const {
        if (options_.precision == optics::Precision::Float64)
            store_as(static_cast<double*>(target), values);
        else
            store_as(static_cast<float*>(target), values);
    }
    template <typename Value>
    static void store_as(Value* target, const std::vector<double>& values) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(target) % sizeof(Value), 0u) << "processors may count on alignment";
        for (std::size_t i = 0; i < values.size(); ++i) target[i] = static_cast<Value>(values[i]);
    }
    optics::RowReport report(std::vector<double> values, u32 shots) const {
        optics::RowReport report;
        report.kept_fraction = record_->settings.kept_fraction;
        if (record_->settings.wrong_report) values.push_back(0);
        report.observables = values;
        if (shots == 0) return report;
        report.standard_errors.assign(values.size(), 0.125);
        report.state_index = {1, 3};
        report.counts = {shots - 1, 1};
        return report;
    }

    std::shared_ptr<Record> record_;
    std::shared_ptr<const optics::ProgramSpec> spec_;
    RunOptions options_;
};

inline std::shared_ptr<optics::ProgramSpec> test_program(u32 phases = 4) {
    auto program = std::make_shared<optics::ProgramSpec>();
    program->modes = 4;
    program->input = {1, 0, 1, 0};
    program->phases.resize(phases);
    program->digest = "digest-of-test";
    return program;
}

struct Answer {
    link::LinkStatus link = link::LinkStatus::Pending;
    wire::ResponseHeader header{};
    std::vector<u8> payload;  // of the frame, or of the result area if the answer lies there

    wire::Status status() const { return static_cast<wire::Status>(header.status); }
    template <typename Value>
    std::vector<Value> values() const {
        std::vector<Value> result(payload.size() / sizeof(Value));
        if (!result.empty()) std::memcpy(result.data(), payload.data(), result.size() * sizeof(Value));
        return result;
    }
};

template <typename Value>
void put(std::vector<u8>& bytes, Value value) {
    const u8* raw = reinterpret_cast<const u8*>(&value);
    bytes.insert(bytes.end(), raw, raw + sizeof value);
}

/// Payload of an infer, written from the description of encoding B.
template <typename Value>
std::vector<u8> infer_payload(u64 key, const std::vector<double>& phases, u64 outputs) {
    std::vector<u8> bytes;
    put(bytes, key);
    put<u64>(bytes, phases.size());
    for (double phase : phases) put(bytes, static_cast<Value>(phase));
    while (bytes.size() % 8 != 0) bytes.push_back(0xEE);
    put(bytes, outputs);
    return bytes;
}

inline std::vector<u8> report_payload(u64 key, const std::vector<double>& phases) {
    std::vector<u8> bytes;
    put(bytes, key);
    put<u64>(bytes, phases.size());
    for (double phase : phases) put(bytes, phase);
    return bytes;
}

inline std::vector<u8> echo_payload(u64 key, const std::string& text) {
    std::vector<u8> bytes;
    put(bytes, key);
    bytes.insert(bytes.end(), text.begin(), text.end());
    return bytes;
}

/// A client of one port.
class Caller {
  public:
    explicit Caller(link::Geometry geometry = {})
        : port_(std::make_shared<link::InProcessPort>(geometry)), client_(port_->client()) {}

    PortAttachment attachment(u64 first_id = 0) const {
        PortAttachment attachment;
        attachment.server = port_->server();
        attachment.owner = port_;
        attachment.first_id = first_id;
        return attachment;
    }
    link::ClientHandle& client() { return client_; }

    link::Ticket submit(u32 function, const std::vector<u8>& payload, u64 id) {
        return submit_raw(wire::kRequestMagic, function, static_cast<u32>(payload.size()), payload, id);
    }
    link::Ticket submit_raw(u32 magic, u32 function, u32 arg_len, const std::vector<u8>& payload, u64 id) {
        link::Ticket ticket{};
        link::LinkStatus claimed = client_.try_claim(&ticket);
        const u64 deadline = platform::clock_ns() + kPatience_ns;
        while (claimed == link::LinkStatus::Full && platform::clock_ns() < deadline) {
            platform::yield();
            claimed = client_.try_claim(&ticket);
        }
        EXPECT_EQ(claimed, link::LinkStatus::Ok);
        const wire::RequestHeader header{magic, function, arg_len, static_cast<u32>(id), 77};
        u8* frame = static_cast<u8*>(client_.request_frame(ticket));
        std::memcpy(frame, &header, sizeof header);
        if (!payload.empty()) std::memcpy(frame + sizeof header, payload.data(), payload.size());
        client_.submit(ticket);
        return ticket;
    }
    Answer collect(link::Ticket ticket, u64 patience_ns = kPatience_ns) {
        Answer answer;
        answer.link = client_.wait(ticket, platform::clock_ns() + patience_ns, link::Backoff{});
        if (answer.link != link::LinkStatus::Ok) return answer;
        const void* frame = client_.response_frame(ticket);
        EXPECT_EQ(wire::parse_response(frame, port_->geometry().slot_bytes, &answer.header), wire::ParseError::None);
        const u8* payload = static_cast<const u8*>(wire::payload(frame));
        answer.payload.assign(payload, payload + answer.header.result_len);
        if (answer.status() == wire::Status::ResultInSegment) {
            wire::SegmentRef where{};
            std::memcpy(&where, payload, sizeof where);
            const u8* area = static_cast<const u8*>(client_.result_area(ticket));
            answer.payload.assign(area + where.offset, area + where.offset + where.length);
        }
        client_.release(ticket);
        return answer;
    }
    Answer call(u32 function, const std::vector<u8>& payload, u64 id) { return collect(submit(function, payload, id)); }

  private:
    std::shared_ptr<link::InProcessPort> port_;
    link::ClientHandle client_;
};

/// One controller with one session and one port, for tests about requests.
class Bench {
  public:
    explicit Bench(ProcessorSettings settings = {}, SessionOptions options = {},
                   ControllerOptions controller_options = {}, link::Geometry geometry = {}, u32 phases = 4)
        : record(std::make_shared<Record>(std::move(settings))),
          controller(std::make_unique<TestProcessor>(record), std::move(controller_options)),
          grant(controller.reserve(test_program(phases), options)),
          caller(geometry) {
        controller.attach(grant.session, caller.attachment());
    }
    ~Bench() { record->open_gate(); }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    std::vector<u8> infer(const std::vector<double>& phases) const {
        return infer_payload<double>(grant.key, phases, grant.output_size);
    }
    link::Ticket submit(const std::vector<double>& phases, u64 id) {
        return caller.submit(wire::kInfer, infer(phases), id);
    }
    Answer call(const std::vector<double>& phases, u64 id) { return caller.collect(submit(phases, id)); }

    std::shared_ptr<Record> record;
    Controller controller;
    SessionGrant grant;
    Caller caller;
};

}  // namespace photonlink::qsc::test
