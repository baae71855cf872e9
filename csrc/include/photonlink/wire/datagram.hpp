// What frames need beside functions.hpp when they travel as datagrams, which may be lost, doubled and reordered. A
// datagram is one frame and nothing else: a request may be as short as its header and arguments, an answer is always
// exactly as long as the server's slot, as CUDA-Q realtime has it. Where frames carry tags (tag.hpp), an answer is as
// long as its result and its tag. Portable.
//
// Three functions are answered by the transport itself:
//   photonlink_ping (i64 key)                                       -> i64[4] (PingWord)
//   photonlink_fetch(i64 key, i64 id, i64 offset, out i8[] bytes)   -> that part of a result that fits no slot
//   photonlink_join (i64 tag, i64 nonce, i64 cookie)                -> i64[2] (cookie, bytes of a slot), tagged only
//
// A client whose frames carry tags first joins, with a nonce of its own, any cookie and the session's key. JoinAgain
// says with which cookie to join again, Ok that it is a client. That answer and every later datagram, in both
// directions, carry tags of client_key(session's key, nonce, cookie in the answer). Request and answer have the same
// length, and until Ok nothing else is answered: nobody can have more sent to an address than he sends.
//
// A result that fits no slot is answered with ResultInSegment. Its bytes are then fetched, piece by piece and as often
// as needed, under the request_id of its datapoint; a fetch of no bytes at the end of the result lets the server forget
// them.
#pragma once

#include "photonlink/wire/functions.hpp"

namespace photonlink::wire {

inline constexpr u32 kPing = function_id("photonlink_ping");
inline constexpr u32 kFetch = function_id("photonlink_fetch");
inline constexpr u32 kJoin = function_id("photonlink_join");

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

/// Arguments of photonlink_join.
struct JoinArgs {
    u64 tag;
    u64 nonce;
    u64 cookie;
};

/// Result of photonlink_join.
struct JoinResult {
    u64 cookie;
    u64 slot_bytes;  // of the longest request
};
static_assert(sizeof(JoinArgs) == sizeof(JoinResult) + sizeof(u64), "an answer with its tag is as long as a request");

/// True for every function that a controller behind a datagram transport answers. Not those of several datapoints: the
/// window that finds repeated requests knows ids one by one.
PHL_HD constexpr bool is_known_to_datagrams(u32 function) {
    return (is_datapoint(function) && !takes_rows(function)) || function == kEcho || function == kStatus ||
           function == kPing || function == kFetch;
}

}  // namespace photonlink::wire
