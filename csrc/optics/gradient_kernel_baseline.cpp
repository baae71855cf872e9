// Instructions that every machine of the architecture has; see slos_kernel_baseline.cpp.
#include "gradient_profiles.hpp"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace photonlink::optics {
namespace {

#include "baseline_vectors.hpp"
#include "gradient_kernel.inl"
#include "gradient_mixture_kernel.inl"

constexpr GradientKernels<float> kFloat32[] = {gradient_kernels<Vector<float>, Vector<double>>(),
                                               gradient_kernels<Scalar<float>, Scalar<double>>()};
constexpr GradientKernels<double> kFloat64[] = {gradient_kernels<Vector<double>, Vector<double>>(),
                                                gradient_kernels<Scalar<double>, Scalar<double>>()};
constexpr MixtureGradientKernels kMixtures[] = {mixture_gradient_kernels<Vector<double>>(),
                                                mixture_gradient_kernels<Scalar<double>>()};

}  // namespace

const GradientProfile kBaselineGradients{kBaselineName, kFloat32, kFloat64, kMixtures};

}  // namespace photonlink::optics
