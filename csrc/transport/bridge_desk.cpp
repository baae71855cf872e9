#include "bridge_desk.hpp"

#include <cstring>

namespace photonlink::transport {

namespace {

// An answer that a provider cannot send is lost, as on any wire; so many in a row are no accident.
constexpr u32 kMostFailures = 16;

// The flags belong to the provider's interface, not to our link. Acquire pairs with the provider's release of a slot,
// release with its acquire.
u64 load_flag(const volatile u64* flag) { return __atomic_load_n(flag, __ATOMIC_ACQUIRE); }
void store_flag(volatile u64* flag, u64 value) { __atomic_store_n(flag, value, __ATOMIC_RELEASE); }

}  // namespace

BridgeDesk::BridgeDesk(const BridgePlane& plane, u64 silence_ns)
    : plane_(plane), silence_ns_(silence_ns), places_(plane.slots), frame_(plane.slot_bytes) {}

bool BridgeDesk::take(u32* place) {
    if (problem_ || owed_ == plane_.slots) return false;
    if (!(has_hooks() ? find_by_hooks(place) : find_by_flags(place))) return false;
    copy_in(*place);
    places_[*place].owed = true;
    ++owed_;
    return true;
}

bool BridgeDesk::find_by_hooks(u32* place) {
    u32 slot = kNone;
    const int status = plane_.plane.rx_poll(plane_.plane.context, &slot);
    if (status == bridge::kEmpty) return false;
    if (status != bridge::kReady || slot >= plane_.slots || places_[slot].owed) {
        problem_ = "rx_poll returned status " + std::to_string(status) + " and slot " + std::to_string(slot) +
                   ", which is none of " + std::to_string(plane_.slots) + " or is still owed an answer";
        return false;
    }
    store_flag(&plane_.plane.rings.tx_flags_host[slot], bridge::kInFlight);
    *place = slot;
    return true;
}

/// In the order of the ring. A slot is free for the next request when it was answered and the answer was sent.
bool BridgeDesk::find_by_flags(u32* place) {
    const bridge::Rings& rings = plane_.plane.rings;
    if (places_[cursor_].owed || load_flag(&rings.rx_flags_host[cursor_]) == 0) return false;
    if (load_flag(&rings.tx_flags_host[cursor_]) != 0) return false;
    *place = cursor_;
    cursor_ = cursor_ + 1 == plane_.slots ? 0 : cursor_ + 1;
    return true;
}

/// Once, header first: a peer that writes into the slot meanwhile harms only its own request.
void BridgeDesk::copy_in(u32 place) {
    const u8* slot = plane_.plane.rings.rx_data_host + place * plane_.plane.rings.rx_stride;
    wire::RequestHeader& header = places_[place].header;
    std::memcpy(&header, slot, sizeof header);
    std::memcpy(frame_.data(), &header, sizeof header);
    const u32 room = plane_.slot_bytes - wire::kHeaderBytes;
    std::memcpy(frame_.data() + sizeof header, slot + sizeof header, header.arg_len < room ? header.arg_len : room);
}

void BridgeDesk::answer(u32 place, const wire::ResponseHeader& header, const void* result) {
    while (place != kNone && places_[place].owed) {
        const u32 also = places_[place].also;
        send(place, header, result);
        place = also;
    }
}

void BridgeDesk::await_answer(u32 place, u32 first) {
    if (!places_[first].owed) return refuse(place, wire::Status::SessionExpired);
    places_[place].also = places_[first].also;
    places_[first].also = place;
}

void BridgeDesk::drop(u32 place) {
    if (!has_hooks()) return refuse(place, wire::Status::UnknownFunction);
    store_flag(&plane_.plane.rings.tx_flags_host[place], 0);
    give_back(place);
}

void BridgeDesk::refuse(u32 place, wire::Status status) {
    answer(place, wire::response_to(places_[place].header, status, 0), nullptr);
}

void BridgeDesk::refuse_all(wire::Status status) {
    for (u32 place = 0; place < plane_.slots; ++place)
        if (places_[place].owed) send(place, wire::response_to(places_[place].header, status, 0), nullptr);
}

/// Zeros behind the result: no bytes of earlier answers leave, however much of a slot the provider sends.
void BridgeDesk::send(u32 place, wire::ResponseHeader header, const void* result) {
    header.ptp_timestamp = places_[place].header.ptp_timestamp;
    u8* slot = plane_.plane.rings.tx_data_host + place * plane_.plane.rings.tx_stride;
    std::memcpy(slot, &header, sizeof header);
    if (result != nullptr) std::memcpy(slot + sizeof header, result, header.result_len);
    std::memset(slot + sizeof header + header.result_len, 0,
                plane_.plane.rings.tx_stride - sizeof header - header.result_len);
    if (!problem_) hand_over(place, slot);
    give_back(place);
}

void BridgeDesk::hand_over(u32 place, const u8* slot) {
    const bridge::Rings& rings = plane_.plane.rings;
    if (has_hooks()) {
        const int status = plane_.plane.tx_publish(plane_.plane.context, place);
        store_flag(&rings.tx_flags_host[place], 0);
        failures_ = status == bridge::kOk ? 0 : failures_ + 1;
        if (failures_ >= kMostFailures)
            problem_ = "tx_publish failed " + std::to_string(failures_) + " times in a row, last with status " +
                       std::to_string(status);
        return;
    }
    store_flag(&rings.tx_flags_host[place], reinterpret_cast<u64>(slot));
    store_flag(&rings.rx_flags_host[place], 0);  // behind the answer: the slot is the provider's again
    unsent_ = place;
    unsent_ns_ = platform::clock_ns();
}

void BridgeDesk::give_back(u32 place) {
    places_[place].owed = false;
    places_[place].also = kNone;
    --owed_;
}

const std::optional<std::string>& BridgeDesk::problem() {
    if (!problem_ && unsent_ != kNone) watch_sender();
    return problem_;
}

void BridgeDesk::watch_sender() {
    const u64 now = platform::clock_ns();
    if (load_flag(&plane_.plane.rings.tx_flags_host[unsent_]) == 0) {
        unsent_ = kNone;
    } else if (owed_ != 0) {
        unsent_ns_ = now;  // sent in the order of the ring, it may have to wait for an answer that is still owed
    } else if (now - unsent_ns_ > silence_ns_) {
        problem_ = "it has not sent the answer in slot " + std::to_string(unsent_) + " for " +
                   std::to_string(static_cast<double>(silence_ns_) * 1e-9) + " s";
    }
}

}  // namespace photonlink::transport
