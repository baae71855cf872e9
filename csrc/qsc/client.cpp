#include "photonlink/qsc/client.hpp"

#include <algorithm>
#include <cmath>

#include "client_calls.hpp"
#include "client_flight.hpp"
#include "photonlink/finite.hpp"

namespace photonlink::qsc {

namespace {

// Results of a datapoint up to here travel inside the slot's frame; larger ones, and those of several datapoints that
// do not fit it, go to memory that the caller lends.
constexpr u64 kInlineBytes = 8192;
// Samples have an area up to here: more would be too much memory for every slot of every client.
constexpr u64 kMostSampleBytes = u64{1} << 20;
constexpr u64 kDrainStepNs = 50'000;
// Calls look up at least every 100 ms; what takes longer is a signal handler of an interpreter.
constexpr u64 kDrainNs = 2'000'000'000;

u64 result_bytes(const ClientConfig& config) {
    return config.output_size * (config.precision == optics::Precision::Float64 ? sizeof(double) : sizeof(float));
}

u64 largest_result(const ClientConfig& config) {
    return std::max(config.output_size * sizeof(double), wire::report_bytes(config.output_size, config.max_counts));
}

template <class Real>
CallResult find_bad_phase(const EncodingView& map, const Features& features) {
    for (u64 row = 0; row < features.rows; ++row)
        for (u32 phase = 0; phase < map.phases; ++phase)
            if (!std::isfinite(encode_phase(map, feature_row<Real>(features, row), phase)))
                return {CallStatus::BadPhase, row, phase};
    return {};
}

}  // namespace

link::Geometry remote_geometry(const ClientConfig& config, u32 slots) {
    link::Geometry geometry = client_geometry(config, slots);
    const u64 samples = config.sample_bytes <= kMostSampleBytes ? config.sample_bytes : 0;
    const u64 result = std::max(largest_result(config), samples);
    if (result > geometry.slot_bytes - wire::kHeaderBytes) geometry.result_bytes = link::round_up(result, kCacheLine);
    return geometry;
}

u32 rows_per_request(const ClientConfig& config) {
    const u64 phase_bytes = config.encoding.phases * sizeof(double);
    if (phase_bytes == 0) return 1;  // the rows of a request are counted by their phases
    u32 rows = config.most_request_rows;
    while (rows > 1 && rows * std::max(phase_bytes, result_bytes(config)) > kInlineBytes) rows /= 2;
    return rows;
}

u64 largest_request(const ClientConfig& config) {
    const u32 phases = config.encoding.phases;
    return std::max(wire::infer_arg_len(rows_per_request(config) * phases, sizeof(double)),
                    wire::report_arg_len(phases));
}

link::Geometry client_geometry(const ClientConfig& config, u32 slots) {
    const u64 request = largest_request(config);
    const u64 result = largest_result(config);
    link::Geometry geometry;
    geometry.slots = slots;
    const u64 frame = wire::kHeaderBytes + std::max({request, std::min(result, kInlineBytes), u64{64}});
    geometry.slot_bytes = static_cast<u32>(link::round_up(std::min<u64>(frame, ~0u - 7u), 8));
    return geometry;
}

SessionClient::SessionClient(const link::ClientHandle& port, const ClientConfig& config,
                             std::shared_ptr<const void> keep)
    : port_(port),
      config_(config),
      bound_(phase_bound(config.encoding)),
      keep_(std::move(keep)),
      next_id_(config.first_id) {}

SessionClient::PhaseBound SessionClient::phase_bound(const EncodingView& map) {
    PhaseBound bound;
    for (u32 row = 0; row < map.phases; ++row) {
        double sum = 0;
        for (u32 k = map.row_begin[row]; k < map.row_begin[row + 1]; ++k) sum += std::abs(map.term_weight[k]);
        bound.gain = std::max(bound.gain, sum);
        bound.shift = std::max(bound.shift, std::abs(map.offset[row]));
    }
    return bound;
}

CallResult SessionClient::checked(const Features& features) const {
    return features.type == optics::Precision::Float64 ? checked_as<double>(features) : checked_as<float>(features);
}

/// Whether all features are so small that nothing can overflow; looks at them only where rows follow one another.
template <class Real>
bool SessionClient::are_harmless(const Features& features) const {
    constexpr Real kModest = 1e30f;
    const u64 columns = config_.encoding.features;
    if (features.row_stride != static_cast<i64>(columns * sizeof(Real))) return false;
    if (!std::isfinite(bound_.gain * kModest + bound_.shift)) return false;
    return are_below(kModest, feature_row<Real>(features, 0), features.rows * columns);
}

template <class Real>
CallResult SessionClient::checked_as(const Features& features) const {
    if (are_harmless<Real>(features)) return {};
    double largest = 0;
    for (u64 row = 0; row < features.rows; ++row) {
        const Real* values = feature_row<Real>(features, row);
        for (u32 column = 0; column < config_.encoding.features; ++column) {
            const double size = std::abs(static_cast<double>(values[column]));
            if (!std::isfinite(size)) return {CallStatus::BadFeature, row, column};
            largest = std::max(largest, size);
        }
    }
    // Only absurdly large features can overflow a phase; look at every phase only then.
    if (std::isfinite(bound_.gain * largest + bound_.shift)) return {};
    return find_bad_phase<Real>(config_.encoding, features);
}

CallResult SessionClient::infer(const Features& features, const Output& out, const CallOptions& options) {
    const CallResult bad = checked(features);
    if (bad.status != CallStatus::Ok) return bad;
    InferCall call(config_, features, out);
    return run(call, features.rows, options);
}

CallResult SessionClient::report(const Features& features, const Output& out, Reports* reports,
                                 const CallOptions& options) {
    const CallResult bad = checked(features);
    if (bad.status != CallStatus::Ok) return bad;
    ReportCall call(config_, features, out, reports);
    return run(call, features.rows, options);
}

CallResult SessionClient::echo(u64 rounds, u64* latencies_ns, const CallOptions& options) {
    EchoCall call(config_.key, latencies_ns);
    CallOptions one_at_a_time = options;
    one_at_a_time.in_flight = 1;
    return run(call, rounds, one_at_a_time);
}

CallResult SessionClient::call(RawRequest* request, const CallOptions& options) {
    RawCall call(config_, *request);
    return run(call, 1, options);
}

CallResult SessionClient::run(ClientCall& call, u64 rows, const CallOptions& options) {
    running_.fetch_add(1);  // before the look at stopping_, and stop() before the look at running_: one sees the other
    CallResult result{CallStatus::Closed};
    if (!stopping_.load()) {
        if (lent_->any.load(std::memory_order_relaxed)) drop_settled_orphans();
        const u64 ids = call.ids(rows);
        const u64 first_id = ids != 0 ? next_id_.fetch_add(ids, std::memory_order_relaxed) : 0;
        Flight flight(port_, call, rows, first_id, options);
        result = flight.run();
        flight.abandon_rest([this, &call](link::Ticket ticket) { give_up(ticket, call.lent_memory()); });
    }
    running_.fetch_sub(1);
    return result;
}

void SessionClient::give_up(link::Ticket ticket, const std::shared_ptr<void>& owner) {
    if (owner) {
        const std::lock_guard<std::mutex> lock(lent_->mutex);
        lent_->orphans.push_back({ticket, owner});
        lent_->any.store(true, std::memory_order_relaxed);
    }
    port_.abandon(ticket);
}

void SessionClient::drop_settled_orphans() {
    std::vector<Orphan> settled;  // destroyed after the lock: an owner's destructor may take an interpreter's lock
    const std::lock_guard<std::mutex> lock(lent_->mutex);
    std::vector<Orphan>& orphans = lent_->orphans;
    const auto first = std::partition(orphans.begin(), orphans.end(),
                                      [this](const Orphan& orphan) { return !port_.settled(orphan.ticket); });
    settled.assign(std::make_move_iterator(first), std::make_move_iterator(orphans.end()));
    orphans.erase(first, orphans.end());
    lent_->any.store(!orphans.empty(), std::memory_order_relaxed);
}

void SessionClient::stop() {
    stopping_.store(true);
    port_.close();
}

void SessionClient::finish() {
    stop();
    drained(platform::clock_ns() + kDrainNs);
}

bool SessionClient::drained(u64 deadline_ns) const {
    while (running_.load() != 0) {
        if (platform::clock_ns() >= deadline_ns) return false;
        platform::sleep_ns(kDrainStepNs);
    }
    return true;
}

u32 SessionClient::slots_in_use() {
    port_.reap();
    return port_.in_use();
}

}  // namespace photonlink::qsc
