// Freeing what the device used. It may wait for all work of the device, also for that of others, so a thread of its own
// does it, and nobody waits for that thread without a bound.
#pragma once

#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "guards.hpp"
#include "photonlink/platform.hpp"

namespace photonlink::cuda {

/// Calls `free`, with `device` current, on a thread of its own; false comes out when that failed. Throws, without
/// calling it, when there is no thread to be had.
template <class Free>
std::shared_future<bool> free_aside(int device, const Free& free) {
    std::promise<bool> freed;
    std::shared_future<bool> result = freed.get_future().share();
    std::thread([device, free, freed = std::move(freed)]() mutable {
        bool done = false;
        try {
            const DeviceGuard on_device(device);
            const CaptureGuard beside_captures;
            free();
            done = true;
        } catch (...) {
            // What could not be freed stays for good.
        }
        freed.set_value(done);
    }).detach();
    return result;
}

/// False if it has not ended by `deadline_ns` on platform::clock_ns().
inline bool ended_by(u64 deadline_ns, const std::shared_future<bool>& freeing) {
    const u64 now = platform::clock_ns();
    const std::chrono::nanoseconds left(static_cast<i64>(deadline_ns > now ? deadline_ns - now : 0));
    return freeing.wait_for(left) == std::future_status::ready;
}

}  // namespace photonlink::cuda
