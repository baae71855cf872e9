// A link to any CUDA-Q realtime service over UDP: one frame per datagram, one call at a time, as NVIDIA's own channel.
// Answers are matched by request id, so that a late answer to a call that was given up disturbs nobody.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "photonlink/device_call/device_call.h"
#include "photonlink/wire/frame.hpp"

namespace photonlink::device_call {

class UdpLink {
  public:
    using Clock = std::chrono::steady_clock;

    /// Null if `host` (numeric, or a name) cannot be resolved or no socket can be had.
    static std::unique_ptr<UdpLink> connect(const char* host, u16 port, u32 slot_bytes, u64 timeout_ns);
    ~UdpLink();
    UdpLink(const UdpLink&) = delete;
    UdpLink& operator=(const UdpLink&) = delete;

    i32 answer(photonlink_device_call& call);

    /// The C form of a link, which owns it until it is dropped.
    static photonlink_device_link table(std::unique_ptr<UdpLink> link);

  private:
    UdpLink(int socket, std::string peer, u32 slot_bytes, u64 timeout_ns);

    bool take_turn(Clock::time_point deadline);
    void end_turn();
    i32 exchange(photonlink_device_call& call, Clock::time_point deadline);
    bool send(const photonlink_device_call& call);
    /// Bytes of the next datagram; 0 at the deadline, negative if nobody listens.
    i64 receive(Clock::time_point deadline);
    i32 take(const wire::ResponseHeader& header, photonlink_device_call& call) const;
    i32 fail(photonlink_device_call& call, i32 status, const char* what) const;

    const int socket_;
    const std::string peer_;
    const std::chrono::nanoseconds timeout_;
    // Not a timed mutex, whose clock ThreadSanitizer does not know.
    std::mutex mutex_;
    std::condition_variable done_;
    bool busy_ = false;  // guarded by mutex_; whoever has set it owns what follows
    std::vector<u8> slot_;
    std::vector<u8> answer_;
    u32 last_id_ = 0;
};

}  // namespace photonlink::device_call
