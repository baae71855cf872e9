#include "request.hpp"

#include <algorithm>

#include "photonlink/finite.hpp"

namespace photonlink::qsc {

namespace {

constexpr u32 kPhasesOffset = wire::kKeyBytes + wire::kCountBytes;

u64 read_count(const u8* bytes) {
    u64 count;
    platform::copy_bytes(&count, bytes, sizeof count);
    return count;
}

u32 expected_arg_len(u32 function, u32 phases) {
    if (function == wire::kReport) return wire::report_arg_len(phases);
    return wire::infer_arg_len(phases, phase_bytes_of(function));
}

/// Elements of the by-reference output, for each datapoint.
u64 expected_outputs(Output output, const SessionPlan& plan) {
    return output == Output::Samples ? plan.sample_bytes : plan.output_size;
}

void copy_phases(const u8* from, u32 phase_bytes, u32 count, double* phases) {
    if (phase_bytes == sizeof(double)) {
        platform::copy_bytes(phases, from, u64{count} * sizeof(double));
        return;
    }
    for (u32 i = 0; i < count; ++i) {
        float phase;
        platform::copy_bytes(&phase, from + u64{i} * sizeof phase, sizeof phase);
        phases[i] = phase;
    }
}

}  // namespace

u64 rows_of(const wire::RequestHeader& header, const SessionPlan& plan) {
    const u32 function = header.function_id;
    if (!wire::takes_rows(function)) return header.arg_len == expected_arg_len(function, plan.phases) ? 1 : 0;
    const u32 without_phases = expected_arg_len(function, 0);
    const u64 row_bytes = u64{plan.phases} * sizeof(double);
    if (row_bytes == 0 || header.arg_len < without_phases) return 0;
    const u64 phase_bytes = header.arg_len - without_phases;
    return phase_bytes % row_bytes == 0 ? phase_bytes / row_bytes : 0;
}

u32 most_request_rows(const SessionPlan& plan) {
    constexpr double kMostRows = 16;     // that fill vectors
    constexpr double kRequestNs = 2000;  // beside more computing a frame does not matter
    if (plan.options.clock == ClockMode::Realtime || plan.options.token_budget || plan.datapoint_ns <= 0) return 1;
    u64 rows = static_cast<u64>(std::clamp(kRequestNs / plan.datapoint_ns, 1.0, kMostRows));
    rows = std::min(rows, plan.max_batch);
    while (plan.max_batch % rows != 0) --rows;  // whole requests fill a batch
    return static_cast<u32>(rows);
}

wire::Status read_datapoints(const void* payload, const wire::RequestHeader& header, const SessionPlan& plan,
                             double* phases) {
    const Output output = output_of(header.function_id);
    if (output == Output::Samples && plan.options.shots == 0) return wire::Status::BadLength;
    const u64 rows = rows_of(header, plan);
    if (rows == 0) return wire::Status::BadLength;
    const u32 count = static_cast<u32>(rows * plan.phases);
    const u8* bytes = static_cast<const u8*>(payload);
    if (read_count(bytes + wire::kKeyBytes) != count) return wire::Status::BadLength;
    if (output != Output::Report &&
        read_count(bytes + header.arg_len - wire::kCountBytes) != rows * expected_outputs(output, plan))
        return wire::Status::BadLength;
    copy_phases(bytes + kPhasesOffset, phase_bytes_of(header.function_id), count, phases);
    return are_finite(phases, count) ? wire::Status::Ok : wire::Status::InvalidPhase;
}

u64 most_result_bytes(Output output, const SessionPlan& plan) {
    if (output == Output::Float64) return plan.output_size * sizeof(double);
    if (output == Output::Float32) return plan.output_size * sizeof(float);
    if (output == Output::Samples) return plan.sample_bytes;
    return wire::report_bytes(plan.output_size, std::min<u64>(plan.options.shots, plan.basis_size));
}

}  // namespace photonlink::qsc
