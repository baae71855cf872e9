// The simulator of sampled programs whose distribution does not fit into memory; Simulator::create() chooses it.
#pragma once

#include <memory>

#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

/// Bytes of a sampler of the spec with one thread, besides the counts of a run; saturates, also where the states are
/// too many to be numbered.
u64 predict_clifford_bytes(const ProgramSpec& spec);

/// Requires check_spec() and no noise. Throws ProgramError as Simulator::create() does. Samples only: a run without
/// shots throws ProgramError.
std::unique_ptr<Simulator> create_clifford_simulator(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                                     std::size_t memory_limit_bytes, u32 threads);

}  // namespace photonlink::optics
