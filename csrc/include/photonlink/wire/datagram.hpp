// What frames need beside functions.hpp when they travel as datagrams, which may be lost, doubled and reordered. A
// datagram is one frame and nothing else: a request may be as short as its header and arguments, an answer is always
// exactly as long as the server's slot, as CUDA-Q realtime has it. Portable.
//
// Two functions are answered by the transport itself:
//   photonlink_ping (i64 key)                                       -> i64[4] (PingWord)
//   photonlink_fetch(i64 key, i64 id, i64 offset, out i8[] bytes)   -> that part of a result that fits no slot
//
// A result that fits no slot is answered with ResultInSegment. Its bytes are then fetched, piece by piece and as often
// as needed, under the request_id of its datapoint; a fetch of no bytes at the end of the result lets the server forget
// them.
#pragma once

#include "photonlink/wire/functions.hpp"

namespace photonlink::wire {

inline constexpr u32 kPing = function_id("photonlink_ping");
inline constexpr u32 kFetch = function_id("photonlink_fetch");

/// Slot of a server that serves nobody yet, as upstream has it.
inline constexpr u32 kDefaultStride = 256;
/// Most bytes of one datagram over IPv4.
inline constexpr u32 kMaxDatagramBytes = 65507;

/// Words of photonlink_ping, in order. It does not count as a request: a session that is only pinged is idle.
enum class PingWord : u32 {
    Serving,    // 1 while the session runs
    EndReason,  // why it ended, 0 while it runs
    Heartbeat,  // any change means that requests are being served
    Reserved,
    Count
};

/// Arguments of photonlink_fetch.
struct FetchArgs {
    u64 key;
    u64 id;  // request_id of the datapoint
    u64 offset;
    u64 count;  // bytes to fetch, at most what an answer holds
};
static_assert(sizeof(FetchArgs) == 32, "the arguments lie as encoding B puts them");

/// True for every function that a controller behind a datagram transport answers.
PHL_HD constexpr bool is_known_to_datagrams(u32 function) {
    return is_datapoint(function) || function == kEcho || function == kStatus || function == kPing ||
           function == kFetch;
}

}  // namespace photonlink::wire
