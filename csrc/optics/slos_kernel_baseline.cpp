// Instructions that every machine of the architecture has. On x86-64 that is SSE2, which has no fused multiply-add:
// this profile rounds the product and the sum separately, in vectors and in scalars alike. On aarch64 it is NEON,
// which has one.
#include "kernel_profiles.hpp"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace photonlink::optics {
namespace {

#include "baseline_vectors.hpp"
#include "clifford_kernel.inl"
#include "forward_kernel.inl"
#include "peak_kernel.inl"

constexpr SlosKernels<float> kFloat32[] = {kernels<Vector<float>, Vector<double>>(),
                                           kernels<Scalar<float>, Scalar<double>>()};
constexpr SlosKernels<double> kFloat64[] = {kernels<Vector<double>, Vector<double>>(),
                                            kernels<Scalar<double>, Scalar<double>>()};

}  // namespace

const KernelProfile kBaselineProfile{kBaselineName,
                                     [] { return true; },
                                     kFloat32,
                                     2,
                                     kFloat64,
                                     2,
                                     nullptr,
                                     nullptr,
                                     0,
                                     all_minors<Vector<double>, Vector<double>, Vector<double>, Scalar<double>>,
                                     multiply_adds<Vector<float>>,
                                     kRoundFlops<Vector<float>>,
                                     multiply_adds<Vector<double>>,
                                     kRoundFlops<Vector<double>>};

}  // namespace photonlink::optics
