// A caller of any CUDA-Q realtime service over UDP: one frame per datagram, whole slots, several calls in flight.
//
// Answers find their calls by request id, in any order; what is late, doubled, foreign or malformed is dropped and
// counted. A request is never sent twice: the wire has no duplicate suppression, and only the caller knows whether a
// function may run again. There is no thread behind it: whoever waits receives, for all that wait. Nothing is allocated
// after construction. Threads may share it; a forked child must not use it, since both would take each other's answers.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "photonlink/call_status.hpp"
#include "photonlink/link/unique_fd.hpp"
#include "photonlink/wire/frame.hpp"

namespace photonlink::transport {

struct UdpCall {
    u32 function_id;
    const void* arguments;
    u64 argument_bytes;
    void* result;
    u64 result_capacity;
};

struct UdpOutcome {
    /// Ok; Timeout; Closed by this side; PeerLost: nobody listens; Refused: see remote_status; ProtocolError: the
    /// answer is malformed; Full: as many calls as may be are in flight, or the system takes no datagram; Cancelled: it
    /// was abandoned or collected before.
    CallStatus status = CallStatus::Ok;
    u32 request_id = 0;
    i32 remote_status = 0;
    /// What came. More than the capacity: nothing was copied.
    u64 result_bytes = 0;
};

/// What went over the socket.
struct UdpTraffic {
    u64 sent = 0;
    u64 answered = 0;
    u64 stale = 0;      // well-formed, and nothing in flight has that id
    u64 malformed = 0;  // no response, or one that no slot holds
};

class UdpClient {
  public:
    /// A call that was submitted.
    struct Ticket {
        u32 place;
        u32 request_id;
    };

    /// `slot_bytes` is the service's, 256 by default at NVIDIA; more calls in flight than the service has slots may
    /// overflow its socket. Throws std::invalid_argument for a size that no datagram has or a host without an IPv4
    /// address, std::system_error when the system refuses.
    UdpClient(const std::string& host, u16 port, u32 slot_bytes = 256, u32 in_flight = 8);
    UdpClient(const UdpClient&) = delete;
    UdpClient& operator=(const UdpClient&) = delete;

    /// Sends and waits. After a Timeout the call is given up; it may have been executed.
    UdpOutcome call(const UdpCall& call, u64 deadline_ns);

    /// Sends, as soon as there is room. Throws std::invalid_argument for more than most_argument_bytes().
    UdpOutcome submit(const UdpCall& call, u64 deadline_ns, Ticket* ticket);

    /// Waits for what `ticket` was answered. After a Timeout it may be asked for again; any other outcome ends it.
    UdpOutcome collect(const Ticket& ticket, const UdpCall& call, u64 deadline_ns);

    /// Waits for it no more; its answer is dropped when it comes.
    void abandon(const Ticket& ticket);

    /// Everything in flight ends as Closed; idempotent. The socket lives as long as the object.
    void close();

    u64 most_argument_bytes() const { return slot_bytes_ - wire::kHeaderBytes; }
    const std::string& peer() const { return peer_; }
    UdpTraffic traffic() const;

  private:
    enum class State : u32 { Free, Sent, Answered, Failed };

    struct Flight {
        State state = State::Free;
        u32 request_id = 0;
        CallStatus failure = CallStatus::Ok;
        wire::ResponseHeader header{};
        std::vector<u8> result;
    };

    using Lock = std::unique_lock<std::mutex>;

    template <class Ready>
    bool await(Lock& lock, u64 deadline_ns, const Ready& ready);
    void receive_one(Lock& lock, u64 deadline_ns);
    i64 receive(u64 deadline_ns);
    void deliver(u64 bytes);
    void fail(Flight& flight, CallStatus status);
    void fail_all(CallStatus status);
    CallStatus send(const UdpCall& call, u32 request_id, u64 deadline_ns);
    Flight* free_flight();
    Flight* flight_of(u32 request_id);
    UdpOutcome ended(Flight& flight, const UdpCall& call);

    const std::string peer_;
    const u32 slot_bytes_;
    const link::UniqueFd socket_;

    mutable std::mutex mutex_;  // guards everything below but inbox_, which belongs to the thread that receives
    std::condition_variable changed_;
    std::vector<Flight> flights_;
    std::vector<u8> outbox_;
    std::vector<u8> inbox_;
    u32 next_id_ = 1;
    bool receiving_ = false;
    bool closed_ = false;
    UdpTraffic traffic_;
};

}  // namespace photonlink::transport
