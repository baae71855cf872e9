// Notices a server that died or hangs. There is no thread: whoever waits also looks, now and then, at the peer's socket
// (dead process) and at its heartbeat (living process that serves nothing). The verdict is a word of the client's
// domain, so that other waiters, kernels included, see it too; a host that serves a kernel calls check() while it
// waits.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include "photonlink/link/client.hpp"

namespace photonlink::link {

class Watchdog {
  public:
    /// The server counts as lost after `stall_limit_ns` of silence, or as soon as `peer_alive` (may be empty) says so.
    Watchdog(const ClientHandle& client, u64 stall_limit_ns, std::function<bool()> peer_alive = {});

    /// ClientHandle::wait() with an eye on the server: also returns PeerLost within the stall limit (or a few
    /// milliseconds, if the process died). The fast path costs one load more.
    LinkStatus wait(Ticket ticket, u64 deadline_ns, const Backoff& limits);

    /// Looks at the server now; false, for good, once it is lost. Any thread may call it.
    bool check();

  private:
    bool peer_is_silent(u64 now);

    ClientHandle client_;
    const u64 stall_limit_ns_;
    const u64 period_ns_;
    const std::function<bool()> peer_alive_;
    std::atomic<u64> next_check_ns_{0};
    std::atomic<bool> lost_{false};
    std::mutex mutex_;  // guards what follows
    u64 last_look_ns_ = 0;
    u64 last_heartbeat_ = 0;
    u64 silent_ns_ = 0;
};

}  // namespace photonlink::link
