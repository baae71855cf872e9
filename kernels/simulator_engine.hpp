// What a simulator keeps on the device, and which kernels a call consists of. Not thread-safe; the calling thread has
// guards.hpp's guards up.
#pragma once

#include <memory>

#include "memory.hpp"
#include "photonlink/encode.hpp"
#include "photonlink/optics/program.hpp"
#include "simulating.hpp"
#include "vjp_engine.hpp"

namespace photonlink::cuda {

struct SimulatorConfig {
    int device = 0;
    optics::ProgramSpec program;
    optics::Precision precision = optics::Precision::Float32;
    const EncodingView* encoding = nullptr;  // host memory; copied
    u64 seed = 0;
    u32 shots = 0;         // kept samples per datapoint; 0: exact
    u64 memory_limit = 0;  // bytes of device memory
};

/// What one call computes. Pointers are device addresses.
struct SimulatedBatch {
    RawBatch rows;
    double* kept_fractions;  // per row, or null
    u32* shot_states;        // shots per row without gaps: the basis state of each; or null
};

/// Sizes that follow from a config and a device.
struct SimulatorSizes {
    u64 bytes;        // of device memory
    u32 tile_rows;    // rows at a time
    u64 tile_states;  // states at a time, at most; see Plan
    bool by_rows;     // each block takes rows of its own through all tasks; else all share every task
    bool by_shots;    // draws shots without a distribution
};

/// Samples whose distribution does not fit are drawn without it. Throws optics::ProgramError, naming the bytes, if not
/// even one row fits the limit. `cache_bytes`: of the device.
SimulatorSizes plan_sizes(const SimulatorConfig& config, u64 cache_bytes);

/// Bytes of device memory for tiles of `rows` rows, of whatever way takes fewer. Throws optics::ProgramError.
u64 predict_simulator_bytes(const optics::ProgramSpec& program, optics::Precision precision, u32 shots, u64 rows);

class SimulatorEngine {
  public:
    /// `config` has been checked. Throws CudaError.
    static std::unique_ptr<SimulatorEngine> create(const SimulatorConfig& config, const SimulatorSizes& sizes,
                                                   int multiprocessors);
    virtual ~SimulatorEngine() = default;

    virtual u64 outputs() const = 0;
    /// Enqueues the whole batch on `stream`; allocates nothing and waits for nothing.
    virtual void infer(const SimulatedBatch& batch, cudaStream_t stream) = 0;
    /// The same for derivatives of exact results; the first call takes the memory that the config's limit leaves.
    virtual void vjp(const VjpBatch& batch, cudaStream_t stream) = 0;
    /// Other matrices of the same shape; nothing may run meanwhile.
    virtual void set_interferometers(const optics::ProgramSpec& program) = 0;
    virtual device::SimulatorMailbox* mailbox() const = 0;
};

}  // namespace photonlink::cuda
