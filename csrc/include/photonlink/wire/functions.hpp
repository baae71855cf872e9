// Functions that a photonlink controller answers, and the layout of their payloads (encoding B: what the CUDA-Q
// compiler emits for device_call). Every data-plane function takes the session key as its first i64.
//
//   photonlink_echo    (i64 key, i8[] data)            -> what stands behind the key, count included: latency
//   photonlink_infer   (i64 key, f64[] phases, out f64[] observables)            one datapoint
//   photonlink_infer_f32(i64 key, f32[] phases, out f32[] observables)           the same in single precision
//   photonlink_infer_mixed(i64 key, f64[] phases, out f32[] observables)         exact phases, small results
//   photonlink_infer_rows      (i64 key, f64[] phases, out f64[] observables)    several datapoints in one request
//   photonlink_infer_rows_mixed(i64 key, f64[] phases, out f32[] observables)    the same with small results
//   photonlink_report  (i64 key, f64[] phases)         -> report (below)         datapoint with counts and errors
//   photonlink_samples (i64 key, f64[] phases, out i8[] photons)                 datapoint: what its shots detected
//   photonlink_status  (i64 key)                       -> i64[8] (StatusWord)
//
// The samples of a datapoint are shots x modes photon numbers, sorted by state: their order carries no information, and
// photonlink_report has the same as counts. A session without shots has none, and refuses photonlink_samples.
//
// Several datapoints lie one behind the other, phases and observables alike, and take the ids from request_id on: a
// caller must not use those again. They are executed together or not at all; more than the processor takes at once, of
// which the realtime clock permits one, are refused with BadLength. Rings carry them, datagrams do not (datagram.hpp).
// infer_rows() of device code sends a request for each of its rows.
//
// Phases are the physical phases in radians, in the order of ProgramSpec::phases; features never cross the link.
#pragma once

#include "photonlink/wire/frame.hpp"

namespace photonlink::wire {

inline constexpr u32 kEcho = function_id("photonlink_echo");
inline constexpr u32 kInfer = function_id("photonlink_infer");
inline constexpr u32 kInferF32 = function_id("photonlink_infer_f32");
inline constexpr u32 kInferMixed = function_id("photonlink_infer_mixed");
inline constexpr u32 kInferRows = function_id("photonlink_infer_rows");
inline constexpr u32 kInferRowsMixed = function_id("photonlink_infer_rows_mixed");
inline constexpr u32 kReport = function_id("photonlink_report");
inline constexpr u32 kSamples = function_id("photonlink_samples");
inline constexpr u32 kStatus = function_id("photonlink_status");

/// True for the functions that execute as many datapoints as there are phases for.
PHL_HD constexpr bool takes_rows(u32 function) { return function == kInferRows || function == kInferRowsMixed; }

/// True for the functions that execute datapoints.
PHL_HD constexpr bool is_datapoint(u32 function) {
    return function == kInfer || function == kInferF32 || function == kInferMixed || takes_rows(function) ||
           function == kReport || function == kSamples;
}

inline constexpr u32 kKeyBytes = 8;
inline constexpr u32 kCountBytes = 8;

PHL_HD constexpr u32 align8(u32 bytes) { return (bytes + 7u) & ~7u; }

/// arg_len of an infer request: key, sequence of `phases` elements, element count of the by-reference output.
PHL_HD constexpr u32 infer_arg_len(u32 phases, u32 element_bytes) {
    return align8(kKeyBytes + kCountBytes + phases * element_bytes) + kCountBytes;
}

PHL_HD constexpr u32 report_arg_len(u32 phases) { return kKeyBytes + kCountBytes + phases * 8u; }

/// Answer of photonlink_report: this block, then `observables` f64, then `observables` f64 standard errors, then
/// `distinct` u32 basis indices, then `distinct` u32 counts. Exact results have shots 0 and distinct 0.
struct ReportHeader {
    double kept_fraction;  // probability that one event passes photon-number and post-selection filters
    i64 quantum_ns;        // modelled time on the chip, -1 when the result is exact (no quantum time exists)
    u32 changed_phases;
    u32 shots;
    u32 observables;
    u32 distinct;
};
static_assert(sizeof(ReportHeader) == 32, "report header has no padding");

PHL_HD constexpr u64 report_bytes(u64 observables, u64 distinct) {
    return sizeof(ReportHeader) + observables * 16u + distinct * 8u;
}

/// Words of photonlink_status, in order.
enum class StatusWord : u32 { State, Tokens, Shots, QuantumNs, BudgetLeft, UptimeNs, Clock, Reserved, Count };

/// Where a result lies that did not fit its slot (payload of a ResultInSegment answer).
struct SegmentRef {
    u64 offset;
    u64 length;
};

/// The 64-bit id of a datapoint from the low half that a frame carries: the id nearest to `near` with those low bits.
/// Sound while the ids in flight span less than 2^31.
PHL_HD constexpr u64 unwrap_id(u32 request_id, u64 near) {
    const i32 distance = static_cast<i32>(request_id - static_cast<u32>(near));
    return near + static_cast<u64>(static_cast<i64>(distance));
}

}  // namespace photonlink::wire
