// Validation of data-plane requests. The request region can change under our eyes: each function reads every shared
// byte at most once, into memory of its own, and judges the copy.
#pragma once

#include "photonlink/wire/functions.hpp"
#include "plan.hpp"

namespace photonlink::qsc {

/// What a datapoint's answer is made of.
enum class Output : u8 { Float64, Float32, Report, Samples };

/// Whether it is made of what the processor reports, rather than of observables alone.
inline bool is_reported(Output output) { return output == Output::Report || output == Output::Samples; }

/// Size of one phase in a datapoint's request.
inline u32 phase_bytes_of(u32 function) { return function == wire::kInferF32 ? sizeof(float) : sizeof(double); }

inline Output output_of(u32 function) {
    if (function == wire::kReport) return Output::Report;
    if (function == wire::kSamples) return Output::Samples;
    return function == wire::kInfer || function == wire::kInferRows ? Output::Float64 : Output::Float32;
}

/// Datapoints in a request, by its length: 0 if that is none that its function can have.
u64 rows_of(const wire::RequestHeader& header, const SessionPlan& plan);

/// Ok, BadLength (no room for a key) or BadKey. The same check for every function, echo included.
inline wire::Status check_key(const void* payload, u32 arg_len, u64 key) {
    if (arg_len < wire::kKeyBytes) return wire::Status::BadLength;
    u64 given;
    platform::copy_bytes(&given, payload, sizeof given);
    return given == key ? wire::Status::Ok : wire::Status::BadKey;
}

/// Datapoints that a client may well put into one request: several where they are computed so fast that frames matter,
/// but one where each has its own moment, or may be refused while others are not.
u32 most_request_rows(const SessionPlan& plan);

/// Reads rows_of() datapoints of a request whose key was checked: lengths, counts, then the phases into `phases`
/// (plan.phases entries for each). Ok, BadLength or InvalidPhase.
wire::Status read_datapoints(const void* payload, const wire::RequestHeader& header, const SessionPlan& plan,
                             double* phases);

/// Bytes that a datapoint's answer may need at most; known before execution.
u64 most_result_bytes(Output output, const SessionPlan& plan);

}  // namespace photonlink::qsc
