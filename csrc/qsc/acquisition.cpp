#include "acquisition.hpp"

#include <algorithm>
#include <stdexcept>

namespace photonlink::qsc {

namespace {

// Rows in the other precision than the session's go through scratch memory: so many bytes at most, but one row always.
constexpr u64 kScratchBytes = u64{16} << 20;

template <typename From, typename To>
void convert_values(const u8* from, u8* to, u64 count) {
    for (u64 i = 0; i < count; ++i) {
        From value;
        platform::copy_bytes(&value, from + i * sizeof(From), sizeof(From));
        const To converted = static_cast<To>(value);
        platform::copy_bytes(to + i * sizeof(To), &converted, sizeof(To));
    }
}

template <typename Value>
u8* append(u8* to, const std::vector<Value>& values) {
    const u64 bytes = values.size() * sizeof(Value);
    if (bytes != 0) platform::copy_bytes(to, values.data(), bytes);
    return to + bytes;
}

}  // namespace

Acquisition::Acquisition(Processor& processor, const SessionPlan& plan) : processor_(processor), plan_(plan) {
    // In real time every datapoint has its own moment; a batch would compute results that a stop then throws away.
    row_limit_ = plan.options.clock == ClockMode::Realtime ? 1 : std::max<u64>(plan.max_batch, 1);
    scratch_limit_ =
        std::clamp<u64>(kScratchBytes / std::max<u64>(plan.output_size * element_bytes(), 1), 1, row_limit_);
    rows_.reserve(row_limit_);
    phases_.resize(row_limit_ * plan.phases);
    ids_.resize(row_limit_);
    targets_.resize(row_limit_);
    kept_fractions_.resize(row_limit_);
}

bool Acquisition::takes(Output output) const {
    if (rows_.empty()) return true;
    // Reports are asked for per batch, and are dear: plain datapoints do not share a batch with them.
    if (is_reported(rows_.front().output) != is_reported(output)) return false;
    const bool native = is_reported(output) || is_direct(output, nullptr);
    return rows() < (native ? row_limit_ : scratch_limit_);
}

bool Acquisition::is_direct(Output output, const u8* result) const {
    const bool doubles = plan_.options.precision == optics::Precision::Float64;
    if (output != (doubles ? Output::Float64 : Output::Float32)) return false;
    return reinterpret_cast<std::uintptr_t>(result) % element_bytes() == 0;
}

wire::Status Acquisition::add(ServedPort& port, const Request& request) {
    const Output output = output_of(request.header.function_id);
    const u64 bytes = most_result_bytes(output, plan_);
    Row row{request, output, port.response_payload(request), false, false};
    if (bytes > port.payload_capacity()) {
        u64 capacity = 0;
        row.result = static_cast<u8*>(port.server.result_area(request.arrival.slot, &capacity));
        row.in_segment = true;
        if (row.result == nullptr || bytes > capacity || port.payload_capacity() < sizeof(wire::SegmentRef))
            return wire::Status::ResponseTooLarge;
    }
    row.direct = is_direct(output, row.result);
    rows_.push_back(row);
    return wire::Status::Ok;
}

void Acquisition::run() {
    for (u64 row = 0; row < rows(); ++row) rows_[row].changed = count_changed(row);
    failed_ = true;  // until shown otherwise: what leaves as an exception is counted as executed and failed
    try {
        execute();
        failed_ = false;
    } catch (const ProcessorFatal& problem) {
        error_ = problem.what();
        throw;
    } catch (const std::exception& problem) {
        error_ = problem.what();
    }
    if (!failed_) keep_time();
}

void Acquisition::execute() {
    const bool report = is_reported(rows_.front().output);
    bool need_scratch = false;
    for (const Row& row : rows_) need_scratch |= !report && !row.direct;
    if (need_scratch) scratch_.resize(rows() * plan_.output_size * element_bytes());
    for (u64 row = 0; row < rows(); ++row) {
        ids_[row] = rows_[row].request.id;
        targets_[row] = report ? nullptr : rows_[row].direct ? rows_[row].result : scratch_row(row);
        kept_fractions_[row] = 1.0;
    }
    if (report) reports_.assign(rows(), optics::RowReport{});
    const bool clock_needs_fraction = plan_.options.shots > 0 && !plan_.options.timing.flat;

    optics::SimulationBatch batch;
    batch.rows = rows();
    batch.phases = phases_.data();
    batch.ids = ids_.data();
    batch.seed = plan_.options.seed;
    batch.shots = plan_.options.shots;
    batch.observables = targets_.data();
    batch.reports = report ? reports_.data() : nullptr;
    batch.kept_fractions = clock_needs_fraction ? kept_fractions_.data() : nullptr;
    processor_.run(batch);
    if (report) check_reports();
}

// The room of an answer was fixed before execution, and a processor may be anybody's code.
void Acquisition::check_reports() const {
    const u64 most_distinct = std::min<u64>(plan_.options.shots, plan_.basis_size);
    for (u64 row = 0; row < rows(); ++row) {
        const optics::RowReport& report = reports_[row];
        const bool sound = report.observables.size() == plan_.output_size &&
                           (report.standard_errors.empty() || report.standard_errors.size() == plan_.output_size) &&
                           report.state_index.size() == report.counts.size() && report.counts.size() <= most_distinct;
        if (!sound)
            throw std::runtime_error("the processor returned a report whose sizes do not match the program: " +
                                     std::to_string(report.observables.size()) + " observables, expected " +
                                     std::to_string(plan_.output_size) + "; " + std::to_string(report.counts.size()) +
                                     " counts, expected at most " + std::to_string(most_distinct));
        if (rows_[row].output == Output::Samples) check_samples(report);
    }
}

void Acquisition::check_samples(const optics::RowReport& report) const {
    u64 samples = 0;
    for (const u32 count : report.counts) samples += count;
    if (samples != plan_.options.shots)
        throw std::runtime_error("the processor returned " + std::to_string(samples) + " samples, expected " +
                                 std::to_string(plan_.options.shots));
    for (const u32 state : report.state_index)
        if (state >= plan_.states->size())
            throw std::runtime_error("the processor returned a sample of state " + std::to_string(state) +
                                     ", and the program has " + std::to_string(plan_.states->size()));
}

void Acquisition::keep_time() {
    if (plan_.options.clock == ClockMode::None) return;
    for (u64 row = 0; row < rows(); ++row)
        rows_[row].quantum_ns =
            datapoint_ns(plan_.options.timing, rows_[row].changed, plan_.options.shots, kept_fractions_[row]);
}

u32 Acquisition::count_changed(u64 row) {
    const double* now = phases_.data() + row * plan_.phases;
    u32 changed = plan_.phases;
    if (!last_phases_.empty()) {
        changed = 0;
        for (u32 i = 0; i < plan_.phases; ++i) changed += now[i] != last_phases_[i] ? 1u : 0u;
    }
    last_phases_.assign(now, now + plan_.phases);
    return changed;
}

Counts Acquisition::counts() const {
    Counts total;
    for (const Row& row : rows_) {
        const u64 shots = plan_.options.shots;
        total.add(Counts{1, shots, failed_ ? 0 : shots, row.quantum_ns});
    }
    return total;
}

void Acquisition::publish(ServedPort& port, u64 index) {
    const Row& row = rows_[index];
    u64 bytes = most_result_bytes(row.output, plan_);
    if (row.output == Output::Report)
        bytes = store_report(index);
    else if (row.output == Output::Samples)
        optics::list_samples(*plan_.states, reports_[index].state_index, reports_[index].counts, row.result);
    else if (!row.direct)
        convert(index);
    if (!row.in_segment) {
        port.answer(row.request, wire::Status::Ok, static_cast<u32>(bytes));
        return;
    }
    const wire::SegmentRef where{0, bytes};  // counted from the start of the request's own result area
    platform::copy_bytes(port.response_payload(row.request), &where, sizeof where);
    port.answer(row.request, wire::Status::ResultInSegment, sizeof where);
}

void Acquisition::convert(u64 index) {
    const Row& row = rows_[index];
    const u8* from = scratch_row(index);
    const u64 bytes = most_result_bytes(row.output, plan_);
    const bool doubles = plan_.options.precision == optics::Precision::Float64;
    if (doubles && row.output == Output::Float32)
        convert_values<double, float>(from, row.result, plan_.output_size);
    else if (!doubles && row.output == Output::Float64)
        convert_values<float, double>(from, row.result, plan_.output_size);
    else if (bytes != 0)
        platform::copy_bytes(row.result, from, bytes);  // same precision, but a result area that is not aligned for it
}

u64 Acquisition::store_report(u64 index) {
    const Row& row = rows_[index];
    optics::RowReport& report = reports_[index];
    report.standard_errors.resize(plan_.output_size, 0.0);  // exact values have none
    const wire::ReportHeader header{report.kept_fraction,
                                    row.quantum_ns,
                                    row.changed,
                                    plan_.options.shots,
                                    static_cast<u32>(plan_.output_size),
                                    static_cast<u32>(report.counts.size())};
    platform::copy_bytes(row.result, &header, sizeof header);
    u8* end = row.result + sizeof header;
    end = append(end, report.observables);
    end = append(end, report.standard_errors);
    end = append(end, report.state_index);
    end = append(end, report.counts);
    return static_cast<u64>(end - row.result);
}

void Acquisition::clear() { rows_.clear(); }

}  // namespace photonlink::qsc
