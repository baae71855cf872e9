// One client of a gateway: its port into the controller, what it sent, and the answers that it may ask for again. How
// answers reach it is the transport's business. Private to transport/. Whoever has the gateway's carrier works on it,
// one at a time; only alive() is asked from elsewhere.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "photonlink/qsc/attachment.hpp"
#include "photonlink/wire/datagram.hpp"
#include "request_window.hpp"

namespace photonlink::transport {

/// A count with one writer at a time, whom the carrier's mutex orders. Relaxed: readers take nothing else from it.
inline void count_up(std::atomic<u64>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

class RemotePeer {
  public:
    /// Repetitions are counted in `repeated`, which is the gateway's and not touched once that is gone.
    RemotePeer(const link::Geometry& geometry, u64 silence_ns, std::atomic<u64>& repeated);
    virtual ~RemotePeer() = default;
    RemotePeer(const RemotePeer&) = delete;
    RemotePeer& operator=(const RemotePeer&) = delete;

    /// How the controller takes `peer` over; its datapoint ids start at `first_id`.
    static qsc::PortAttachment attachment(const std::shared_ptr<RemotePeer>& peer, u64 first_id);

    /// Takes a request whose key was checked and whose bytes lie in `frame`; `place` is where the transport has it
    /// from. Returns the status to refuse it with, or nothing if it was answered, or will be, or is a repetition that
    /// need not be.
    std::optional<wire::Status> accept(const wire::RequestHeader& header, const u8* frame, u32 place = 0);

    /// The one way an answer to the request at `place` reaches the client.
    virtual void answer(u32 place, const wire::ResponseHeader& header, const void* result) = 0;

    /// Sends what was answered, and submits what waited for a slot. True if anything was done.
    bool harvest();

    /// True while the dispatcher owes an answer, and may still give it.
    bool busy() const { return !in_flight_.empty() && close_reason() == 0; }

    /// True once nobody will be served here any more: the place may be given to another client.
    bool gone() const { return close_reason() != 0 && !alive(); }

    /// False once a client that used to ping has fallen silent. One that never pinged has promised nothing: it keeps
    /// its port until the session ends.
    bool alive() const;
    /// Nothing could be heard until now, for reasons of the transport.
    void excuse_silence() { heard_ns_.store(platform::clock_ns(), std::memory_order_relaxed); }

    /// Why the controller closed the port, 0 while it is open.
    u64 close_reason() const { return client_.server_close_reason(); }
    /// The session goes on without this client.
    void leave() { client_.close(); }

  protected:
    u32 stride() const { return stride_; }

  private:
    using Stage = RequestRecord::Stage;

    /// The request at `place` repeats the one at `first`, which is under way. Where requests may get lost, so may this.
    virtual void await_answer(u32 place, u32 first);
    /// The status for a client that has more under way than is remembered. None: as if the request had been lost.
    virtual std::optional<wire::Status> overload() const { return std::nullopt; }

    std::optional<wire::Status> accept_datapoint(const wire::RequestHeader& header, const u8* frame, u32 place);
    std::optional<wire::Status> repeat(RequestRecord& record, const wire::RequestHeader& header, u64 hash, u32 place);
    std::optional<wire::Status> start(RequestWindow& window, u64 id, u64 hash, const wire::RequestHeader& header,
                                      const u8* frame, u32 place);
    std::optional<wire::Status> ping(const wire::RequestHeader& header, u32 place);
    std::optional<wire::Status> fetch(const wire::RequestHeader& header, const u8* frame, u32 place);
    bool vacate(RequestRecord& record);
    bool submit(RequestRecord& record, const u8* frame);
    bool recycle_held();
    void finish(RequestRecord& record);
    void drop_result(RequestRecord& record);

    const u64 silence_ns_;
    std::atomic<u64>& repeated_;
    link::InProcessPort port_;
    link::ClientHandle client_;
    const u32 stride_;
    RequestWindow datapoints_;
    RequestWindow calls_;  // what may be executed twice: echoes, questions
    u64 newest_id_;
    u64 calls_seen_ = 0;
    std::vector<RequestRecord*> in_flight_;  // Executing, in order of submission
    std::vector<RequestRecord*> waiting_;    // a ring
    std::size_t waiting_first_ = 0;
    std::size_t waiting_count_ = 0;
    std::atomic<u64> heard_ns_{0};
    std::atomic<bool> pings_{false};
};

}  // namespace photonlink::transport
