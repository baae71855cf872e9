#include "client_flight.hpp"

namespace photonlink::qsc {

namespace {

constexpr u64 kSliceNs = 100'000'000;  // longest wait without a look at cancellation and signals

u64 later(u64 from, u64 by) { return from + by < from ? kNever : from + by; }

}  // namespace

Flight::Flight(link::ClientHandle& port, ClientCall& call, u64 rows, u64 first_id, const CallOptions& options)
    : port_(port),
      call_(call),
      rows_(rows),
      first_id_(first_id),
      options_(options),
      progress_ns_(platform::clock_ns()),
      next_interrupt_ns_(later(progress_ns_, kSliceNs)) {
    const u32 slots = port.geometry().slots;
    const u32 limit = options.in_flight == 0 ? slots : std::min(options.in_flight, slots);
    const ClientCall::Pace pace = call.prepare(rows, limit, port.geometry().slot_bytes - wire::kHeaderBytes);
    request_rows_ = pace.rows;
    requests_ = (rows + pace.rows - 1) / pace.rows;
    const u32 most = options.in_flight == 0 ? pace.requests : std::min(pace.requests, options.in_flight / pace.rows);
    tickets_.resize(static_cast<std::size_t>(std::clamp<u64>(requests_, 1, most)));
}

CallResult Flight::run() {
    const u64 started = progress_ns_;
    result_.row = kNever;
    while (collected_ < requests_ && result_.status == CallStatus::Ok) result_.status = step();
    if (result_.row == kNever) result_.row = std::min(first_row(collected_), rows_);
    result_.request_id = static_cast<u32>(first_id_ + result_.row);
    result_.elapsed_ns = platform::clock_ns() - started;
    return result_;
}

CallStatus Flight::step() {
    const CallStatus filled = fill();
    if (filled != CallStatus::Ok) return filled;
    const CallStatus waited = submitted_ > collected_ ? collect_oldest() : await_slot();
    return waited == CallStatus::Ok && collected_ < requests_ ? look_around(progress_ns_) : waited;
}

/// Submits while there are requests and slots. A closed port is an error only once nothing is left to collect: answers
/// that were published before it are still there.
CallStatus Flight::fill() {
    while (submitted_ < requests_ && submitted_ - collected_ < tickets_.size()) {
        link::Ticket claimed{};
        const link::LinkStatus status = port_.try_claim(&claimed);
        if (status == link::LinkStatus::Full) return CallStatus::Ok;
        if (status != link::LinkStatus::Ok) return submitted_ > collected_ ? CallStatus::Ok : of_link(status);
        link::Sink sink{nullptr, 0};
        call_.write(first_row(submitted_), request_id(submitted_), port_.request_frame(claimed), &sink);
        // A server in another process cannot follow the pointer and uses the slot's result area.
        if (sink.data != nullptr) static_cast<void>(port_.set_sink(claimed, sink.data, sink.capacity));
        port_.submit(claimed);
        ticket(submitted_++) = claimed;
    }
    return CallStatus::Ok;
}

CallStatus Flight::collect_oldest() {
    const link::Ticket oldest = ticket(collected_);
    const CallStatus answered = await_answer(oldest);
    if (answered != CallStatus::Ok) return answered;
    const CallStatus status = read(oldest);
    port_.release(oldest);
    if (status != CallStatus::Ok) result_.row = first_row(collected_);
    ++collected_;
    progress_ns_ = platform::clock_ns();
    return status;
}

CallStatus Flight::await_answer(link::Ticket ticket) {
    const u64 deadline = std::min(options_.deadline_ns, later(progress_ns_, options_.row_timeout_ns));
    u64 now = progress_ns_;  // a moment old, which saves a look at the clock where the answer comes at once
    for (;;) {
        const u64 slice = later(now, kSliceNs);
        const link::LinkStatus status = port_.wait(ticket, std::min(deadline, slice), link::Backoff{});
        if (status != link::LinkStatus::Timeout) return of_link(status);
        now = platform::clock_ns();
        if (now >= deadline) return CallStatus::Timeout;
        const CallStatus around = look_around(now);
        if (around != CallStatus::Ok) return around;
    }
}

/// Every slot is taken by other callers: one step of back-off at a time, holding nothing.
CallStatus Flight::await_slot() {
    link::BackoffState backoff{link::Backoff{}};
    const u64 deadline = std::min(options_.deadline_ns, later(progress_ns_, options_.row_timeout_ns));
    for (;;) {
        link::Ticket claimed{};
        const link::LinkStatus status = port_.try_claim(&claimed);
        if (status == link::LinkStatus::Ok) {
            port_.cancel(claimed);  // fill() takes it again at once, or loses it: hence the look at the deadline
            return look_around(platform::clock_ns());
        }
        if (status != link::LinkStatus::Full) return of_link(status);
        if (!backoff.step()) continue;
        const u64 now = platform::clock_ns();
        if (now >= deadline) return CallStatus::Timeout;
        const CallStatus around = look_around(now);
        if (around != CallStatus::Ok) return around;
    }
}

CallStatus Flight::read(link::Ticket ticket) {
    const u64 frame_bytes = port_.geometry().slot_bytes;
    const void* frame = port_.response_frame(ticket);
    wire::ResponseHeader header;
    if (wire::parse_response(frame, frame_bytes, &header) != wire::ParseError::None) return CallStatus::ProtocolError;
    if (header.request_id != request_id(collected_)) return CallStatus::ProtocolError;
    result_.wire_status = header.status;
    const void* result = wire::payload(frame);
    u64 length = header.result_len;
    if (header.status == static_cast<i32>(wire::Status::ResultInSegment)) {
        wire::SegmentRef where;
        u64 capacity = 0;
        const void* area = port_.result_area(ticket, &capacity);
        if (length != sizeof where || area == nullptr) return CallStatus::ProtocolError;
        platform::copy_bytes(&where, result, sizeof where);
        if (where.offset > capacity || where.length > capacity - where.offset) return CallStatus::ProtocolError;
        result = static_cast<const u8*>(area) + where.offset;
        length = where.length;
    } else if (header.status != static_cast<i32>(wire::Status::Ok)) {
        return CallStatus::Refused;
    }
    return call_.take(first_row(collected_), result, length) ? CallStatus::Ok : CallStatus::ProtocolError;
}

CallStatus Flight::look_around(u64 now) {
    if (options_.cancelled != nullptr && options_.cancelled->load(std::memory_order_relaxed))
        return CallStatus::Cancelled;
    if (now >= options_.deadline_ns) return CallStatus::Timeout;
    if (options_.interrupted == nullptr || now < next_interrupt_ns_) return CallStatus::Ok;
    next_interrupt_ns_ = later(now, kSliceNs);
    return options_.interrupted(options_.context) ? CallStatus::Interrupted : CallStatus::Ok;
}

CallStatus Flight::of_link(link::LinkStatus status) {
    switch (status) {
        case link::LinkStatus::Ok:
            return CallStatus::Ok;
        case link::LinkStatus::Timeout:
            return CallStatus::Timeout;
        case link::LinkStatus::PeerLost:
            return CallStatus::PeerLost;
        case link::LinkStatus::Closed:
            result_.close_reason = port_.server_close_reason();
            return CallStatus::Closed;
        default:
            return CallStatus::ProtocolError;
    }
}

}  // namespace photonlink::qsc
