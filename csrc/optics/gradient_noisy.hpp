// Differentiators of programs whose sources or detectors make their results a mixture; Differentiator::create()
// chooses. Everything is computed in double precision, as the results are.
#pragma once

#include <memory>

#include "photonlink/optics/gradients.hpp"

namespace photonlink::optics {

/// Requires check_differentiable() and noise without an ideal_program(). Values and cotangents are of the precision.
/// Phases are executed as they are. Throws ProgramError for more memory or work than can be afforded.
std::unique_ptr<Differentiator> create_noisy_differentiator(const std::shared_ptr<const ProgramSpec>& spec,
                                                            Precision precision, const GradientOptions& options);

/// Of predict_gradient_bytes() for such a spec.
std::size_t predict_noisy_gradient_bytes(const ProgramSpec& spec, u32 threads);

}  // namespace photonlink::optics
