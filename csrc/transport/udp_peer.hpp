// One client of a gateway: its port into the controller, what it sent, and the answers that it may ask for again.
// Private to transport/. Whoever has the gateway's carrier works on it, one at a time; only alive() is asked from
// elsewhere.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "photonlink/qsc/attachment.hpp"
#include "photonlink/wire/datagram.hpp"
#include "udp_outbox.hpp"
#include "udp_window.hpp"

namespace photonlink::transport {

/// A count with one writer at a time, whom the carrier's mutex orders. Relaxed: readers take nothing else from it.
inline void count_up(std::atomic<u64>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

class UdpPeer {
  public:
    /// Answers are sent to `address` through `outbox`, repetitions counted in `repeated`: both are the gateway's, and
    /// not touched once it is gone.
    UdpPeer(const sockaddr_in& address, const std::optional<wire::TagKey>& tag_key, UdpOutbox& outbox,
            const link::Geometry& geometry, u64 silence_ns, std::atomic<u64>& repeated);
    UdpPeer(const UdpPeer&) = delete;
    UdpPeer& operator=(const UdpPeer&) = delete;

    /// How the controller takes `peer` over; its datapoint ids start at `first_id`.
    static qsc::PortAttachment attachment(const std::shared_ptr<UdpPeer>& peer, u64 first_id);

    u64 address() const { return address_word(address_); }
    /// Of its datagrams, if they carry tags.
    const std::optional<wire::TagKey>& tag_key() const { return tag_key_; }

    /// Takes a request whose key was checked and whose bytes lie in `frame`. Returns the status to refuse it with, or
    /// nothing if it was answered, or will be, or is a repetition that need not be.
    std::optional<wire::Status> accept(const wire::RequestHeader& header, const u8* frame);

    /// The one way an answer reaches the client.
    void answer(const wire::ResponseHeader& header, const void* result);

    /// Sends what was answered, and submits what waited for a slot. True if anything was done.
    bool harvest();

    /// True while the dispatcher owes an answer, and may still give it.
    bool busy() const { return !in_flight_.empty() && close_reason() == 0; }

    /// True once nobody will be served here any more: the place may be given to another client.
    bool gone() const { return close_reason() != 0 && !alive(); }

    /// Why the controller closed the port, 0 while it is open.
    u64 close_reason() const { return client_.server_close_reason(); }
    /// The session goes on without this client.
    void leave() { client_.close(); }

  private:
    using Stage = UdpRecord::Stage;

    /// False once a client that used to ping has fallen silent. One that never pinged has promised nothing: it keeps
    /// its port until the session ends.
    bool alive() const;

    std::optional<wire::Status> accept_datapoint(const wire::RequestHeader& header, const u8* frame);
    std::optional<wire::Status> repeat(UdpRecord& record, const wire::RequestHeader& header, u64 hash);
    std::optional<wire::Status> start(UdpWindow& window, u64 id, u64 hash, const wire::RequestHeader& header,
                                      const u8* frame);
    std::optional<wire::Status> ping(const wire::RequestHeader& header);
    std::optional<wire::Status> fetch(const wire::RequestHeader& header, const u8* frame);
    bool vacate(UdpRecord& record);
    bool submit(UdpRecord& record, const u8* frame);
    bool recycle_held();
    void finish(UdpRecord& record);
    void drop_result(UdpRecord& record);

    const sockaddr_in address_;
    const std::optional<wire::TagKey> tag_key_;
    UdpOutbox& outbox_;
    const u64 silence_ns_;
    std::atomic<u64>& repeated_;
    link::InProcessPort port_;
    link::ClientHandle client_;
    const u32 stride_;
    UdpWindow datapoints_;
    UdpWindow calls_;  // what may be executed twice: echoes, questions
    u64 newest_id_;
    u64 calls_seen_ = 0;
    std::vector<UdpRecord*> in_flight_;  // Executing, in order of submission
    std::vector<UdpRecord*> waiting_;    // a ring
    std::size_t waiting_first_ = 0;
    std::size_t waiting_count_ = 0;
    std::atomic<u64> heard_ns_{0};
    std::atomic<bool> pings_{false};
};

}  // namespace photonlink::transport
