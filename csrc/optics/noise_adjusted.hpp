// A simulator whose phases are executed imprecisely, and whose kept fractions stand for more loss than it knows of.
#pragma once

#include <memory>

#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

/// Phases of a request are reduced to [0, 2 pi), shifted by spec.noise.phase_errors and rounded to multiples of
/// spec.noise.phase_imprecision; kept fractions are multiplied by `kept_scale`.
std::unique_ptr<Simulator> adjusted_simulator(std::unique_ptr<Simulator> inner, const ProgramSpec& spec,
                                              double kept_scale);

}  // namespace photonlink::optics
