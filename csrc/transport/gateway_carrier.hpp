// Who works for a gateway. While a session is served its dispatcher does, between its other work: then no second
// thread stands between a datagram and its answer. While the dispatcher is away, in an acquisition or because there is
// no session, the gateway's own thread does. The dispatcher may outlive the gateway. Private to transport/.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

#include "photonlink/platform.hpp"

namespace photonlink::transport {

class GatewayCarrier {
  public:
    /// A dispatcher that had no turn for so long is away.
    static constexpr u64 kAwayNs = 3'000'000;

    /// `turn` receives and answers; true if it did anything.
    explicit GatewayCarrier(std::function<bool()> turn) : turn_(std::move(turn)) {}

    /// The dispatcher's turn; nothing while somebody else is at it or wants to be.
    bool dispatch() {
        if (wanted_.load(std::memory_order_relaxed) != 0) return false;
        const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (!lock || !turn_) return false;
        dispatched_ns_.store(platform::clock_ns(), std::memory_order_relaxed);
        return turn_();
    }

    /// Whether the dispatcher had a turn lately. Relaxed, as all here outside the mutex: nothing depends on it but who
    /// tries next.
    bool is_dispatched() const {
        const u64 last_ns = dispatched_ns_.load(std::memory_order_relaxed);  // before the clock, which is then later
        return platform::clock_ns() - last_ns < kAwayNs;
    }

    /// Held by everybody else while they touch the gateway.
    class Hold {
      public:
        explicit Hold(GatewayCarrier& carrier) : carrier_(carrier) {
            carrier_.wanted_.fetch_add(1, std::memory_order_relaxed);  // or the dispatcher would hardly ever let go
            carrier_.mutex_.lock();
            carrier_.wanted_.fetch_sub(1, std::memory_order_relaxed);
        }
        ~Hold() { carrier_.mutex_.unlock(); }
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

      private:
        GatewayCarrier& carrier_;
    };

    /// The gateway ends: the dispatcher has no more turns. Call it under a Hold.
    void let_go() { turn_ = nullptr; }

  private:
    // Taken before the controller's lock, under which a new client is attached; the controller calls nothing of a
    // gateway while it holds its own.
    std::mutex mutex_;
    std::function<bool()> turn_;  // guarded by mutex_
    std::atomic<u32> wanted_{0};
    std::atomic<u64> dispatched_ns_{0};
};

}  // namespace photonlink::transport
