// One datapoint from inside a kernel: encode, publish, wait (bounded), copy. A group of threads makes each call
// together; rank 0 speaks to the link. Every function returns a status that is the same for all threads of the group,
// and none waits beyond its deadline. Portable: the text that a kernel runs is the text that the CPU tests run.
#pragma once

#include "photonlink/device/link.hpp"
#include "photonlink/group.hpp"
#include "photonlink/wire/functions.hpp"

namespace photonlink::device {

inline constexpr u64 kNever = ~0ULL;

/// A datapoint that was sent: collect it or abandon it.
struct Pending {
    link::Ticket ticket;
    u64 id;
};

/// False for a Pending{}, which stands for a row that was not sent.
PHL_HD bool was_sent(const Pending& pending) { return pending.ticket.generation != 0; }

/// What came of a datapoint. All threads of a group hold the same.
struct Outcome {
    CallStatus status;
    i32 wire_status;  // of CallStatus::Refused
};

/// True if this code and `Out` fit the link.
template <class Out>
PHL_HD bool fits(const Link& link) {
    return link.version == kLinkVersion && link.result_bytes == sizeof(Out);
}

using platform::quiet_nan;  // stands in for a result that did not come

/// The moment `span_ns` from now, or never if that is beyond the clock's end.
PHL_HD u64 deadline_after(u64 span_ns) {
    const u64 now = platform::clock_ns();
    return span_ns > kNever - now ? kNever : now + span_ns;
}

namespace detail {

PHL_HD bool is_finite(double value) { return value - value == 0.0; }

PHL_HD CallStatus of_link(link::LinkStatus status) {
    switch (status) {
        case link::LinkStatus::Ok:
            return CallStatus::Ok;
        case link::LinkStatus::Timeout:
            return CallStatus::Timeout;
        case link::LinkStatus::Closed:
            return CallStatus::Closed;
        case link::LinkStatus::PeerLost:
            return CallStatus::PeerLost;
        case link::LinkStatus::Full:
            return CallStatus::Full;
        default:
            return CallStatus::ProtocolError;
    }
}

template <u64 Step, class Group>
PHL_HD void copy_steps(const Group& group, u8* to, const u8* from, u64 bytes) {
    for (u64 at = group.rank() * Step; at < bytes; at += group.size() * Step)
        platform::copy_fixed<Step>(__builtin_assume_aligned(to + at, Step), __builtin_assume_aligned(from + at, Step));
}

/// Copies observables out of link memory (8-aligned there), the threads side by side, in the largest steps that their
/// place and number allow: each load is a trip over the bus, and loads of neighbouring threads share one.
template <class Group, class Out>
PHL_HD void copy_out(const Group& group, Out* to, const u8* from, u64 count) {
    u8* const target = reinterpret_cast<u8*>(to);
    const u64 bytes = count * sizeof(Out);
    if ((reinterpret_cast<u64>(to) | bytes) % 8 == 0)
        copy_steps<8>(group, target, from, bytes);
    else
        copy_steps<sizeof(Out)>(group, target, from, bytes);
}

/// The phases of one datapoint into its request; true if this thread met one that is not finite.
template <class Group, class Real>
PHL_HD bool write_phases(const Group& group, const EncodingView& map, const Real* features, double* phases) {
    bool bad = false;
    for (u32 row = group.rank(); row < map.phases; row += group.size()) {
        const double phase = encode_phase(map, features, row);
        bad |= !is_finite(phase);
        phases[row] = phase;
    }
    return bad;
}

template <class Group, class Real>
PHL_HD bool any_bad_feature(const Group& group, const EncodingView& map, const Real* features) {
    bool bad = false;
    for (u32 column = group.rank(); column < map.features; column += group.size())
        bad |= !is_finite(static_cast<double>(features[column]));
    return group.any(bad);
}

/// A struct out of a slot, where it lies 8-aligned: read once, and into registers.
template <class T>
PHL_HD T read_words(const void* from) {
    T value;
    platform::copy_words<sizeof value>(&value, from);
    return value;
}

/// The header of a request for datapoint or call `id`; returns where its arguments lie.
PHL_HD u64* write_header(u8* frame, u32 function, u32 arg_len, u64 id) {
    const wire::RequestHeader header{wire::kRequestMagic, function, arg_len, static_cast<u32>(id), 0};
    platform::copy_words<sizeof header>(frame, &header);
    return static_cast<u64*>(wire::payload(static_cast<void*>(frame)));
}

/// Header, key and counts; the phases lie between them.
PHL_HD void write_frame(const Link& link, u8* frame, u64 id) {
    const u32 arg_len = wire::infer_arg_len(link.phases(), sizeof(double));
    const u32 function = link.result_bytes == sizeof(double) ? wire::kInfer : wire::kInferMixed;
    u64* const arguments = write_header(frame, function, arg_len, id);
    arguments[0] = link.key;
    arguments[1] = link.phases();
    arguments[2 + link.phases()] = link.outputs;
}

struct Located {
    Outcome outcome;
    const u8* bytes;
};

/// Rank 0 only: waits, reads the header once, and finds where `length` bytes of result lie.
PHL_HD Located await(const Link& link, const Pending& pending, u64 deadline_ns, u64 length) {
    const CallStatus waited = of_link(link.port.wait(pending.ticket, deadline_ns, link.backoff));
    if (waited != CallStatus::Ok) return {{waited, 0}, nullptr};
    constexpr Located kBroken{{CallStatus::ProtocolError, 0}, nullptr};
    const void* const frame = link.port.response_frame(pending.ticket);
    const auto header = read_words<wire::ResponseHeader>(frame);
    if (wire::check_response(header, link.port.geometry().slot_bytes) != wire::ParseError::None) return kBroken;
    if (header.request_id != static_cast<u32>(pending.id)) return kBroken;
    const u8* const payload = static_cast<const u8*>(wire::payload(frame));
    if (header.status == static_cast<i32>(wire::Status::Ok))
        return header.result_len == length ? Located{{CallStatus::Ok, 0}, payload} : kBroken;
    if (header.status != static_cast<i32>(wire::Status::ResultInSegment))
        return {{CallStatus::Refused, header.status}, nullptr};
    u64 capacity = 0;
    const u8* const area = static_cast<const u8*>(link.port.result_area(pending.ticket, &capacity));
    if (header.result_len != sizeof(wire::SegmentRef) || area == nullptr) return kBroken;
    const auto where = read_words<wire::SegmentRef>(payload);
    if (where.offset % 8 != 0 || where.offset > capacity || where.length > capacity - where.offset ||
        where.length != length)
        return kBroken;
    return {{CallStatus::Ok, 0}, area + where.offset};
}

struct Claim {
    link::Ticket ticket;
    CallStatus status;
};

/// Encodes into a slot that rank 0 has claimed and publishes it, or gives it back: Ok or BadPhase.
template <class Group, class Real>
PHL_HD CallStatus send(const Group& group, const Link& link, const Real* features, u64 id, link::Ticket ticket) {
    u8* const frame = static_cast<u8*>(link.port.request_frame(ticket));
    double* const phases = reinterpret_cast<double*>(frame + wire::kHeaderBytes + wire::kKeyBytes + wire::kCountBytes);
    const bool bad = write_phases(group, link.encoding, features, phases);
    if (group.leader()) write_frame(link, frame, id);
    // Also the barrier behind which rank 0 may publish what the others have written: its release at system scope is
    // cumulative over what it observed through the barrier.
    if (group.any(bad)) {
        if (group.leader()) link.port.cancel(ticket);
        return CallStatus::BadPhase;
    }
    if (group.leader()) link.port.submit(ticket);
    return CallStatus::Ok;
}

/// Rank 0 only: takes a slot, waiting for one until `deadline_ns`. Full if there is none by then.
PHL_HD Claim claim_slot(const Link& link, u64 deadline_ns) {
    link::BackoffState backoff(link.backoff);
    Claim claim{};
    for (;;) {
        claim.status = of_link(link.port.claim_free(&claim.ticket));
        if (claim.status != CallStatus::Full || platform::clock_ns() >= deadline_ns) return claim;
        backoff.step();
    }
}

template <class Group, class Real>
PHL_HD CallStatus submit_until(const Group& group, const Link& link, const Real* features, u64 id, u64 deadline_ns,
                               Pending* pending) {
    if (link.version != kLinkVersion) return CallStatus::WrongType;
    // Looked at before a slot is taken, and all of them, also those that no phase uses: as host calls do.
    if (any_bad_feature(group, link.encoding, features)) return CallStatus::BadFeature;
    Claim claim{};
    if (group.leader()) claim = claim_slot(link, deadline_ns);
    claim = group.from_leader(claim);
    if (claim.status != CallStatus::Ok) return claim.status;
    *pending = Pending{claim.ticket, id};
    return send(group, link, features, id, claim.ticket);
}

}  // namespace detail

/// Encodes `features` (link.features() values) straight into a slot and sends it as datapoint `id`. Never waits: Ok,
/// Full, BadFeature, BadPhase, WrongType, or Closed/PeerLost if that is why no slot is free. `pending` is the calling
/// thread's own, and means something only after Ok.
template <class Group, class Real>
PHL_HD CallStatus try_submit(const Group& group, const Link& link, const Real* features, u64 id, Pending* pending) {
    return detail::submit_until(group, link, features, id, 0, pending);
}

/// try_submit() that waits for a free slot, and says Timeout if none came. Call it only while the group holds no
/// finished slot of its own, else groups could wait for each other; infer_rows() shows how to keep several datapoints
/// in flight.
template <class Group, class Real>
PHL_HD CallStatus submit(const Group& group, const Link& link, const Real* features, u64 id, u64 deadline_ns,
                         Pending* pending) {
    const CallStatus status = detail::submit_until(group, link, features, id, deadline_ns, pending);
    return status == CallStatus::Full ? CallStatus::Timeout : status;
}

/// Waits for an answer until `deadline_ns` on platform::clock_ns() and copies link.outputs observables to `out`. The
/// slot is given back whatever happens: after a Timeout the datapoint is abandoned and its token still counts.
template <class Group, class Out>
PHL_HD Outcome collect(const Group& group, const Link& link, const Pending& pending, u64 deadline_ns, Out* out) {
    // Nothing of a link of another version may be touched, its slots included.
    if (link.version != kLinkVersion) return {CallStatus::WrongType, 0};
    detail::Located found{{CallStatus::WrongType, 0}, nullptr};
    if (group.leader() && fits<Out>(link))
        found = detail::await(link, pending, deadline_ns, link.outputs * sizeof(Out));
    found = group.from_leader(found);
    const CallStatus status = found.outcome.status;
    if (status == CallStatus::Ok) {
        detail::copy_out(group, out, found.bytes, link.outputs);
        group.sync();  // everybody has read before rank 0 gives the slot back
    }
    if (group.leader()) {
        const bool answered =
            status == CallStatus::Ok || status == CallStatus::Refused || status == CallStatus::ProtocolError;
        if (answered)
            link.port.release(pending.ticket);
        else
            link.port.abandon(pending.ticket);
    }
    return found.outcome;
}

/// One datapoint, there and back: features (link.features() values) in, observables (link.outputs values of the
/// session's precision) out. Waits link.row_timeout_ns at most. On any status but Ok, `out` is untouched and nothing is
/// latched: the caller decides.
template <class Group, class Real, class Out>
PHL_HD Outcome infer(const Group& group, const Link& link, const Real* features, Out* out) {
    struct Start {
        u64 id;
        u64 deadline_ns;
    };
    if (!fits<Out>(link)) return {CallStatus::WrongType, 0};
    Start start{};
    if (group.leader()) start = Start{take_ids(link, 1), deadline_after(link.row_timeout_ns)};
    start = group.from_leader(start);
    Pending pending{};
    const CallStatus sent = submit(group, link, features, start.id, start.deadline_ns, &pending);
    if (sent != CallStatus::Ok) return {sent, 0};
    return collect(group, link, pending, start.deadline_ns, out);
}

}  // namespace photonlink::device
