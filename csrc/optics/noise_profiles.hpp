// The builds of the mixtures' kernels that this library contains.
#pragma once

#include "photonlink/optics/noise_kernel.hpp"

namespace photonlink::optics {

extern const MixtureProfile kBaselineMixtures;
#if defined(__x86_64__)
extern const MixtureProfile kAvx2Mixtures;
extern const MixtureProfile kAvx512Mixtures;
#endif

}  // namespace photonlink::optics
