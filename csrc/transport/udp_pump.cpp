#include "udp_pump.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "photonlink/qsc/ledger.hpp"
#include "udp_ping.hpp"

namespace photonlink::transport {

namespace {

constexpr u64 kMillisecond = 1'000'000;
constexpr u64 kFirstResendNs = 4 * kMillisecond;  // far above a round trip, far below what a caller notices
constexpr u64 kLastResendNs = 64 * kMillisecond;
constexpr u64 kLookNs = kMillisecond;
constexpr u64 kPingNs = 200 * kMillisecond;
// A service that is gone for so long will not come back as the same.
constexpr u64 kRefusalNs = 500 * kMillisecond;
// How long the next of the answers that were given before the end of a session may take to arrive.
constexpr u64 kLastAnswersNs = 250 * kMillisecond;
// What the first request after a pause, or a stop, may have to wait for.
constexpr u64 kSleepNs = 100'000;
constexpr u32 kDatagramsPerTurn = 16;

// A stamp, which the server echoes, says what a datagram answers: slot, step and generation.
constexpr u32 kSlotBits = 13;
constexpr u32 kStepBits = 19;
constexpr u32 kNoSlot = (1u << kSlotBits) - 1;
static_assert(link::kMaxSlots < kNoSlot && (kPingStamp & kNoSlot) == kNoSlot, "a ping is mistaken for no slot");

}  // namespace

UdpPump::UdpPump(link::UniqueFd socket, const UdpPumpPort& port, const UdpMembership& member, u64 stall_limit_ns)
    : socket_(std::move(socket)),
      server_(port.server),
      client_(port.client),
      member_(member),
      stall_limit_ns_(stall_limit_ns),
      exchanges_(port.server.geometry().slots),
      arrivals_(port.server.geometry().slots),
      in_(wire::kMaxDatagramBytes),
      alive_ns_(platform::clock_ns()),
      thread_(&UdpPump::run, this) {}

UdpPump::~UdpPump() {
    if (fork_guard_.inherited()) {
        thread_.detach();  // the thread never came along, and the memory of the port neither
        return;
    }
    stopping_.store(true, std::memory_order_relaxed);  // joined below: the join orders everything
    thread_.join();
}

void UdpPump::run() {
    UdpIdle idle;
    while (!over()) {
        bool worked = take_requests();
        worked |= receive();
        look_at_clock();
        if (worked)
            idle.worked();
        else
            idle.wait(socket_.get(), -1, kSleepNs);
    }
}

bool UdpPump::over() { return ended_ || stopping_.load(std::memory_order_relaxed) || server_.client_closed(); }

/// In order of submission: those of one thread have ascending ids.
bool UdpPump::take_requests() {
    const u32 found = server_.poll_all(arrivals_.data());
    if (found == 0) return false;
    const auto id_of = [this](const link::Arrival& arrival) {
        wire::RequestHeader header;
        platform::copy_bytes(&header, server_.request_frame(arrival.slot), sizeof header);
        return header.request_id;
    };
    const u32 near = id_of(arrivals_[0]);
    std::sort(arrivals_.begin(), arrivals_.begin() + found, [&](const link::Arrival& a, const link::Arrival& b) {
        return static_cast<i32>(id_of(a) - near) < static_cast<i32>(id_of(b) - near);
    });
    for (u32 i = 0; i < found; ++i) begin(arrivals_[i]);
    return true;
}

void UdpPump::begin(const link::Arrival& arrival) {
    Exchange& exchange = exchanges_[arrival.slot];
    exchange = Exchange{};
    exchange.active = true;
    exchange.arrival = arrival;
    ++active_;
    const void* frame = server_.request_frame(arrival.slot);
    const wire::ParseError problem = wire::parse_request(frame, server_.geometry().slot_bytes, &exchange.header);
    const bool has_word = exchange.header.arg_len >= wire::kTagBytes || !member_.tag_key;
    if (problem != wire::ParseError::None || !has_word)
        return publish(exchange, static_cast<i32>(wire::Status::BadLength), nullptr, 0);
    advance(exchange, 0);
}

void UdpPump::advance(Exchange& exchange, u32 step) {
    exchange.step = step;
    exchange.interval_ns = kFirstResendNs;
    exchange.due_ns = platform::clock_ns() + exchange.interval_ns;
    send(exchange);
}

u64 UdpPump::stamp_of(const Exchange& exchange) const {
    return exchange.arrival.generation << 32 | u64{exchange.step} << kSlotBits | exchange.arrival.slot;
}

void UdpPump::send(const Exchange& exchange) {
    wire::RequestHeader header = exchange.header;
    header.ptp_timestamp = stamp_of(exchange);
    if (exchange.step == 0) return transmit(header, wire::payload(server_.request_frame(exchange.arrival.slot)));
    const wire::FetchArgs args{member_.key, header.request_id, exchange.offset(), exchange.count()};
    header.function_id = wire::kFetch;
    header.arg_len = sizeof args;
    transmit(header, &args);
}

void UdpPump::send_ping() { transmit(ping_header(), &member_.key); }

void UdpPump::transmit(const wire::RequestHeader& header, const void* payload) {
    if (!send_request(socket_.get(), header, payload, member_.tag())) note_refusal();
}

void UdpPump::note_refusal() {
    if (refused_since_ns_ == 0) refused_since_ns_ = platform::clock_ns();
}

bool UdpPump::receive() {
    u32 taken = 0;
    for (; taken < kDatagramsPerTurn && !ended_; ++taken) {
        const ssize_t bytes = ::recv(socket_.get(), in_.data(), in_.size(), MSG_DONTWAIT);
        if (bytes < 0) {
            if (errno == ECONNREFUSED) note_refusal();
            break;
        }
        take_datagram(static_cast<u64>(bytes));
    }
    return taken != 0;
}

void UdpPump::take_datagram(u64 bytes) {
    wire::ResponseHeader header;
    if (wire::parse_response(in_.data(), bytes, &header) != wire::ParseError::None) return;
    if (member_.tag_key && !is_signed(header, in_.data(), bytes, *member_.tag_key)) return;
    refused_since_ns_ = 0;
    if (header.ptp_timestamp == kPingStamp) return take_pong(header);
    const u32 slot = header.ptp_timestamp & kNoSlot;
    if (slot >= exchanges_.size()) return;
    Exchange& exchange = exchanges_[slot];
    const bool ours = exchange.active && header.ptp_timestamp == stamp_of(exchange) &&
                      header.request_id == exchange.header.request_id;
    if (ours) take_answer(exchange, header, bytes);
}

/// A ping is answered by the gateway. The heartbeat in the answer tells whether anybody serves behind it.
void UdpPump::take_pong(const wire::ResponseHeader& header) {
    UdpPong pong{};
    if (!read_pong(header, in_.data(), &pong)) return;
    if (pong.word(wire::PingWord::Serving) != 1) {
        // Another session's key, or none: ours ended while we were not heard, and nobody knows any more why.
        if (end_reason_ != 0) return;
        const u64 reason = pong.word(wire::PingWord::EndReason);
        last_answers_ns_ = platform::clock_ns() + kLastAnswersNs;
        end_reason_ = reason != 0 ? reason : static_cast<u64>(qsc::EndReason::ClientLost);
        return;
    }
    if (pong.word(wire::PingWord::Heartbeat) == heartbeat_) return;
    heartbeat_ = pong.word(wire::PingWord::Heartbeat);
    alive_ns_ = platform::clock_ns();
}

void UdpPump::take_answer(Exchange& exchange, const wire::ResponseHeader& header, u64 bytes) {
    const auto status = static_cast<wire::Status>(header.status);
    if (status == wire::Status::SessionExpired || status == wire::Status::NotServing || status == wire::Status::BadKey)
        return expire(exchange);
    if (end_reason_ != 0) last_answers_ns_ = platform::clock_ns() + kLastAnswersNs;
    if (exchange.step == 0)
        take_first(exchange, header, bytes);
    else
        take_piece(exchange, header);
}

/// Left without an answer: the ping that is due now says why, and the port is closed with that reason.
void UdpPump::expire(Exchange& exchange) {
    if (!exchange.expired) ++expired_;
    exchange.expired = true;
    next_ping_ns_ = 0;
}

void UdpPump::end() {
    server_.close(end_reason_);
    ended_ = true;
}

void UdpPump::take_first(Exchange& exchange, const wire::ResponseHeader& header, u64 bytes) {
    if (header.status == static_cast<i32>(wire::Status::ResultInSegment)) return begin_fetch(exchange, header, bytes);
    if (header.result_len > server_.geometry().slot_bytes - wire::kHeaderBytes)
        return publish(exchange, static_cast<i32>(wire::Status::ResponseTooLarge), nullptr, 0);
    publish(exchange, header.status, wire::payload(in_.data()), header.result_len);
}

void UdpPump::begin_fetch(Exchange& exchange, const wire::ResponseHeader& header, u64 bytes) {
    wire::SegmentRef where;
    if (header.result_len != sizeof where) return;
    std::memcpy(&where, wire::payload(in_.data()), sizeof where);
    // Slots of this side may be larger than the server's: then it goes where a small result would.
    u64 capacity = server_.geometry().slot_bytes - wire::kHeaderBytes;
    exchange.area = static_cast<u8*>(wire::payload(server_.response_frame(exchange.arrival.slot)));
    if (where.length > capacity)
        exchange.area = static_cast<u8*>(server_.result_area(exchange.arrival.slot, &capacity));
    exchange.total = where.length;
    exchange.piece = (member_.slot_bytes != 0 ? member_.slot_bytes : bytes) - wire::kHeaderBytes;
    exchange.too_large = exchange.area == nullptr || where.length > capacity;
    const u64 pieces = (exchange.total + exchange.piece - 1) / exchange.piece;
    exchange.too_large |= pieces + 2 > 1u << kStepBits;
    // What cannot be taken is only said to have arrived.
    if (exchange.too_large) exchange.piece = std::max<u64>(exchange.total, 1);
    advance(exchange, exchange.too_large ? 2 : 1);
}

void UdpPump::take_piece(Exchange& exchange, const wire::ResponseHeader& header) {
    const u64 count = exchange.count();
    const bool whole = header.status == static_cast<i32>(wire::Status::Ok) && header.result_len == count;
    if (!whole) return publish(exchange, header.status, nullptr, 0);
    if (count == 0) return finish_fetch(exchange);
    std::memcpy(exchange.area + exchange.offset(), wire::payload(in_.data()), count);
    advance(exchange, exchange.step + 1);
}

void UdpPump::finish_fetch(Exchange& exchange) {
    if (exchange.too_large) return publish(exchange, static_cast<i32>(wire::Status::ResponseTooLarge), nullptr, 0);
    const void* frame = server_.response_frame(exchange.arrival.slot);
    if (exchange.area == wire::payload(frame))
        return publish(exchange, static_cast<i32>(wire::Status::Ok), exchange.area, static_cast<u32>(exchange.total));
    const wire::SegmentRef where{0, exchange.total};
    publish(exchange, static_cast<i32>(wire::Status::ResultInSegment), &where, sizeof where);
}

void UdpPump::publish(Exchange& exchange, i32 status, const void* result, u32 length) {
    void* frame = server_.response_frame(exchange.arrival.slot);
    const wire::ResponseHeader header{wire::kResponseMagic, status, length, exchange.header.request_id,
                                      exchange.header.ptp_timestamp};
    platform::copy_bytes(frame, &header, sizeof header);
    if (length != 0 && result != wire::payload(frame)) platform::copy_bytes(wire::payload(frame), result, length);
    exchange.active = false;
    --active_;
    if (exchange.expired) --expired_;
    server_.publish(exchange.arrival.slot, exchange.arrival.generation);
}

/// What time asks for: datagrams that were not answered are sent again, the controller is asked whether it lives.
void UdpPump::look_at_clock() {
    const u64 now = platform::clock_ns();
    if (next_ping_ns_ <= now) {
        next_ping_ns_ = now + kPingNs;
        send_ping();
    }
    if (now < next_look_ns_) return;
    next_look_ns_ = now + kLookNs;
    if (end_reason_ != 0 && (expired_ == active_ || now >= last_answers_ns_)) return end();
    const bool refused = refused_since_ns_ != 0 && now - refused_since_ns_ > kRefusalNs;
    if (refused || now - alive_ns_ > stall_limit_ns_) {
        client_.mark_peer_lost();
        ended_ = true;
        return;
    }
    for (std::size_t slot = 0; active_ != 0 && slot < exchanges_.size(); ++slot) {
        Exchange& exchange = exchanges_[slot];
        if (!exchange.active || now < exchange.due_ns) continue;
        exchange.interval_ns = std::min(2 * exchange.interval_ns, kLastResendNs);
        exchange.due_ns = now + exchange.interval_ns;
        send(exchange);
    }
}

}  // namespace photonlink::transport
