// The memory and the launches of a simulator's derivatives. Not thread-safe; the calling thread has guards.hpp's guards
// up.
#pragma once

#include "memory.hpp"
#include "photonlink/encode.hpp"
#include "photonlink/optics/gpu/vjp_plan.hpp"
#include "sim_vjp.hpp"
#include "simulating.hpp"

namespace photonlink::cuda {

/// What one call asks for. Pointers are device addresses; `Real` is the simulator's precision.
struct VjpBatch {
    RawFeatures features;
    u64 rows;
    const void* cotangents;                            // rows x outputs Reals without gaps
    void* values;                                      // likewise, or null
    double* phase_gradients;                           // rows x phases without gaps, or null
    optics::gpu::Complex64* interferometer_gradients;  // layers + 1 times modes x modes, or null
};

/// What a simulation lends.
struct SimulatorTables {
    EncodingView encoding;
    optics::gpu::Circuit circuit;
    const optics::gpu::LevelTable* levels;
    optics::gpu::Readout readout;
};

template <class Real>
class VjpEngine {
  public:
    /// Takes up to `bytes` of device memory. `by_rows` as in SimulatorSizes. Throws optics::ProgramError where that is
    /// too little, CudaError.
    VjpEngine(const optics::ProgramSpec& program, const SimulatorTables& tables, bool by_rows, u32 multiprocessors,
              u64 bytes);

    /// Enqueues the whole batch on `stream`; allocates nothing and waits for nothing.
    void run(const VjpBatch& batch, cudaStream_t stream);

  private:
    static optics::gpu::VjpPlan plan(const optics::ProgramSpec& program, bool by_rows, u64 bytes);
    optics::gpu::Vjp<Real> tile_of(const VjpBatch& batch, u64 first, u32 rows) const;
    VjpSpread spread_of(u32 rows) const;

    const optics::gpu::VjpPlan plan_;
    const EncodingView encoding_;
    const bool by_rows_;
    const u32 multiprocessors_;
    Arena arena_;
    double* phases_;  // of a tile
    optics::gpu::Vjp<Real> vjp_;
};

}  // namespace photonlink::cuda
