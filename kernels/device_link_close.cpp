// How a device link ends. What a kernel or a graph may still touch is never freed, and nobody waits without a bound.
#include "device_link.hpp"
#include "freeing.hpp"
#include "waiting.hpp"

namespace photonlink::cuda {
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
        return ended_by(deadline, freeing_) && freeing_.get();
    } catch (...) {
        return false;
    }
}

/// True once all launches of the library have ended. Failures are still handed out meanwhile.
bool DeviceLink::wait_idle(u64 deadline_ns) {
    const DeviceGuard device(device_);
    const CaptureGuard capture;
    const auto idle = [this] {
        const std::lock_guard<std::mutex> lock(mutex_);
        return resources_->flights().all_done();
    };
    return wait_until(idle, deadline_ns, {0, 50, 200'000});
}

void DeviceLink::start_freeing() {
    const std::lock_guard<std::mutex> lock(mutex_);
    device::Failure failure;
    if (device::take_failure(resources_->latch(), &failure)) last_failure_ = failure;
    freeing_ = free_aside(device_, [resources = resources_.get(), wait_for_all = exported_] {
        // Kernels of the user's are not ours to mark: only the device knows whether they are done.
        if (wait_for_all) check(cudaDeviceSynchronize(), "wait for the device");
        delete resources;
    });
    static_cast<void>(resources_.release());  // the thread has them
}

}  // namespace photonlink::cuda
