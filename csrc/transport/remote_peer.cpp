#include "remote_peer.hpp"

#include <cstring>

namespace photonlink::transport {

namespace {

// Requests remembered per slot. The most that a client has under way is one per slot.
constexpr u32 kWindowPerSlot = 4;

// Where a client's ids are counted from: the low half is that of the wire, and there is room below.
constexpr u64 kFirstId = 1ULL << 40;

/// Tells different requests under one id apart. Clients have the session's key: nobody is kept from forging it.
u64 hash_of(const wire::RequestHeader& header, const u8* frame) {
    constexpr u64 kFactor = 0x9E3779B97F4A7C15ULL;
    const u8* bytes = static_cast<const u8*>(wire::payload(frame));
    u64 hash = (u64{header.function_id} << 32 | header.arg_len) * kFactor;
    for (u64 left = header.arg_len; left != 0;) {
        const u64 count = left < sizeof(u64) ? left : sizeof(u64);
        u64 word = 0;
        std::memcpy(&word, bytes, count);
        hash = (hash ^ word) * kFactor;
        hash ^= hash >> 32;
        bytes += count;
        left -= count;
    }
    return hash;
}

}  // namespace

RemotePeer::RemotePeer(const link::Geometry& geometry, u64 silence_ns, std::atomic<u64>& repeated)
    : silence_ns_(silence_ns),
      repeated_(repeated),
      port_(geometry),
      client_(port_.client()),
      stride_(geometry.slot_bytes),
      datapoints_(kWindowPerSlot * geometry.slots, stride_),
      calls_(kWindowPerSlot * geometry.slots, stride_),
      newest_id_(kFirstId),
      waiting_(2u * kWindowPerSlot * geometry.slots) {
    in_flight_.reserve(geometry.slots);
}

qsc::PortAttachment RemotePeer::attachment(const std::shared_ptr<RemotePeer>& peer, u64 first_id) {
    qsc::PortAttachment attachment;
    attachment.server = peer->port_.server();
    attachment.owner = peer;
    attachment.alive = [peer] { return peer->alive(); };
    attachment.first_id = first_id;
    return attachment;
}

// Relaxed, here and where they are stored: a time carries nothing with it.
bool RemotePeer::alive() const {
    if (!pings_.load(std::memory_order_relaxed)) return true;
    const u64 heard_ns = heard_ns_.load(std::memory_order_relaxed);
    const u64 now = platform::clock_ns();
    return now < heard_ns || now - heard_ns < silence_ns_;
}

std::optional<wire::Status> RemotePeer::accept(const wire::RequestHeader& header, const u8* frame, u32 place) {
    heard_ns_.store(platform::clock_ns(), std::memory_order_relaxed);
    if (header.function_id == wire::kPing) return ping(header, place);
    if (header.function_id == wire::kFetch) return fetch(header, frame, place);
    if (wire::is_datapoint(header.function_id)) return accept_datapoint(header, frame, place);
    return start(calls_, calls_seen_, 0, header, frame, place);
}

std::optional<wire::Status> RemotePeer::accept_datapoint(const wire::RequestHeader& header, const u8* frame,
                                                         u32 place) {
    const u64 id = wire::unwrap_id(header.request_id, newest_id_);
    const u64 hash = hash_of(header, frame);
    if (RequestRecord* record = datapoints_.find(id)) return repeat(*record, header, hash, place);
    if (datapoints_.is_below(id)) return wire::Status::Stale;
    return start(datapoints_, id, hash, header, frame, place);
}

std::optional<wire::Status> RemotePeer::repeat(RequestRecord& record, const wire::RequestHeader& header, u64 hash,
                                               u32 place) {
    if (record.hash != hash) return wire::Status::IdReused;
    count_up(repeated_);
    if (record.stage == Stage::Done || record.stage == Stage::Held) {
        wire::ResponseHeader answered;
        std::memcpy(&answered, record.frame, sizeof answered);
        answered.ptp_timestamp = header.ptp_timestamp;  // that of the datagram which is answered
        answer(place, answered, wire::payload(record.frame));
    } else {
        await_answer(place, record.place);
    }
    return std::nullopt;
}

void RemotePeer::await_answer(u32, u32) {}

/// Hands a new request to the controller, or keeps it until a slot is free.
std::optional<wire::Status> RemotePeer::start(RequestWindow& window, u64 id, u64 hash,
                                              const wire::RequestHeader& header, const u8* frame, u32 place) {
    if (close_reason() != 0) return wire::Status::SessionExpired;
    if (!vacate(window.oldest())) return overload();
    RequestRecord& record = window.take(id);
    if (&window == &datapoints_) {
        newest_id_ = std::max(newest_id_, id);
    } else {
        ++calls_seen_;
    }
    record.hash = hash;
    record.header = header;
    record.place = place;
    record.result_bytes = 0;
    if (waiting_count_ == 0 && submit(record, frame)) return std::nullopt;
    std::memcpy(record.frame, frame, wire::kHeaderBytes + u64{header.arg_len});
    record.stage = Stage::Waiting;
    waiting_[(waiting_first_ + waiting_count_++) % waiting_.size()] = &record;
    return std::nullopt;
}

bool RemotePeer::vacate(RequestRecord& record) {
    if (record.stage == Stage::Held && record.fetched) drop_result(record);
    return record.stage == Stage::Free || record.stage == Stage::Done;
}

bool RemotePeer::submit(RequestRecord& record, const u8* frame) {
    link::LinkStatus claimed = client_.try_claim(&record.ticket);
    if (claimed == link::LinkStatus::Full && recycle_held()) claimed = client_.try_claim(&record.ticket);
    if (claimed != link::LinkStatus::Ok) return false;
    std::memcpy(client_.request_frame(record.ticket), frame, wire::kHeaderBytes + u64{record.header.arg_len});
    client_.submit(record.ticket);
    record.stage = Stage::Executing;
    in_flight_.push_back(&record);
    return true;
}

/// Frees the slot of a result that was fetched to its end, for clients that do not say when they have it. Those that do
/// never have as many results unfetched as there are slots.
bool RemotePeer::recycle_held() {
    bool freed = false;
    datapoints_.each([this, &freed](RequestRecord& record) {
        if (freed || record.stage != Stage::Held || !record.fetched) return;
        drop_result(record);
        freed = true;
    });
    return freed;
}

bool RemotePeer::harvest() {
    bool worked = false;
    for (std::size_t i = 0; i < in_flight_.size();) {
        RequestRecord& record = *in_flight_[i];
        if (!client_.settled(record.ticket)) {
            ++i;
            continue;
        }
        in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(i));
        finish(record);
        worked = true;
    }
    while (waiting_count_ != 0 && submit(*waiting_[waiting_first_], waiting_[waiting_first_]->frame)) {
        waiting_first_ = (waiting_first_ + 1) % waiting_.size();
        --waiting_count_;
        worked = true;
    }
    return worked;
}

/// Keeps the answer and sends it.
void RemotePeer::finish(RequestRecord& record) {
    const void* frame = client_.response_frame(record.ticket);
    wire::ResponseHeader header;
    wire::parse_response(frame, stride_, &header);  // our own dispatcher's: sound
    std::memcpy(record.frame, frame, wire::kHeaderBytes + u64{header.result_len});
    if (header.status == static_cast<i32>(wire::Status::ResultInSegment)) {
        wire::SegmentRef where;
        std::memcpy(&where, wire::payload(frame), sizeof where);
        record.result = static_cast<const u8*>(client_.result_area(record.ticket)) + where.offset;
        record.result_bytes = where.length;
        record.fetched = false;
        record.stage = Stage::Held;
    } else {
        client_.release(record.ticket);
        record.stage = Stage::Done;
    }
    answer(record.place, header, wire::payload(record.frame));
}

void RemotePeer::drop_result(RequestRecord& record) {
    client_.release(record.ticket);
    record.stage = Stage::Done;
}

std::optional<wire::Status> RemotePeer::fetch(const wire::RequestHeader& header, const u8* frame, u32 place) {
    wire::FetchArgs args;
    if (header.arg_len != sizeof args) return wire::Status::BadLength;
    std::memcpy(&args, wire::payload(frame), sizeof args);
    RequestRecord* record = datapoints_.find(wire::unwrap_id(static_cast<u32>(args.id), newest_id_));
    if (record == nullptr) return wire::Status::Stale;
    if (args.offset > record->result_bytes || args.count > record->result_bytes - args.offset ||
        args.count > stride_ - wire::kHeaderBytes)
        return wire::Status::BadLength;
    const bool end = args.offset == record->result_bytes;
    if (record->stage != Stage::Held && !(end && record->stage == Stage::Done)) return wire::Status::Stale;
    answer(place, wire::response_to(header, wire::Status::Ok, static_cast<u32>(args.count)),
           record->result + args.offset);
    if (record->stage != Stage::Held) return std::nullopt;
    if (end)
        drop_result(*record);
    else if (args.offset + args.count == record->result_bytes)
        record->fetched = true;
    return std::nullopt;
}

std::optional<wire::Status> RemotePeer::ping(const wire::RequestHeader& header, u32 place) {
    using wire::PingWord;
    if (header.arg_len != wire::kKeyBytes) return wire::Status::BadLength;
    pings_.store(true, std::memory_order_relaxed);
    u64 words[static_cast<u32>(PingWord::Count)] = {};
    words[static_cast<u32>(PingWord::EndReason)] = close_reason();
    words[static_cast<u32>(PingWord::Serving)] = close_reason() == 0 ? 1 : 0;
    words[static_cast<u32>(PingWord::Heartbeat)] = client_.server_heartbeat();
    answer(place, wire::response_to(header, wire::Status::Ok, sizeof words), words);
    return std::nullopt;
}

}  // namespace photonlink::transport
