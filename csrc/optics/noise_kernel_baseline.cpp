// Instructions that every machine of the architecture has; see slos_kernel_baseline.cpp.
#include "noise_profiles.hpp"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace photonlink::optics {
namespace {

#include "baseline_vectors.hpp"
#include "noise_kernel.inl"

constexpr MixtureKernels kWidths[] = {mixture_kernels<Vector<double>>(), mixture_kernels<Scalar<double>>()};

}  // namespace

const MixtureProfile kBaselineMixtures{kBaselineName, kWidths, nullptr, scale<Vector<double>>,
                                       accumulate<Vector<double>>};

}  // namespace photonlink::optics
