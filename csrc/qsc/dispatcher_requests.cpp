// How requests come in: found in the slots, told apart, answered at once when they need no processor.
#include "dispatcher.hpp"

namespace photonlink::qsc {

namespace {

// Far more than a session can use, and far from the ranges that ports bring along.
constexpr u64 kIdsPerRange = 1ULL << 60;

}  // namespace

/// Finds one request. A lone caller's next request comes in the slot behind its last: looking there again and again,
/// and at all slots only every few turns, keeps the answer to a single request independent of the number of slots.
bool Dispatcher::look(ServedPort& port) {
    constexpr u32 kLooksPerPass = 8;
    if (port.server.poll_next(port.arrivals())) return true;
    if (++port.looks % kLooksPerPass != 0) return false;
    return port.server.poll(port.arrivals(), 1) != 0;
}

/// Answers or queues what has come to a port. One request at a time while they need no processor: the look stops at
/// the first, which an echo's caller is waiting for. Datapoints have an order to keep and want company in their batch.
bool Dispatcher::collect(ServedPort& port) {
    if (!look(port)) return false;
    const u32 queued = sort_in(port, 1);
    if (queued != 0) collect_all(port);
    return true;
}

void Dispatcher::collect_all(ServedPort& port) {
    sort_in(port, port.server.poll_all(port.arrivals()));
    port.sort_waiting();
}

/// Queues the datapoints among the arrivals and answers the rest; returns how many were queued.
u32 Dispatcher::sort_in(ServedPort& port, u32 arrived) {
    u32 queued = 0;
    for (u32 i = 0; i < arrived; ++i) {
        Request request;
        request.arrival = port.arrivals()[i];
        const void* frame = port.server.request_frame(request.arrival.slot);
        const auto problem = wire::parse_request(frame, port.server.geometry().slot_bytes, &request.header);
        if (problem != wire::ParseError::None) {
            port.answer(request, wire::Status::BadLength, 0);
        } else if (wire::is_datapoint(request.header.function_id)) {
            if (!port.has_ids()) port.start_ids(id_ranges_++ * kIdsPerRange);
            request.id = port.id_of(request.header.request_id);
            if (options_.stages) request.accepted_ns = platform::clock_ns();
            port.enqueue(request);
            ++queued;
        } else {
            answer_now(port, request);
        }
    }
    count_up(requests_, arrived);
    return queued;
}

void Dispatcher::answer_now(ServedPort& port, const Request& request) {
    const u32 arg_len = request.header.arg_len;
    const void* payload = port.request_payload(request);
    const u32 function = request.header.function_id;
    if (function != wire::kEcho && function != wire::kStatus)
        return port.answer(request, wire::Status::UnknownFunction, 0);
    const wire::Status status = check_key(payload, arg_len, plan_.key);
    if (status != wire::Status::Ok) return port.answer(request, status, 0);
    if (function == wire::kStatus) {
        if (arg_len != wire::kKeyBytes) return port.answer(request, wire::Status::BadLength, 0);
        return port.answer(request, wire::Status::Ok, answer_status(port, request));
    }
    const u32 data_bytes = arg_len - wire::kKeyBytes;
    platform::copy_bytes(port.response_payload(request), static_cast<const u8*>(payload) + wire::kKeyBytes, data_bytes);
    port.answer(request, wire::Status::Ok, data_bytes);
}

u32 Dispatcher::answer_status(ServedPort& port, const Request& request) {
    using wire::StatusWord;
    i64 words[static_cast<u32>(StatusWord::Count)] = {};
    if (sizeof words > port.payload_capacity()) return 0;
    const auto word = [&words](StatusWord which) -> i64& { return words[static_cast<u32>(which)]; };
    word(StatusWord::State) = static_cast<i64>(State::Serving);
    word(StatusWord::Tokens) = static_cast<i64>(counts_.tokens);
    word(StatusWord::Shots) = static_cast<i64>(counts_.shots);
    word(StatusWord::QuantumNs) = counts_.quantum_ns;
    word(StatusWord::BudgetLeft) =
        plan_.options.token_budget ? static_cast<i64>(*plan_.options.token_budget - admitted_) : -1;
    word(StatusWord::UptimeNs) = static_cast<i64>(platform::clock_ns() - plan_.started_ns);
    word(StatusWord::Clock) = static_cast<i64>(plan_.options.clock);
    platform::copy_bytes(port.response_payload(request), words, sizeof words);
    return sizeof words;
}

}  // namespace photonlink::qsc
