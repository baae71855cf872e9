// Many datapoints from one launch, or from one launch that sends and another that collects. Rows are dealt out to the
// groups of a launch; each group keeps a few of its rows in flight and collects them in order, so that it holds slots
// only while it also gives slots back and groups cannot block each other. Failures never stop a launch: the row
// becomes NaN, its status tells why, and the first one is latched for the host. Only a link of another version, of
// which nothing can be known, leaves results and latch untouched and says so in the statuses alone. Portable.
#pragma once

#include "photonlink/device/call.hpp"

namespace photonlink::device {

/// Rows that one group keeps in flight at most.
inline constexpr u32 kMaxWindow = 8;

/// A batch in the caller's memory.
template <class Real, class Out>
struct Batch {
    const Real* features;  // rows of link.features() values
    i64 feature_stride;    // values from row to row
    Out* out;              // rows of link.outputs values
    i64 out_stride;        // values from row to row
    u32* statuses;         // CallStatus of each row; may be null
    u64 rows;
    u64 first_row = 0;  // what a failure calls row 0: a caller may split its batch over several launches
};

/// How one group takes part in a batch: rows `first`, `first + stride`, and so on.
struct Share {
    u64 first;
    u64 stride;
    u64 first_id;     // id of row 0
    u64 began_ns;     // when the call began, on platform::clock_ns()
    u64 deadline_ns;  // of the whole call
};

/// Words in device memory with which the blocks of a launch agree on its ids; zero before the first launch, and left
/// zero by each. Launches that may run at the same time need words of their own.
struct LaunchWords {
    u64 arrived;
    u64 left;
    u64 ready;
    u64 first_id;
};

inline constexpr u64 kNoId = ~0ULL;

/// Ids for the `rows` datapoints of a launch of `blocks` groups, the same range in each: row r is datapoint id + r.
/// kNoId if the block that takes them did not come forward before the deadline. Each group must also call end_launch().
template <class Group>
PHL_HD u64 begin_launch(const Group& group, const Link& link, LaunchWords* words, u64 blocks, u64 rows,
                        u64 deadline_ns) {
    u64 id = kNoId;
    if (group.leader() && link.version == kLinkVersion) {
        if (blocks == 1) {
            id = take_ids(link, rows);
        } else if (platform::fetch_add_relaxed_domain(&words->arrived, 1) == 0) {
            // Who arrives first is running, so that those who wait for it below do not wait for a block to come.
            id = take_ids(link, rows);
            words->first_id = id;
            platform::store_release_domain<site::kIdsStore>(&words->ready, 1);
        } else {
            link::BackoffState backoff(link.backoff);
            bool late = false;
            while (!late && platform::load_acquire_domain<site::kIdsLoad>(&words->ready) == 0)
                late = backoff.step() && platform::clock_ns() >= deadline_ns;
            if (!late) id = words->first_id;
        }
    }
    return group.from_leader(id);
}

/// The last group to leave makes the words ready for the next launch.
template <class Group>
PHL_HD void end_launch(const Group& group, LaunchWords* words, u64 blocks) {
    if (blocks == 1 || !group.leader()) return;
    if (platform::fetch_add_ordered_domain<site::kLeave>(&words->left, 1) + 1 != blocks) return;
    platform::store_relaxed_domain(&words->arrived, 0);
    platform::store_relaxed_domain(&words->left, 0);
    platform::store_relaxed_domain(&words->ready, 0);
}

namespace detail {

PHL_HD bool ends_everything(CallStatus status) {
    return status == CallStatus::Closed || status == CallStatus::PeerLost || status == CallStatus::WrongType;
}

template <class Group, class Real, class Out>
PHL_HD void finish_row(const Group& group, const Link& link, const Batch<Real, Out>& batch, const Share& share, u64 row,
                       Outcome outcome) {
    if (batch.statuses != nullptr && group.leader()) batch.statuses[row] = static_cast<u32>(outcome.status);
    if (outcome.status == CallStatus::Ok) return;
    Out* const out = batch.out + static_cast<i64>(row) * batch.out_stride;
    for (u64 i = group.rank(); i < link.outputs; i += group.size()) out[i] = static_cast<Out>(quiet_nan());
    if (!group.leader()) return;
    const u64 reason = outcome.status == CallStatus::Closed ? link.port.server_close_reason() : 0;
    const u64 id = share.first_id == kNoId ? kNoId : share.first_id + row;
    latch_failure(link, Failure{outcome.status, outcome.wire_status, batch.first_row + row, id, reason,
                                platform::clock_ns() - share.began_ns});
}

/// True once the call has no time left; the same for all threads.
template <class Group>
PHL_HD bool is_late(const Group& group, u64 deadline_ns) {
    return group.from_leader(group.leader() && platform::clock_ns() >= deadline_ns);
}

PHL_HD u64 row_deadline(const Link& link, const Share& share) {
    const u64 own = deadline_after(link.row_timeout_ns);
    return own < share.deadline_ns ? own : share.deadline_ns;
}

PHL_HD u64 rows_of(const Share& share, u64 rows) {
    return rows > share.first ? (rows - share.first + share.stride - 1) / share.stride : 0;
}

/// Ok, or why no row can be sent: `Out` is not the session's type, or there are no ids.
template <class Out>
PHL_HD CallStatus before_first(const Link& link, const Share& share) {
    if (!fits<Out>(link)) return CallStatus::WrongType;
    return share.first_id == kNoId ? CallStatus::Timeout : CallStatus::Ok;
}

/// The rows of a link of another version: nothing of it may be touched, and how long a row is nobody knows.
template <class Group, class Real, class Out>
PHL_HD void refuse_rows(const Group& group, const Batch<Real, Out>& batch, const Share& share) {
    if (batch.statuses == nullptr || !group.leader()) return;
    for (u64 row = share.first; row < batch.rows; row += share.stride)
        batch.statuses[row] = static_cast<u32>(CallStatus::WrongType);
}

}  // namespace detail

/// Sends this group's rows and collects their results, at most `window` (1..kMaxWindow) in flight. Past the deadline
/// nothing more is sent or waited for: what lacks its answer then becomes Timeout.
template <class Group, class Real, class Out>
PHL_HD void infer_rows(const Group& group, const Link& link, const Batch<Real, Out>& batch, const Share& share,
                       u32 window) {
    if (link.version != kLinkVersion) return detail::refuse_rows(group, batch, share);
    const u64 mine = detail::rows_of(share, batch.rows);
    if (window == 0) window = 1;
    if (window > kMaxWindow) window = kMaxWindow;
    Pending pending[kMaxWindow];
    CallStatus over = detail::before_first<Out>(link, share);
    link::BackoffState backoff(link.backoff);
    u64 sent = 0;
    u64 done = 0;
    while (done < mine) {
        // Once per row, also while all answers come at once: a launch must end in time.
        if (over == CallStatus::Ok && detail::is_late(group, share.deadline_ns)) over = CallStatus::Timeout;
        while (over == CallStatus::Ok && sent < mine && sent - done < window) {
            const u64 row = share.first + sent * share.stride;
            Pending& next = pending[sent % kMaxWindow];
            const Real* const features = batch.features + static_cast<i64>(row) * batch.feature_stride;
            const CallStatus status = try_submit(group, link, features, share.first_id + row, &next);
            if (status == CallStatus::Full) break;
            if (status != CallStatus::Ok) {
                next = Pending{};
                detail::finish_row(group, link, batch, share, row, {status, 0});
                if (detail::ends_everything(status)) over = status;
            }
            ++sent;
        }
        const u64 row = share.first + done * share.stride;
        if (sent > done) {
            const Pending& oldest = pending[done % kMaxWindow];
            if (was_sent(oldest)) {
                Out* const out = batch.out + static_cast<i64>(row) * batch.out_stride;
                const Outcome outcome = collect(group, link, oldest, detail::row_deadline(link, share), out);
                detail::finish_row(group, link, batch, share, row, outcome);
                if (detail::ends_everything(outcome.status)) over = outcome.status;
            }
            backoff.reset();
            ++done;
        } else if (over != CallStatus::Ok) {
            detail::finish_row(group, link, batch, share, row, {over, 0});
            ++sent;
            ++done;
        } else if (group.leader()) {
            // Every slot is another's and this group holds none: the only place where it may wait for one.
            backoff.step();
        }
    }
}

/// First half of a split call: sends this group's rows and leaves a Pending for each in `pending` (device memory, one
/// per row, zeroed before its first use). Rows that could not be sent are finished at once. All rows together must fit
/// the port's slots. What an earlier call left there and nobody collected is given up.
template <class Group, class Real, class Out>
PHL_HD void submit_rows(const Group& group, const Link& link, const Batch<Real, Out>& batch, const Share& share,
                        Pending* pending) {
    if (link.version != kLinkVersion) return detail::refuse_rows(group, batch, share);
    const u64 mine = detail::rows_of(share, batch.rows);
    CallStatus over = detail::before_first<Out>(link, share);
    for (u64 k = 0; k < mine; ++k) {
        const u64 row = share.first + k * share.stride;
        // A graph may be replayed without its second half: its slots would be lost for ever.
        if (group.leader() && was_sent(pending[row])) link.port.abandon(pending[row].ticket);
        Pending sent{};
        CallStatus status = over;
        if (status == CallStatus::Ok) {
            const Real* const features = batch.features + static_cast<i64>(row) * batch.feature_stride;
            status = submit(group, link, features, share.first_id + row, share.deadline_ns, &sent);
        }
        if (status != CallStatus::Ok) {
            sent = Pending{};
            detail::finish_row(group, link, batch, share, row, {status, 0});
            if (detail::ends_everything(status)) over = status;
        }
        if (group.leader()) pending[row] = sent;
    }
}

/// Second half: collects what submit_rows() left, perhaps in another grid. Each Pending is used up.
template <class Group, class Real, class Out>
PHL_HD void collect_rows(const Group& group, const Link& link, const Batch<Real, Out>& batch, const Share& share,
                         Pending* pending) {
    if (link.version != kLinkVersion) return detail::refuse_rows(group, batch, share);
    const u64 mine = detail::rows_of(share, batch.rows);
    for (u64 k = 0; k < mine; ++k) {
        const u64 row = share.first + k * share.stride;
        const Pending sent = pending[row];
        if (!was_sent(sent)) continue;
        Share own = share;
        own.first_id = sent.id - row;
        Out* const out = batch.out + static_cast<i64>(row) * batch.out_stride;
        const Outcome outcome = collect(group, link, sent, detail::row_deadline(link, share), out);
        detail::finish_row(group, link, batch, own, row, outcome);
        group.sync();  // everybody has read the Pending before it is wiped
        if (group.leader()) pending[row] = Pending{};
    }
}

}  // namespace photonlink::device
