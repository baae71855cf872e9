#include "acquisition.hpp"

#include <algorithm>
#include <stdexcept>

namespace photonlink::qsc {

namespace {

// Rows in the other precision than the session's go through scratch memory: so many bytes at most, but one request
// always.
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
    scratch_limit_ = std::clamp<u64>(kScratchBytes / std::max<u64>(row_bytes(), 1), 1, row_limit_);
    tasks_.reserve(row_limit_);
    phases_.resize(row_limit_ * plan.phases);
    ids_.resize(row_limit_);
    targets_.resize(row_limit_);
    kept_fractions_.resize(row_limit_);
    changed_.resize(row_limit_);
    quantum_ns_.resize(row_limit_);
}

bool Acquisition::takes(Output output, u64 rows) const {
    if (tasks_.empty()) return true;
    // Reports are asked for per batch, and are dear: plain datapoints do not share a batch with them.
    if (is_reported(tasks_.front().output) != is_reported(output)) return false;
    const bool native = is_reported(output) || is_direct(output, nullptr);
    return rows_ + rows <= (native ? row_limit_ : scratch_limit_);
}

bool Acquisition::is_direct(Output output, const u8* result) const {
    const bool doubles = plan_.options.precision == optics::Precision::Float64;
    if (output != (doubles ? Output::Float64 : Output::Float32)) return false;
    return reinterpret_cast<std::uintptr_t>(result) % element_bytes() == 0;
}

wire::Status Acquisition::add(ServedPort& port, const Request& request, u64 rows) {
    const Output output = output_of(request.header.function_id);
    const u64 bytes = rows * most_result_bytes(output, plan_);
    Task task{request, output, port.response_payload(request), false, false, rows_, rows};
    if (bytes > port.payload_capacity()) {
        u64 capacity = 0;
        task.result = static_cast<u8*>(port.server.result_area(request.arrival.slot, &capacity));
        task.in_segment = true;
        if (task.result == nullptr || bytes > capacity || port.payload_capacity() < sizeof(wire::SegmentRef))
            return wire::Status::ResponseTooLarge;
    }
    task.direct = is_direct(output, task.result);
    tasks_.push_back(task);
    rows_ += rows;
    return wire::Status::Ok;
}

void Acquisition::run() {
    count_changed();
    std::fill_n(quantum_ns_.begin(), rows_, kNoQuantumTime);
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
    const bool report = is_reported(tasks_.front().output);
    place_results(report);
    if (report) reports_.assign(rows_, optics::RowReport{});
    const bool clock_needs_fraction = plan_.options.shots > 0 && !plan_.options.timing.flat;
    std::fill_n(kept_fractions_.begin(), rows_, 1.0);

    optics::SimulationBatch batch;
    batch.rows = rows_;
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

void Acquisition::place_results(bool report) {
    const auto is_native = [report](const Task& task) { return report || task.direct; };
    if (!std::all_of(tasks_.begin(), tasks_.end(), is_native)) scratch_.resize(rows_ * row_bytes());
    for (const Task& task : tasks_) {
        u8* const first = report ? nullptr : task.direct ? task.result : scratch_row(task.first);
        for (u64 i = 0; i < task.rows; ++i) {
            ids_[task.first + i] = task.request.id + i;
            targets_[task.first + i] = first == nullptr ? nullptr : first + i * row_bytes();
        }
    }
}

// The room of an answer was fixed before execution, and a processor may be anybody's code.
void Acquisition::check_reports() const {
    const u64 most_distinct = std::min<u64>(plan_.options.shots, plan_.basis_size);
    for (const Task& task : tasks_) {
        const optics::RowReport& report = reports_[task.first];
        const bool sound = report.observables.size() == plan_.output_size &&
                           (report.standard_errors.empty() || report.standard_errors.size() == plan_.output_size) &&
                           report.state_index.size() == report.counts.size() && report.counts.size() <= most_distinct;
        if (!sound)
            throw std::runtime_error("the processor returned a report whose sizes do not match the program: " +
                                     std::to_string(report.observables.size()) + " observables, expected " +
                                     std::to_string(plan_.output_size) + "; " + std::to_string(report.counts.size()) +
                                     " counts, expected at most " + std::to_string(most_distinct));
        if (task.output == Output::Samples) check_samples(report);
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
    for (u64 row = 0; row < rows_; ++row)
        quantum_ns_[row] = datapoint_ns(plan_.options.timing, changed_[row], plan_.options.shots, kept_fractions_[row]);
}

/// How many phases each row changes, where a clock or a report wants to know.
void Acquisition::count_changed() {
    const bool wanted = plan_.options.clock != ClockMode::None || is_reported(tasks_.front().output);
    const double* last = last_phases_.empty() ? nullptr : last_phases_.data();
    const double* now = phases_.data();
    for (u64 row = 0; wanted && row < rows_; ++row) {
        u32 changed = last == nullptr ? plan_.phases : 0;
        for (u32 i = 0; last != nullptr && i < plan_.phases; ++i) changed += now[i] != last[i] ? 1u : 0u;
        changed_[row] = changed;
        last = now;
        now += plan_.phases;
    }
    const double* const newest = phases_.data() + (rows_ - 1) * plan_.phases;
    last_phases_.assign(newest, newest + plan_.phases);
}

Counts Acquisition::counts() const {
    const u64 shots = plan_.options.shots * rows_;
    Counts total{rows_, shots, failed_ ? 0 : shots, kNoQuantumTime};
    if (plan_.options.clock == ClockMode::None) return total;
    for (u64 row = 0; row < rows_; ++row) total.add(Counts{0, 0, 0, quantum_ns_[row]});
    return total;
}

void Acquisition::publish(ServedPort& port, const Task& task) {
    u64 bytes = task.rows * most_result_bytes(task.output, plan_);
    if (task.output == Output::Report)
        bytes = store_report(task);
    else if (task.output == Output::Samples)
        optics::list_samples(*plan_.states, reports_[task.first].state_index, reports_[task.first].counts, task.result);
    else if (!task.direct)
        convert(task);
    if (!task.in_segment) {
        port.answer(task.request, wire::Status::Ok, static_cast<u32>(bytes));
        return;
    }
    const wire::SegmentRef where{0, bytes};  // counted from the start of the request's own result area
    platform::copy_bytes(port.response_payload(task.request), &where, sizeof where);
    port.answer(task.request, wire::Status::ResultInSegment, sizeof where);
}

void Acquisition::convert(const Task& task) {
    const u8* from = scratch_row(task.first);
    const u64 bytes = task.rows * most_result_bytes(task.output, plan_);
    const u64 values = task.rows * plan_.output_size;
    const bool doubles = plan_.options.precision == optics::Precision::Float64;
    if (doubles && task.output == Output::Float32)
        convert_values<double, float>(from, task.result, values);
    else if (!doubles && task.output == Output::Float64)
        convert_values<float, double>(from, task.result, values);
    else if (bytes != 0)
        platform::copy_bytes(task.result, from, bytes);  // same precision, but a result area not aligned for it
}

u64 Acquisition::store_report(const Task& task) {
    optics::RowReport& report = reports_[task.first];
    report.standard_errors.resize(plan_.output_size, 0.0);  // exact values have none
    const wire::ReportHeader header{report.kept_fraction,
                                    quantum_ns_[task.first],
                                    changed_[task.first],
                                    plan_.options.shots,
                                    static_cast<u32>(plan_.output_size),
                                    static_cast<u32>(report.counts.size())};
    platform::copy_bytes(task.result, &header, sizeof header);
    u8* end = task.result + sizeof header;
    end = append(end, report.observables);
    end = append(end, report.standard_errors);
    end = append(end, report.state_index);
    end = append(end, report.counts);
    return static_cast<u64>(end - task.result);
}

void Acquisition::clear() {
    tasks_.clear();
    rows_ = 0;
}

}  // namespace photonlink::qsc
