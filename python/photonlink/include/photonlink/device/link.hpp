// What a kernel needs to call a photonic processor: one struct, passed by value. The host fills it when it opens a
// device port (kernels/), a kernel hands it to device/call.hpp or device/batch.hpp. Portable: a CPU test fills one too.
//
// Three kinds of memory meet here:
//   link memory    in host memory that the device maps: the regions of the port, and the latch
//   device memory  slot states, counters, ids, encoding: touched by this device only, with device-scope atomics
//   the caller's   features and results, wherever the caller has them
// Nothing in link memory may be reached through const __restrict__ pointers: the compiler could then read it through a
// cache that never sees the host's stores.
#pragma once

#include "photonlink/call_status.hpp"
#include "photonlink/device/sites.hpp"
#include "photonlink/encode.hpp"
#include "photonlink/link/client.hpp"

namespace photonlink::device {

/// Changes with every change of Link's layout or of what lies behind its pointers. A kernel compiled against another
/// version gets CallStatus::WrongType instead of wrong bytes.
inline constexpr u32 kLinkVersion = 1;

/// The first datapoint that failed since the host last looked.
struct Failure {
    CallStatus status;
    i32 wire_status;   // of CallStatus::Refused
    u64 row;           // in its call, Batch::first_row included
    u64 id;            // 64-bit datapoint id
    u64 close_reason;  // of CallStatus::Closed
    u64 elapsed_ns;    // since the call began
};
static_assert(sizeof(Failure) == 40, "the host reads this struct");

/// A place in mapped host memory where a kernel leaves a failure and the host finds it without asking the device.
struct Latch {
    alignas(kCacheLine) u64 published;  // failures left here so far; the device writes it, with failure before it
    Failure failure;
    alignas(kCacheLine) u64 acknowledged;  // failures that the host has seen; the host writes it
};

/// The device's own words, zeroed when the port is opened.
struct Words {
    link::ClientWords port;
    // 64-bit id of the next datapoint: kept here, so that a replayed graph gets new ones.
    alignas(kCacheLine) u64 next_id;
    // 1 while somebody fills the latch; then failures left there so far, and all of them, latched or not.
    alignas(kCacheLine) u64 latching;
    u64 latched;
    u64 failed_rows;
};

/// A device's end of a session. Owns nothing; valid while the session is open.
struct Link {
    u32 version;       // kLinkVersion
    u32 result_bytes;  // of one observable: 4 (float) or 8 (double), the session's precision
    link::ClientHandle port;
    EncodingView encoding;
    u64 key;
    u64 outputs;         // observables per datapoint
    u64 row_timeout_ns;  // longest wait for one datapoint
    Words* words;
    Latch* latch;
    link::Backoff backoff;

    PHL_HD u32 features() const { return encoding.features; }
    PHL_HD u32 phases() const { return encoding.phases; }
};

/// A range of ids for `count` datapoints; any thread of any kernel may ask.
PHL_HD u64 take_ids(const Link& link, u64 count) {
    return platform::fetch_add_relaxed_domain(&link.words->next_id, count);
}

/// Leaves `failure` for the host, unless an earlier one still waits there or somebody else is leaving one right now:
/// the first failure is the one that explains the others. Never waits.
PHL_HD void latch_failure(Words& words, Latch* latch, const Failure& failure) {
    platform::fetch_add_relaxed_domain(&words.failed_rows, 1);
    if (!platform::compare_swap_acquire_domain<site::kLatchClaim>(&words.latching, 0, 1)) return;
    // The host has finished reading the last failure once it says so.
    const u64 seen = platform::load_acquire_system<site::kLatchSeenLoad>(&latch->acknowledged);
    if (seen == words.latched) {
        latch->failure = failure;
        words.latched = seen + 1;
        platform::store_release_system<site::kLatchStore>(&latch->published, seen + 1);
    }
    platform::store_release_domain<site::kLatchFree>(&words.latching, 0);
}

PHL_HD void latch_failure(const Link& link, const Failure& failure) { latch_failure(*link.words, link.latch, failure); }

/// The host's side: true, and the failure, if one waits. One thread at a time.
PHL_HD bool take_failure(Latch* latch, Failure* failure) {
    const u64 published = platform::load_acquire_system<site::kLatchLoad>(&latch->published);
    if (published == platform::load_relaxed_system(&latch->acknowledged)) return false;
    *failure = latch->failure;
    platform::store_release_system<site::kLatchSeenStore>(&latch->acknowledged, published);
    return true;
}

}  // namespace photonlink::device
