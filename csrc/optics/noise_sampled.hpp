// Samples of noisy programs whose distribution is out of reach.
#pragma once

#include <memory>

#include "photonlink/optics/noise_plan.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

/// Saturates.
u64 predict_sampled_bytes(const ProgramSpec& spec, const NoisePlan& plan);

/// Throws ProgramError if even that exceeds the limit, or 32 bits cannot number the kept states.
std::unique_ptr<Simulator> sampled_simulator(std::shared_ptr<const ProgramSpec> spec, NoisePlan plan,
                                             Precision precision, std::size_t memory_limit);

}  // namespace photonlink::optics
