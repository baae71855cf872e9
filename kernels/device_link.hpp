// A session's device link: owns what kernels touch, launches the library's kernels on the caller's streams, and knows
// when it may let go. Thread-safe. Nothing here waits for the device, except synchronize(), close() and construction.
#pragma once

#include <future>
#include <memory>
#include <mutex>
#include <optional>

#include "photonlink/link/fork.hpp"
#include "resources.hpp"

namespace photonlink::cuda {

class DeviceLink;

/// A batch on its way: pass it to collect(). Dropped without, its rows are given up, and its slots come back.
class Submitted {
  public:
    ~Submitted();
    Submitted(const Submitted&) = delete;
    Submitted& operator=(const Submitted&) = delete;

    u64 rows() const { return batch_.rows; }

  private:
    friend class DeviceLink;
    Submitted(std::shared_ptr<DeviceLink> link, const RawBatch& batch) : link_(std::move(link)), batch_(batch) {}

    const std::shared_ptr<DeviceLink> link_;
    const RawBatch batch_;
    device::Pending* rows_ = nullptr;  // in device memory
    PendingRows* eager_ = nullptr;     // their owner; null when the submit was captured: then nobody takes them back
    bool open_ = false;                // neither collected nor given up
};

class DeviceLink : public std::enable_shared_from_this<DeviceLink> {
  public:
    /// Throws std::invalid_argument for a bad config, CudaError when the device cannot do it.
    explicit DeviceLink(const LinkConfig& config);
    /// Like close() with a second's time.
    ~DeviceLink();
    DeviceLink(const DeviceLink&) = delete;
    DeviceLink& operator=(const DeviceLink&) = delete;

    int device() const { return device_; }
    u32 slots() const { return slots_; }
    int multiprocessors() const { return multiprocessors_; }

    /// The link for a kernel of the user's. Once asked for, close() waits for all work of the device.
    device::Link argument();
    /// Device address of the same.
    u64 pointer();

    /// One launch for the whole batch. Throws std::invalid_argument for a bad batch, CudaError.
    void infer(const RawBatch& batch, double timeout, cudaStream_t stream);
    /// Rows not yet collected, these included, must fit the slots, else std::invalid_argument.
    std::shared_ptr<Submitted> submit(const RawBatch& batch, double timeout, cudaStream_t stream);
    /// Once per batch. A batch submitted under capture is collected under capture, ordered behind it by the caller if
    /// that is another stream; one that was not, not.
    void collect(Submitted& submitted, double timeout, cudaStream_t stream);
    /// Phases as doubles without gaps, `batch.out_stride` unused.
    void encode(const RawBatch& batch, cudaStream_t stream);
    /// `callers` threads make `calls` echo calls each; see launch_echo(). For measuring.
    void echo(u64 callers, u64 calls, double timeout, u32* samples, device::EchoCounts* counts, cudaStream_t stream);

    /// The first failure since the last call, without asking the device; also after close().
    std::optional<device::Failure> take_failure();
    /// Waits until `stream` has done what it was given; false if the timeout, in seconds, is over before.
    bool synchronize(cudaStream_t stream, double timeout);
    /// True once a call was recorded into a CUDA graph.
    bool captured() const;

    /// Waits for kernels in flight, which leave by themselves once the port is closed, and lets go of everything.
    /// False: after the timeout, in seconds, something still runs, or a graph holds a call. Then everything stays
    /// mapped, a replay of the graph gives NaN and Closed, and the port's memory must stay too. May be called again.
    bool close(double timeout) noexcept;

  private:
    friend class Submitted;
    /// What a launch on a stream needs; `flight` is null under capture.
    struct Start {
        device::LaunchWords* words;
        Flight* flight;
    };

    std::unique_lock<std::mutex> locked() const;
    Resources& open_resources();
    Start start_on(Resources& resources, cudaStream_t stream);
    void launched(const Start& start, cudaError_t code, cudaStream_t stream);
    void mark(Event& event, cudaStream_t stream);
    device::Launch plan(u64 rows, double timeout) const;
    void give_up(Submitted& submitted) noexcept;
    bool wait_idle(u64 deadline_ns);
    void start_freeing();

    const link::ForkGuard fork_guard_;
    const int device_;
    const u32 slots_;
    const u64 kernel_limit_ns_;
    int multiprocessors_ = 0;

    std::mutex closing_;                // one close at a time; taken before mutex_
    std::shared_future<bool> freeing_;  // under closing_; valid once resources_ have gone to be freed
    mutable std::mutex mutex_;          // over everything below
    std::unique_ptr<Resources> resources_;
    std::optional<device::Failure> last_failure_;
    u64 rows_pending_ = 0;  // submitted, not collected
    bool closed_ = false;
    bool captured_ = false;
    bool exported_ = false;
    bool lost_track_ = false;  // a launch whose end was not marked
};

}  // namespace photonlink::cuda
