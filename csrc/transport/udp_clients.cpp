#include "udp_clients.hpp"

#include <algorithm>
#include <utility>

namespace photonlink::transport {

namespace {

// Every client draws its datapoint ids from a range of its own, so that two never share a random stream.
constexpr u64 kIdsPerClient = 1ULL << 40;

}  // namespace

UdpClients::UdpClients(std::shared_ptr<qsc::Controller> controller, const UdpOptions& options, UdpOutbox& outbox,
                       std::atomic<u64>& repeated)
    : controller_(std::move(controller)),
      silence_ns_(static_cast<u64>(options.silence_s * 1e9)),
      most_clients_(options.most_clients),
      outbox_(outbox),
      repeated_(repeated) {
    peers_.reserve(most_clients_);
}

void UdpClients::open(const qsc::SessionGrant& grant, const link::Geometry& geometry, u64 first_range) {
    part();
    grant_ = grant;
    geometry_ = geometry;
    first_range_ = first_range;
    end_reason_ = 0;
    accepted_.store(0, std::memory_order_relaxed);
}

/// Lets go of the clients of a session whose place another one takes.
void UdpClients::part() {
    if (has_session() && end_reason_ == 0) note_end();
    farewells_.begin(end_reason_);
    for (const auto& peer : peers_) {
        if (peer->tag_key()) farewells_.remember(peer->address(), *peer->tag_key());
        peer->leave();
    }
    peers_.clear();
}

UdpPeer* UdpClients::find(const sockaddr_in& from) const {
    const u64 address = address_word(from);
    for (const auto& peer : peers_)
        if (peer->address() == address) return peer.get();
    return nullptr;
}

/// Lets go of who was at this address before, and of lost clients when there is no place left.
void UdpClients::make_room(const sockaddr_in& from) {
    const u64 address = address_word(from);
    const auto leaves = [this, address](const std::shared_ptr<UdpPeer>& peer) {
        if (peer->address() != address) return peers_.size() >= most_clients_ && peer->gone();
        peer->leave();
        return true;
    };
    peers_.erase(std::remove_if(peers_.begin(), peers_.end(), leaves), peers_.end());
}

UdpPeer* UdpClients::admit(const sockaddr_in& from, const std::optional<wire::TagKey>& tag_key) {
    if (end_reason_ != 0) return nullptr;
    make_room(from);
    if (peers_.size() >= most_clients_) return nullptr;
    try {
        const auto peer = std::make_shared<UdpPeer>(from, tag_key, outbox_, geometry_, silence_ns_, repeated_);
        controller_->attach(grant_.session, UdpPeer::attachment(peer, (first_range_ + accepted()) * kIdsPerClient));
        peers_.push_back(peer);
        count_up(accepted_);
        return peer.get();
    } catch (const std::exception&) {  // the session has ended, or memory is short for one client more
        note_end();
        return nullptr;
    }
}

void UdpClients::note_end() {
    try {
        end_reason_ = static_cast<u64>(controller_->usage(grant_.session).end);
    } catch (const std::exception&) {  // a controller that is being shut down knows no sessions
        end_reason_ = static_cast<u64>(qsc::EndReason::Shutdown);
    }
}

wire::Status UdpClients::turn_away() const {
    return end_reason_ != 0 ? wire::Status::SessionExpired : wire::Status::NotServing;
}

bool UdpClients::harvest() {
    bool worked = false;
    for (const auto& peer : peers_) worked |= peer->harvest();
    return worked;
}

bool UdpClients::busy() const {
    return std::any_of(peers_.begin(), peers_.end(), [](const auto& peer) { return peer->busy(); });
}

}  // namespace photonlink::transport
