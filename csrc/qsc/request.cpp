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

/// Elements of the by-reference output.
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

wire::Status read_datapoint(const void* payload, const wire::RequestHeader& header, const SessionPlan& plan,
                            double* phases) {
    const Output output = output_of(header.function_id);
    if (output == Output::Samples && plan.options.shots == 0) return wire::Status::BadLength;
    if (header.arg_len != expected_arg_len(header.function_id, plan.phases)) return wire::Status::BadLength;
    const u8* bytes = static_cast<const u8*>(payload);
    if (read_count(bytes + wire::kKeyBytes) != plan.phases) return wire::Status::BadLength;
    if (output != Output::Report &&
        read_count(bytes + header.arg_len - wire::kCountBytes) != expected_outputs(output, plan))
        return wire::Status::BadLength;
    copy_phases(bytes + kPhasesOffset, phase_bytes_of(header.function_id), plan.phases, phases);
    return are_finite(phases, plan.phases) ? wire::Status::Ok : wire::Status::InvalidPhase;
}

u64 most_result_bytes(Output output, const SessionPlan& plan) {
    if (output == Output::Float64) return plan.output_size * sizeof(double);
    if (output == Output::Float32) return plan.output_size * sizeof(float);
    if (output == Output::Samples) return plan.sample_bytes;
    return wire::report_bytes(plan.output_size, std::min<u64>(plan.options.shots, plan.basis_size));
}

}  // namespace photonlink::qsc
