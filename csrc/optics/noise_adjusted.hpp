// Simulators and differentiators whose phases are executed imprecisely, and whose kept fractions stand for more loss
// than they know of.
#pragma once

#include <memory>

#include "photonlink/optics/gradients.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

/// Phases of a request are set as executed_phase() says; kept fractions are multiplied by `kept_scale`.
std::unique_ptr<Simulator> adjusted_simulator(std::unique_ptr<Simulator> inner, const ProgramSpec& spec,
                                              double kept_scale);

/// Likewise. A phase that is set moves as the one that was asked for, so that derivatives are those at the former;
/// spec.noise.phase_imprecision must be 0.
std::unique_ptr<Differentiator> adjusted_differentiator(std::unique_ptr<Differentiator> inner, const ProgramSpec& spec);

}  // namespace photonlink::optics
