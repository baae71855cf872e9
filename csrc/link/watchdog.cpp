#include "photonlink/link/watchdog.hpp"

#include <algorithm>
#include <utility>

namespace photonlink::link {
namespace {

constexpr u64 kLongestPeriodNs = 10'000'000;

}  // namespace

Watchdog::Watchdog(const ClientHandle& client, u64 stall_limit_ns, std::function<bool()> peer_alive)
    : client_(client),
      stall_limit_ns_(stall_limit_ns),
      period_ns_(std::clamp<u64>(stall_limit_ns / 8, 1, kLongestPeriodNs)),
      peer_alive_(std::move(peer_alive)),
      last_look_ns_(platform::clock_ns()),
      last_heartbeat_(client.server_heartbeat()) {}

LinkStatus Watchdog::wait(Ticket ticket, u64 deadline_ns, const Backoff& limits) {
    // Short waits inside the long one. The time of the next check is known beforehand, so that an answer that comes
    // while spinning costs no clock read.
    for (;;) {
        const u64 slice = std::min(deadline_ns, next_check_ns_.load(std::memory_order_relaxed));
        const LinkStatus status = client_.wait(ticket, slice, limits);
        if (status != LinkStatus::Timeout) return status;
        check();
        if (platform::clock_ns() < deadline_ns) continue;
        const LinkStatus last = client_.poll(ticket);
        return last == LinkStatus::Pending ? LinkStatus::Timeout : last;
    }
}

bool Watchdog::check() {
    if (lost_.load(std::memory_order_relaxed)) return false;
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock) return true;  // somebody else is looking right now
    const u64 now = platform::clock_ns();
    next_check_ns_.store(now + period_ns_, std::memory_order_relaxed);
    if (!peer_is_silent(now) && (!peer_alive_ || peer_alive_())) return true;
    lost_.store(true, std::memory_order_relaxed);
    client_.mark_peer_lost();
    return false;
}

bool Watchdog::peer_is_silent(u64 now) {
    // Time in which nobody looked counts as one period only: this process may have been stopped together with the
    // server.
    const u64 heartbeat = client_.server_heartbeat();
    silent_ns_ = heartbeat == last_heartbeat_ ? silent_ns_ + std::min(now - last_look_ns_, 2 * period_ns_) : 0;
    last_heartbeat_ = heartbeat;
    last_look_ns_ = now;
    return silent_ns_ > stall_limit_ns_;
}

}  // namespace photonlink::link
