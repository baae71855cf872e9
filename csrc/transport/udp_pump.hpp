// The far end of a client's port when its controller is reached over UDP: a thread that takes each request out of its
// slot, sends it as a datagram until the answer comes, and puts the answer into the slot. Private to transport/.
//
// The port's caller, a thread or a kernel, notices nothing of datagrams: an answer is there or not, the controller is
// lost (PeerLost) or has closed (Closed, with its reason). Whatever is lost on the way is sent again; the gateway sees
// to it that nothing is executed twice.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "photonlink/link/client.hpp"
#include "photonlink/link/fork.hpp"
#include "photonlink/link/server.hpp"
#include "photonlink/wire/datagram.hpp"
#include "udp_join.hpp"
#include "udp_socket.hpp"

namespace photonlink::transport {

/// What a pump works on. `client` is the other side of the same port, to say there that the controller is lost.
struct UdpPumpPort {
    link::ServerHandle server;
    link::ClientHandle client;
};

class UdpPump {
  public:
    /// `socket` is connected to the gateway; the port must outlive this object. The controller counts as lost after
    /// `stall_limit_ns` without a sign that it serves.
    UdpPump(link::UniqueFd socket, const UdpPumpPort& port, const UdpMembership& member, u64 stall_limit_ns);
    ~UdpPump();
    UdpPump(const UdpPump&) = delete;
    UdpPump& operator=(const UdpPump&) = delete;

  private:
    /// A request on its way. One datagram of it is out at a time: step 0 is the request itself, the steps after it
    /// fetch a result that fitted no slot, piece by piece, and the last of them says that it has arrived.
    struct Exchange {
        bool active = false;
        link::Arrival arrival{};
        wire::RequestHeader header{};
        u32 step = 0;
        u64 due_ns = 0;       // when the datagram is sent again
        u64 interval_ns = 0;  // ... and how long after that once more
        u8* area = nullptr;   // where the pieces go
        u64 total = 0;        // bytes of the result
        u64 piece = 1;        // bytes that one answer holds
        bool too_large = false;
        bool expired = false;  // the controller has said that it will not be executed

        u64 offset() const { return step == 0 ? 0 : std::min(total, u64{step - 1} * piece); }
        u64 count() const { return std::min(piece, total - offset()); }
    };

    void run();
    bool over();
    bool take_requests();
    bool receive();
    void look_at_clock();
    void begin(const link::Arrival& arrival);
    void advance(Exchange& exchange, u32 step);
    void send(const Exchange& exchange);
    void send_ping();
    void take_datagram(u64 bytes);
    void take_pong(const wire::ResponseHeader& header);
    void take_answer(Exchange& exchange, const wire::ResponseHeader& header, u64 bytes);
    void take_first(Exchange& exchange, const wire::ResponseHeader& header, u64 bytes);
    void take_piece(Exchange& exchange, const wire::ResponseHeader& header);
    void begin_fetch(Exchange& exchange, const wire::ResponseHeader& header, u64 bytes);
    void finish_fetch(Exchange& exchange);
    void publish(Exchange& exchange, i32 status, const void* result, u32 length);
    void transmit(const wire::RequestHeader& header, const void* payload);
    void note_refusal();
    void expire(Exchange& exchange);
    void end();
    u64 stamp_of(const Exchange& exchange) const;

    const link::ForkGuard fork_guard_;
    const link::ParentOnlyFd socket_;
    link::ServerHandle server_;
    link::ClientHandle client_;
    const UdpMembership member_;
    const u64 stall_limit_ns_;

    // The thread's own.
    std::vector<Exchange> exchanges_;  // by slot
    std::vector<link::Arrival> arrivals_;
    std::vector<u8> in_;
    u32 active_ = 0;
    u64 next_look_ns_ = 0;
    u64 next_ping_ns_ = 0;
    u64 alive_ns_;  // when the controller last showed that it serves
    u64 heartbeat_ = 0;
    u64 refused_since_ns_ = 0;  // since when the system says that nobody listens; 0: it does not
    u32 expired_ = 0;           // exchanges that are
    u64 end_reason_ = 0;        // of the session, once the controller has said so
    u64 last_answers_ns_ = 0;   // until when answers from before the end are waited for
    bool ended_ = false;

    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace photonlink::transport
