// What one group of a library kernel does, from its first to its last instruction: kernels/ only adds __global__ and
// the index of the group. Portable.
#pragma once

#include "photonlink/device/batch.hpp"

namespace photonlink::device {

/// How a launch is divided, and how long it may take; the same for all of its groups.
struct Launch {
    u64 groups;
    u64 limit_ns;  // of the whole launch
    u32 window;    // rows that a group keeps in flight, 1..kMaxWindow
};

namespace detail {

/// The share of group `index`. Times are taken by every thread, and only rank 0's are used.
template <class Group>
PHL_HD Share begin_share(const Group& group, const Link& link, LaunchWords* words, const Launch& launch, u64 index,
                         u64 rows) {
    Share share{index, launch.groups, kNoId, platform::clock_ns(), 0};
    share.deadline_ns = share.began_ns + launch.limit_ns;
    share.first_id = begin_launch(group, link, words, launch.groups, rows, share.deadline_ns);
    return share;
}

}  // namespace detail

/// A whole batch: group `index` of the launch sends its rows and collects them.
template <class Group, class Real, class Out>
PHL_HD void infer_group(const Group& group, const Link& link, const Batch<Real, Out>& batch, LaunchWords* words,
                        const Launch& launch, u64 index) {
    const Share share = detail::begin_share(group, link, words, launch, index, batch.rows);
    infer_rows(group, link, batch, share, launch.window);
    end_launch(group, words, launch.groups);
}

/// First half of a split call; `pending` has one entry per row.
template <class Group, class Real, class Out>
PHL_HD void submit_group(const Group& group, const Link& link, const Batch<Real, Out>& batch, LaunchWords* words,
                         const Launch& launch, u64 index, Pending* pending) {
    const Share share = detail::begin_share(group, link, words, launch, index, batch.rows);
    submit_rows(group, link, batch, share, pending);
    end_launch(group, words, launch.groups);
}

/// Second half. Ids come from `pending`, so that the groups of this launch have nothing to agree on.
template <class Group, class Real, class Out>
PHL_HD void collect_group(const Group& group, const Link& link, const Batch<Real, Out>& batch, const Launch& launch,
                          u64 index, Pending* pending) {
    const u64 now = platform::clock_ns();
    collect_rows(group, link, batch, Share{index, launch.groups, 0, now, now + launch.limit_ns}, pending);
}

/// Instead of the second half: gives up on what submit_group() left, entry `index` of `pending`. Never waits; the
/// datapoints' tokens still count.
PHL_HD void abandon_pending(Link link, Pending* pending, u64 index) {
    const Pending given_up = pending[index];
    if (!was_sent(given_up)) return;
    link.port.abandon(given_up.ticket);
    pending[index] = Pending{};
}

}  // namespace photonlink::device
