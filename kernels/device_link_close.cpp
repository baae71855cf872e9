// How a device link ends. What a kernel or a graph may still touch is never freed, and nobody waits without a bound:
// freeing may wait for all work of the device, also for that of others, so a thread of its own does it.
#include <chrono>
#include <future>
#include <thread>

#include "device_link.hpp"
#include "guards.hpp"

namespace photonlink::cuda {
namespace {

/// Frees everything; on failure it stays for good.
bool free_on_device(Resources* resources, int device, bool wait_for_all) noexcept {
    try {
        const DeviceGuard device_guard(device);
        const CaptureGuard capture;
        // Kernels of the user's are not ours to mark: only the device knows whether they are done.
        if (wait_for_all) check(cudaDeviceSynchronize(), "wait for the device");
        delete resources;
        return true;
    } catch (...) {
        return false;
    }
}

}  // namespace

DeviceLink::~DeviceLink() {
    constexpr double kSeconds = 1.0;
    if (!close(kSeconds)) static_cast<void>(resources_.release());  // on purpose: something may still touch it
}

bool DeviceLink::close(double timeout) noexcept {
    try {
        if (fork_guard_.inherited()) return false;
        const u64 deadline = platform::clock_ns() + limit_ns(timeout, "timeout");
        const std::lock_guard<std::mutex> closing(closing_);
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            closed_ = true;
            if (captured_ || lost_track_) return false;
        }
        if (resources_ != nullptr) {
            if (!wait_idle(deadline)) return false;
            start_freeing();
        }
        return wait_freed(deadline);
    } catch (...) {
        return false;
    }
}

/// True once all launches of the library have ended. Failures are still handed out meanwhile.
bool DeviceLink::wait_idle(u64 deadline_ns) {
    link::BackoffState backoff(link::Backoff{0, 50, 200'000});
    const DeviceGuard device(device_);
    const CaptureGuard capture;
    for (;;) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (resources_->flights().all_done()) return true;
        }
        if (platform::clock_ns() >= deadline_ns) return false;
        backoff.step();
    }
}

void DeviceLink::start_freeing() {
    std::promise<bool> freed;
    std::shared_future<bool> result = freed.get_future().share();
    const std::lock_guard<std::mutex> lock(mutex_);
    device::Failure failure;
    if (device::take_failure(resources_->latch(), &failure)) last_failure_ = failure;
    std::thread([resources = resources_.get(), device = device_, wait_for_all = exported_,
                 freed = std::move(freed)]() mutable {
        freed.set_value(free_on_device(resources, device, wait_for_all));
    }).detach();
    static_cast<void>(resources_.release());  // the thread has them
    freeing_ = std::move(result);
}

bool DeviceLink::wait_freed(u64 deadline_ns) const {
    const u64 now = platform::clock_ns();
    const std::chrono::nanoseconds left(static_cast<i64>(deadline_ns > now ? deadline_ns - now : 0));
    return freeing_.wait_for(left) == std::future_status::ready && freeing_.get();
}

}  // namespace photonlink::cuda
