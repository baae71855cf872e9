#include "flights.hpp"

#include <algorithm>

#include "guards.hpp"
#include "waiting.hpp"

namespace photonlink::cuda {

// By id, not by handle: a handle is reused while work of its last bearer still runs, and the per-thread default stream
// has one handle for many streams.
Flight& Flights::of_stream(cudaStream_t stream) {
    unsigned long long id = 0;
    check(cudaStreamGetId(stream, &id), "identify the stream");
    const auto known = flights_.find(id);
    return known != flights_.end() ? *known->second : of_new_stream(id);
}

Flight& Flights::of_new_stream(u64 id) {
    // A program that makes a stream per call must not grow for ever: what has ended serves again.
    constexpr std::size_t kEnough = 64;
    if (flights_.size() >= kEnough) {
        const auto idle =
            std::find_if(flights_.begin(), flights_.end(), [](const auto& entry) { return entry.second->last.done(); });
        if (idle != flights_.end()) {
            auto node = flights_.extract(idle);
            node.key() = id;
            return *flights_.insert(std::move(node)).position->second;
        }
    }
    auto made = std::make_unique<Flight>();
    made->words = arena_.take<device::LaunchWords>(1);
    return *flights_.emplace(id, std::move(made)).first->second;
}

PendingRows& Flights::take_pending() {
    auto free = std::find_if(pending_.begin(), pending_.end(),
                             [](const auto& entry) { return !entry->taken && entry->finished.done(); });
    if (free == pending_.end()) {
        auto made = std::make_unique<PendingRows>();
        made->rows = arena_.take<device::Pending>(slots_);
        pending_.push_back(std::move(made));
        free = std::prev(pending_.end());
    }
    (*free)->taken = true;
    return **free;
}

bool Flights::all_done() const {
    return std::all_of(flights_.begin(), flights_.end(), [](const auto& entry) { return entry.second->last.done(); }) &&
           std::all_of(pending_.begin(), pending_.end(),
                       [](const auto& entry) { return entry->submitted.done() && entry->finished.done(); });
}

bool is_captured(cudaStream_t stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(stream, &status), "use the stream");
    if (status == cudaStreamCaptureStatusInvalidated)
        throw CudaError("could not use the stream: the capture of a graph on it has failed");
    return status == cudaStreamCaptureStatusActive;
}

bool synchronize_stream(int device, cudaStream_t stream, double timeout) {
    const u64 deadline = platform::clock_ns() + limit_ns(timeout, "timeout");
    const DeviceGuard on_device(device);
    const CaptureGuard capture;
    if (is_captured(stream))
        throw CudaError("could not wait for the stream: it is being captured into a graph, so nothing has run yet");
    return wait_for(stream, deadline, "wait for the stream");
}

}  // namespace photonlink::cuda
