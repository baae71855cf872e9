// CUDA-Q realtime frames: one 24-byte header and a payload, little-endian, one frame per slot and per datagram.
// Public interface facts of NVIDIA CUDA-Q Realtime; the byte sequences of tests/cpp/wire pin them.
// Portable: no allocation, no exceptions, no STL.
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink::wire {

inline constexpr u32 kRequestMagic = 0x43555152;   // "CUQR" read as big-endian text
inline constexpr u32 kResponseMagic = 0x43555153;  // "CUQS"
inline constexpr u32 kHeaderBytes = 24;

struct RequestHeader {
    u32 magic;
    u32 function_id;
    u32 arg_len;
    u32 request_id;
    u64 ptp_timestamp;
};

struct ResponseHeader {
    u32 magic;
    i32 status;
    u32 result_len;
    u32 request_id;
    u64 ptp_timestamp;
};

static_assert(sizeof(RequestHeader) == kHeaderBytes && sizeof(ResponseHeader) == kHeaderBytes, "24-byte headers");

/// Status word of a response. Zero is success, positive values belong to the handler, negative ones to the protocol
/// layer; a number means something only together with its layer (the CUDA-Q client has an enumeration of its own).
enum class Status : i32 {
    Ok = 0,
    // handler
    ResultInSegment = 100,  // payload is {u64 offset, u64 length}: the result did not fit its slot
    BudgetSpent = 101,      // the session's token budget is used up; nothing was executed
    SessionExpired = 102,   // idle or maximum duration reached; nothing was executed
    ProcessorFailed = 103,  // the processor raised; the datapoint counts as executed
    InvalidPhase = 104,     // a phase was not finite; nothing was executed
    Stale = 105,            // id below the duplicate window; nothing was executed
    IdReused = 106,         // another request came under this id before; nothing was executed
    JoinAgain = 107,        // a client is let in when it comes with the cookie in this answer
    // protocol
    UnknownFunction = -1,
    BadLength = -2,         // arg_len or an inner count does not match the function or the slot
    BadKey = -3,            // the session key is not the current session's
    ResponseTooLarge = -4,  // the result fits neither slot nor segment
    NotServing = -5,        // no configured session
};

/// FNV-1a over an ASCII name, the function id of the wire.
PHL_HD constexpr u32 function_id(const char* name) {
    u32 hash = 0x811C9DC5u;
    for (; *name != '\0'; ++name) hash = (hash ^ static_cast<u8>(*name)) * 0x01000193u;
    return hash;
}

enum class ParseError : u32 { None = 0, TooShort = 1, WrongMagic = 2, LengthBeyondSlot = 3 };

/// Copies the request header out of `frame` (once) and checks it against `available` bytes of the slot or datagram.
/// The caller works on the copy: shared bytes are never read twice.
PHL_HD ParseError parse_request(const void* frame, u64 available, RequestHeader* header) {
    if (available < kHeaderBytes) return ParseError::TooShort;
    platform::copy_bytes(header, frame, kHeaderBytes);
    if (header->magic != kRequestMagic) return ParseError::WrongMagic;
    if (header->arg_len > available - kHeaderBytes) return ParseError::LengthBeyondSlot;
    return ParseError::None;
}

/// Checks the copy of a response header against `available` bytes of the slot or datagram.
PHL_HD ParseError check_response(const ResponseHeader& header, u64 available) {
    if (header.magic != kResponseMagic) return ParseError::WrongMagic;
    if (header.result_len > available - kHeaderBytes) return ParseError::LengthBeyondSlot;
    return ParseError::None;
}

PHL_HD ParseError parse_response(const void* frame, u64 available, ResponseHeader* header) {
    if (available < kHeaderBytes) return ParseError::TooShort;
    platform::copy_bytes(header, frame, kHeaderBytes);
    return check_response(*header, available);
}

PHL_HD void write_request(void* frame, u32 function, u32 arg_len, u32 request_id, u64 ptp_timestamp) {
    const RequestHeader header{kRequestMagic, function, arg_len, request_id, ptp_timestamp};
    platform::copy_bytes(frame, &header, kHeaderBytes);
}

/// Header of the answer to `request`: identity and time stamp are echoed.
PHL_HD ResponseHeader response_to(const RequestHeader& request, Status status, u32 result_len) {
    return {kResponseMagic, static_cast<i32>(status), result_len, request.request_id, request.ptp_timestamp};
}

PHL_HD void write_response(void* frame, const RequestHeader& request, Status status, u32 result_len) {
    const ResponseHeader header = response_to(request, status, result_len);
    platform::copy_bytes(frame, &header, kHeaderBytes);
}

PHL_HD void* payload(void* frame) { return static_cast<u8*>(frame) + kHeaderBytes; }
PHL_HD const void* payload(const void* frame) { return static_cast<const u8*>(frame) + kHeaderBytes; }

}  // namespace photonlink::wire
