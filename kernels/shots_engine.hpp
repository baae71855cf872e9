// Sampled programs whose distribution does not fit: what a simulator of them takes, and the engine itself.
#pragma once

#include "simulator_engine.hpp"

namespace photonlink::cuda {

/// Bytes of device memory for tiles of `rows` rows; saturates. Throws optics::ProgramError for what cannot be sampled
/// so.
u64 predict_shot_bytes(const optics::ProgramSpec& program, u32 shots, u64 rows);

/// Throws optics::ProgramError, naming the bytes, if not even one row fits the limit.
SimulatorSizes plan_shot_sizes(const SimulatorConfig& config);

/// `sizes` are those of plan_shot_sizes(). Throws CudaError.
std::unique_ptr<SimulatorEngine> create_shots_engine(const SimulatorConfig& config, const SimulatorSizes& sizes,
                                                     int multiprocessors);

}  // namespace photonlink::cuda
