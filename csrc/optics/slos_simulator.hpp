// The noiseless simulator; Simulator::create() chooses it.
#pragma once

#include <memory>

#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

/// Requires check_spec(). Throws ProgramError as Simulator::create() does.
std::unique_ptr<Simulator> create_slos_simulator(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                                 std::size_t memory_limit_bytes, bool sampled, u32 threads);

/// Of predict_bytes() for such a spec.
std::size_t predict_slos_bytes(const ProgramSpec& spec, Precision precision, bool sampled);

}  // namespace photonlink::optics
