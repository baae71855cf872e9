// The builds of the kernels that this library contains.
#pragma once

#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

extern const KernelProfile kBaselineProfile;
#if defined(__x86_64__)
extern const KernelProfile kAvx2Profile;
extern const KernelProfile kAvx512Profile;
#endif

}  // namespace photonlink::optics
