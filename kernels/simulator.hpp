// A simulated photonic processor on the caller's GPU: plain launches on the caller's streams, no link and no waiting.
// Thread-safe. Nothing here waits for the device, except set_interferometers(), synchronize(), close() and
// construction.
#pragma once

#include <future>
#include <mutex>
#include <optional>

#include "photonlink/link/fork.hpp"
#include "simulator_engine.hpp"

namespace photonlink::cuda {

/// Calls on different streams follow one another on the device, since they share its memory. Replays of captured calls
/// do so only as far as their streams see to it: a graph must not run beside another one, or beside a call.
class Simulator {
  public:
    /// Throws std::invalid_argument for a bad config, optics::ProgramError for a program that cannot be simulated so,
    /// CudaError when the device cannot do it.
    explicit Simulator(const SimulatorConfig& config);
    /// Like close() with a second's time.
    ~Simulator();
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;

    int device() const { return config_.device; }
    u32 modes() const { return modes_; }
    u64 output_size() const { return output_size_; }
    u64 basis_size() const { return basis_size_; }
    u64 memory_bytes() const { return sizes_.bytes; }
    u32 tile_rows() const { return sizes_.tile_rows; }
    u32 observable_bytes() const;
    /// As optics::Simulator::sampler().
    const char* sampler() const { return sizes_.by_shots ? "clifford_clifford_2017" : "inverse_cdf"; }

    /// Any number of rows. Rows that cannot be executed become NaN, and the first of them a failure.
    void infer(const SimulatedBatch& batch, cudaStream_t stream);
    /// Vector-Jacobian products of exact results. Rows that cannot be executed become NaN, and so do sums that they are
    /// in; they are failures only where values are asked for, which also count as executed. Throws
    /// std::invalid_argument with shots, optics::ProgramError where memory is short.
    void vjp(const VjpBatch& batch, cudaStream_t stream);
    /// Takes effect for calls and replays that begin later; waits, bounded, for those in flight. Throws
    /// optics::ProgramError, also for another number of matrices.
    void set_interferometers(std::vector<std::vector<optics::Complex>> matrices);

    /// Datapoints executed so far, those of replayed graphs included; asks no device.
    u64 executed() const;
    /// The first failure since the last call, without asking the device; also after close().
    std::optional<device::Failure> take_failure();
    /// Waits until `stream` has done what it was given; false if the timeout, in seconds, is over before.
    bool synchronize(cudaStream_t stream, double timeout);
    /// Waits for calls in flight and lets go of everything. False: after the timeout, in seconds, something still runs,
    /// or a graph holds a call; then everything stays. May be called again.
    bool close(double timeout) noexcept;

  private:
    std::unique_lock<std::mutex> locked() const;
    SimulatorEngine& open_engine();
    void order_behind_others(cudaStream_t stream);
    template <class Work>
    void enqueue(cudaStream_t stream, const Work& work);
    bool wait_idle(u64 deadline_ns);
    void start_freeing();

    const link::ForkGuard fork_guard_;
    SimulatorConfig config_;  // its program is the one in use
    SimulatorSizes sizes_;
    u32 modes_ = 0;
    u64 output_size_ = 0;
    u64 basis_size_ = 0;

    std::mutex closing_;                // one close at a time; taken before mutex_
    std::shared_future<bool> freeing_;  // under closing_; valid once the engine has gone to be freed
    mutable std::mutex mutex_;          // over everything below
    std::unique_ptr<SimulatorEngine> engine_;
    std::unique_ptr<Event> last_;  // behind the last call that was not captured
    u64 last_stream_ = 0;          // id of its stream
    u64 last_executed_ = 0;
    std::optional<device::Failure> last_failure_;
    bool closed_ = false;
    bool captured_ = false;
};

}  // namespace photonlink::cuda
