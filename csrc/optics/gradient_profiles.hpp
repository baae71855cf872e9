// The builds of the gradient kernels that this library contains.
#pragma once

#include "photonlink/optics/gradient_kernel.hpp"

namespace photonlink::optics {

extern const GradientProfile kBaselineGradients;
#if defined(__x86_64__)
extern const GradientProfile kAvx2Gradients;
extern const GradientProfile kAvx512Gradients;
#endif

}  // namespace photonlink::optics
