// The session that a gateway offers, and its clients. Private to transport/. Whoever has the gateway's carrier works on
// it, one at a time; only accepted() is asked from elsewhere.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "photonlink/qsc/controller.hpp"
#include "photonlink/transport/udp_gateway.hpp"
#include "udp_farewells.hpp"
#include "udp_peer.hpp"

namespace photonlink::transport {

class UdpClients {
  public:
    /// `outbox` and `repeated` are the gateway's, as in UdpPeer.
    UdpClients(std::shared_ptr<qsc::Controller> controller, const UdpOptions& options, UdpOutbox& outbox,
               std::atomic<u64>& repeated);

    /// Forgets the session before; of its clients only whom tell_former() tells.
    void open(const qsc::SessionGrant& grant, const link::Geometry& geometry, u64 first_range);
    bool has_session() const { return grant_.session != 0; }
    u64 session_key() const { return grant_.key; }
    /// Bytes of a slot: of the longest request, and of every answer that has no tag.
    u32 stride() const { return has_session() ? geometry_.slot_bytes : wire::kDefaultStride; }

    /// The client at `from`; null if there is none.
    UdpPeer* find(const sockaddr_in& from) const;
    /// Makes a client of whoever is at `from`, in place of who was there before; null if it cannot be served.
    UdpPeer* admit(const sockaddr_in& from, const std::optional<wire::TagKey>& tag_key);
    /// What somebody is told whom admit() refuses.
    wire::Status turn_away() const;
    /// Answers a ping with the tag of a client of the session before, who may not know that it is over; false if the
    /// request is none.
    bool tell_former(const sockaddr_in& from, const wire::RequestHeader& header, const void* payload) {
        return farewells_.answer(from, header, payload, outbox_);
    }
    /// Why the session ended, 0 while that is not known here.
    u64 end_reason() const { return end_reason_; }

    /// Sends what was answered; true if there was anything.
    bool harvest();
    /// True while a client is owed an answer.
    bool busy() const;
    u64 accepted() const { return accepted_.load(std::memory_order_relaxed); }

  private:
    void make_room(const sockaddr_in& from);
    void note_end();
    void part();

    const std::shared_ptr<qsc::Controller> controller_;
    const u64 silence_ns_;
    const u32 most_clients_;
    UdpOutbox& outbox_;
    std::atomic<u64>& repeated_;

    qsc::SessionGrant grant_;
    link::Geometry geometry_;
    u64 first_range_ = 0;
    u64 end_reason_ = 0;
    std::vector<std::shared_ptr<UdpPeer>> peers_;
    UdpFarewells farewells_;
    std::atomic<u64> accepted_{0};
};

}  // namespace photonlink::transport
