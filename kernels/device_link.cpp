#include "device_link.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "arguments.hpp"
#include "guards.hpp"
#include "waiting.hpp"

namespace photonlink::cuda {

Submitted::~Submitted() { link_->give_up(*this); }

DeviceLink::DeviceLink(const LinkConfig& config)
    : device_(config.device),
      slots_(config.geometry.slots),
      kernel_limit_ns_(limit_ns(config.kernel_limit, "kernel_limit")) {
    require_valid(config);
    const DeviceGuard device(device_);
    const CaptureGuard capture;
    resources_ = std::make_unique<Resources>(config);
    multiprocessors_ = resources_->multiprocessors();
}

Resources& DeviceLink::open_resources() {
    if (closed_) throw CudaError("could not use the device link: it is closed");
    return *resources_;
}

// Checked before the mutex is touched: in a forked child another thread, which is not there, may hold it for ever.
std::unique_lock<std::mutex> DeviceLink::locked() const {
    if (fork_guard_.inherited())
        throw CudaError(
            "could not use the device link: it belongs to the parent of this process, and CUDA does not "
            "survive a fork");
    return std::unique_lock<std::mutex>(mutex_);
}

device::Link DeviceLink::argument() {
    const auto lock = locked();
    const device::Link& link = open_resources().link();
    exported_ = true;
    return link;
}

u64 DeviceLink::pointer() {
    const auto lock = locked();
    const device::Link* const pointer = open_resources().pointer();
    exported_ = true;
    return reinterpret_cast<u64>(pointer);
}

/// One group per row while there are slots and multiprocessors for more; the slots are shared out among the groups.
device::Launch DeviceLink::plan(u64 rows, double timeout) const {
    constexpr u64 kGroupsPerMultiprocessor = 4;
    const u64 most = std::min<u64>(slots_, static_cast<u64>(multiprocessors_) * kGroupsPerMultiprocessor);
    const u64 groups = std::min(rows, most);
    const u64 window = std::clamp<u64>(slots_ / groups, 1, device::kMaxWindow);
    return {groups, std::min(limit_ns(timeout, "timeout"), kernel_limit_ns_), static_cast<u32>(window)};
}

DeviceLink::Start DeviceLink::start_on(Resources& resources, cudaStream_t stream) {
    // A graph may run while another one does, and after any of our calls: its launches share words with nobody.
    if (is_captured(stream)) return {resources.arena().take<device::LaunchWords>(1), nullptr};
    Flight& flight = resources.flights().of_stream(stream);
    return {flight.words, &flight};
}

void DeviceLink::launched(const Start& start, cudaError_t code, cudaStream_t stream) {
    check(code, "launch a kernel");
    if (start.flight == nullptr)
        captured_ = true;
    else
        mark(start.flight->last, stream);
}

void DeviceLink::mark(Event& event, cudaStream_t stream) {
    lost_track_ = true;  // should the mark fail, nobody will ever know when the launch ended
    event.record(stream);
    lost_track_ = false;
}

void DeviceLink::infer(const RawBatch& batch, double timeout, cudaStream_t stream) {
    const auto lock = locked();
    Resources& resources = open_resources();
    require_batch(batch, resources.link().result_bytes);
    if (batch.rows == 0) return;
    const device::Launch launch = plan(batch.rows, timeout);
    const DeviceGuard device(device_);
    const CaptureGuard capture;
    const Start start = start_on(resources, stream);
    launched(start, launch_infer(resources.link(), batch, start.words, launch, stream), stream);
}

std::shared_ptr<Submitted> DeviceLink::submit(const RawBatch& batch, double timeout, cudaStream_t stream) {
    const auto lock = locked();
    Resources& resources = open_resources();
    require_batch(batch, resources.link().result_bytes);
    require(batch.rows >= 1 && batch.rows <= slots_ - rows_pending_,
            "cannot submit " + std::to_string(batch.rows) + " rows: the port has " + std::to_string(slots_) +
                " slots, and " + std::to_string(rows_pending_) + " submitted rows wait to be collected");
    const device::Launch launch = plan(batch.rows, timeout);
    const DeviceGuard device(device_);
    const CaptureGuard capture;
    const std::shared_ptr<Submitted> submitted(new Submitted(shared_from_this(), batch));
    const Start start = start_on(resources, stream);
    PendingRows* const eager = start.flight == nullptr ? nullptr : &resources.flights().take_pending();
    submitted->rows_ = eager != nullptr ? eager->rows : resources.arena().take<device::Pending>(batch.rows);
    const cudaError_t code = launch_submit(resources.link(), batch, start.words, launch, submitted->rows_, stream);
    if (code != cudaSuccess && eager != nullptr) eager->taken = false;
    launched(start, code, stream);
    if (eager != nullptr) mark(eager->submitted, stream);
    submitted->eager_ = eager;
    submitted->open_ = true;
    rows_pending_ += batch.rows;
    return submitted;
}

void DeviceLink::collect(Submitted& submitted, double timeout, cudaStream_t stream) {
    const auto lock = locked();
    Resources& resources = open_resources();
    require(submitted.link_.get() == this, "this batch was submitted to another device link");
    require(submitted.open_, "this batch was collected already");
    const device::Launch launch = plan(submitted.rows(), timeout);
    const DeviceGuard device(device_);
    const CaptureGuard capture;
    PendingRows* const eager = submitted.eager_;
    require(is_captured(stream) == (eager == nullptr),
            eager == nullptr ? "this batch was submitted while a graph was captured: collect it under capture too"
                             : "this batch was submitted outside the capture: collect it outside too");
    if (eager != nullptr) check(cudaStreamWaitEvent(stream, eager->submitted.get(), 0), "wait for the submitted batch");
    check(launch_collect(resources.link(), submitted.batch_, launch, submitted.rows_, stream), "launch a kernel");
    submitted.open_ = false;
    rows_pending_ -= submitted.rows();
    if (eager == nullptr) {
        captured_ = true;
        return;
    }
    mark(eager->finished, stream);
    eager->taken = false;
}

void DeviceLink::give_up(Submitted& submitted) noexcept {
    try {
        const auto lock = locked();
        if (!submitted.open_) return;
        submitted.open_ = false;
        rows_pending_ -= submitted.rows();
        PendingRows* const eager = submitted.eager_;
        if (closed_ || eager == nullptr) return;
        const DeviceGuard device(device_);
        const CaptureGuard capture;
        const cudaStream_t aside = resources_->aside();
        check(cudaStreamWaitEvent(aside, eager->submitted.get(), 0), "wait for the submitted batch");
        check(launch_abandon(resources_->link(), submitted.rows_, submitted.rows(), aside), "launch a kernel");
        mark(eager->finished, aside);
        eager->taken = false;
    } catch (...) {
        // The rows keep their slots until the link is closed.
    }
}

void DeviceLink::encode(const RawBatch& batch, cudaStream_t stream) {
    const auto lock = locked();
    Resources& resources = open_resources();
    require_batch(batch, sizeof(double));
    if (batch.rows == 0) return;
    const DeviceGuard device(device_);
    const CaptureGuard capture;
    constexpr u64 kGroupsPerMultiprocessor = 32;
    const u64 groups = std::min(batch.rows, static_cast<u64>(multiprocessors_) * kGroupsPerMultiprocessor);
    const Start start = start_on(resources, stream);
    launched(start, launch_encode(resources.link().encoding, batch, groups, stream), stream);
}

void DeviceLink::echo(u64 callers, u64 calls, double timeout, u32* samples, device::EchoCounts* counts,
                      cudaStream_t stream) {
    const auto lock = locked();
    Resources& resources = open_resources();
    const u64 limit = std::min(limit_ns(timeout, "timeout"), kernel_limit_ns_);
    const DeviceGuard device(device_);
    const CaptureGuard capture;
    const Start start = start_on(resources, stream);
    launched(start, launch_echo(resources.link(), callers, calls, limit, samples, counts, stream), stream);
}

std::optional<device::Failure> DeviceLink::take_failure() {
    const auto lock = locked();
    device::Failure failure;
    if (resources_ != nullptr && device::take_failure(resources_->latch(), &failure)) return failure;
    return std::exchange(last_failure_, std::nullopt);
}

bool DeviceLink::captured() const {
    const auto lock = locked();
    return captured_;
}

bool DeviceLink::synchronize(cudaStream_t stream, double timeout) {
    return synchronize_stream(device_, stream, timeout);
}

}  // namespace photonlink::cuda
