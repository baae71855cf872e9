#include "simulator.hpp"

#include <string>
#include <utility>

#include "arguments.hpp"
#include "attribute.hpp"
#include "flights.hpp"
#include "freeing.hpp"
#include "guards.hpp"
#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/simulator.hpp"
#include "waiting.hpp"

namespace photonlink::cuda {
namespace {

void require_vjp(const VjpBatch& batch, u32 real_bytes) {
    require_feature_bytes(batch.features.bytes);
    require(batch.rows == 0 || (batch.features.values != nullptr && batch.cotangents != nullptr),
            "features and cotangents must be device addresses, not 0");
    require(aligned(batch.features.values, batch.features.bytes) && aligned(batch.cotangents, real_bytes) &&
                aligned(batch.values, real_bytes) && aligned(batch.phase_gradients, sizeof(double)) &&
                aligned(batch.interferometer_gradients, sizeof(optics::gpu::Complex64)),
            "features, cotangents, values and derivatives must be aligned to the size of their elements");
}

void require_encoding(const SimulatorConfig& config) {
    require(config.encoding != nullptr, "encoding must be an address, not 0");
    require(config.encoding->phases == config.program.phases.size(),
            "the encoding makes " + std::to_string(config.encoding->phases) + " phases, and the program has " +
                std::to_string(config.program.phases.size()));
}

}  // namespace

Simulator::Simulator(const SimulatorConfig& config) : config_(config), sizes_{} {
    require_encoding(config_);
    sizes_ = plan_sizes(config_, static_cast<u64>(attribute(cudaDevAttrL2CacheSize, config_.device)));
    const DeviceGuard device(config_.device);
    const CaptureGuard capture;
    check(preload_simulator(), "load the simulator's kernels");
    engine_ = SimulatorEngine::create(config_, sizes_, attribute(cudaDevAttrMultiProcessorCount, config_.device));
    last_ = std::make_unique<Event>();
    config_.encoding = nullptr;  // the caller's
    modes_ = config_.program.modes;
    output_size_ = engine_->outputs();
    basis_size_ = optics::state_count(config_.program.readout.space, config_.program.modes, config_.program.photons());
}

u32 Simulator::observable_bytes() const {
    return config_.precision == optics::Precision::Float32 ? sizeof(float) : sizeof(double);
}

SimulatorEngine& Simulator::open_engine() {
    if (closed_) throw CudaError("could not use the simulator: it is closed");
    return *engine_;
}

// Checked before the mutex is touched: in a forked child another thread, which is not there, may hold it for ever.
std::unique_lock<std::mutex> Simulator::locked() const {
    if (fork_guard_.inherited())
        throw CudaError(
            "could not use the simulator: it belongs to the parent of this process, and CUDA does not survive a fork");
    return std::unique_lock<std::mutex>(mutex_);
}

void Simulator::order_behind_others(cudaStream_t stream) {
    unsigned long long id = 0;
    check(cudaStreamGetId(stream, &id), "identify the stream");
    if (id != last_stream_) check(cudaStreamWaitEvent(stream, last_->get(), 0), "wait for the simulator's last call");
    last_stream_ = id;
}

/// Runs `work`, which puts kernels on `stream`.
template <class Work>
void Simulator::enqueue(cudaStream_t stream, const Work& work) {
    const DeviceGuard device(config_.device);
    const CaptureGuard capture;
    if (is_captured(stream)) {
        captured_ = true;
        return work();
    }
    order_behind_others(stream);
    work();
    last_->record(stream);
}

void Simulator::infer(const SimulatedBatch& batch, cudaStream_t stream) {
    const auto lock = locked();
    SimulatorEngine& engine = open_engine();
    require_batch(batch.rows, observable_bytes());
    require(aligned(batch.kept_fractions, sizeof(double)) && aligned(batch.shot_states, sizeof(u32)),
            "kept fractions and states of shots must be aligned to the size of their elements");
    require(batch.shot_states == nullptr || config_.shots > 0,
            "states of shots were asked for, and this simulator's results are exact; use shots");
    if (batch.rows.rows > 0) enqueue(stream, [&] { engine.infer(batch, stream); });
}

void Simulator::vjp(const VjpBatch& batch, cudaStream_t stream) {
    const auto lock = locked();
    SimulatorEngine& engine = open_engine();
    require(config_.shots == 0, "derivatives are those of exact results, and this simulator has " +
                                    std::to_string(config_.shots) + " shots; use shots=0");
    require_vjp(batch, observable_bytes());
    enqueue(stream, [&] { engine.vjp(batch, stream); });
}

void Simulator::set_interferometers(std::vector<std::vector<optics::Complex>> matrices) {
    constexpr u64 kLimitNs = 10'000'000'000ULL;
    const auto lock = locked();
    SimulatorEngine& engine = open_engine();
    optics::ProgramSpec program = config_.program;
    if (matrices.size() != program.interferometers.size())
        throw optics::ProgramError("got " + std::to_string(matrices.size()) + " interferometers; the program has " +
                                   std::to_string(program.interferometers.size()));
    program.interferometers = std::move(matrices);
    optics::check_spec(program);
    const DeviceGuard device(config_.device);
    const CaptureGuard capture;
    if (!wait_idle(platform::clock_ns() + kLimitNs))
        throw CudaError("could not change the interferometers: calls of the simulator still run after 10 s");
    engine.set_interferometers(program);
    config_.program = std::move(program);
}

u64 Simulator::executed() const {
    const auto lock = locked();
    return engine_ != nullptr ? platform::load_relaxed_system(&engine_->mailbox()->executed) : last_executed_;
}

std::optional<device::Failure> Simulator::take_failure() {
    const auto lock = locked();
    device::Failure failure;
    if (engine_ != nullptr && device::take_failure(&engine_->mailbox()->latch, &failure)) return failure;
    return std::exchange(last_failure_, std::nullopt);
}

bool Simulator::synchronize(cudaStream_t stream, double timeout) {
    return synchronize_stream(config_.device, stream, timeout);
}

Simulator::~Simulator() {
    constexpr double kSeconds = 1.0;
    if (close(kSeconds)) return;
    static_cast<void>(engine_.release());  // on purpose: something may still touch it
    static_cast<void>(last_.release());
}

bool Simulator::close(double timeout) noexcept {
    try {
        if (fork_guard_.inherited()) return false;
        const u64 deadline = platform::clock_ns() + limit_ns(timeout, "timeout");
        const std::lock_guard<std::mutex> closing(closing_);
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            closed_ = true;
            if (captured_) return false;
        }
        if (engine_ != nullptr) {
            if (!wait_idle(deadline)) return false;
            start_freeing();
        }
        return ended_by(deadline, freeing_);  // also without its device: then there is nothing left to free
    } catch (...) {
        return false;
    }
}

bool Simulator::wait_idle(u64 deadline_ns) {
    const DeviceGuard device(config_.device);
    const CaptureGuard capture;
    return wait_until([this] { return last_->done(); }, deadline_ns, {0, 50, 200'000});
}

void Simulator::start_freeing() {
    const std::lock_guard<std::mutex> lock(mutex_);
    device::Failure failure;
    if (device::take_failure(&engine_->mailbox()->latch, &failure)) last_failure_ = failure;
    last_executed_ = platform::load_relaxed_system(&engine_->mailbox()->executed);
    freeing_ = free_aside(config_.device, [engine = engine_.get(), last = last_.get()] {
        delete engine;
        delete last;
    });
    static_cast<void>(engine_.release());  // the thread has them
    static_cast<void>(last_.release());
}

}  // namespace photonlink::cuda
