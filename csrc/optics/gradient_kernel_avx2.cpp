// Compiled with AVX2 and FMA; run only where both exist.
#include <immintrin.h>

#include "gradient_profiles.hpp"

namespace photonlink::optics {
namespace {

#include "gradient_kernel.inl"
#include "gradient_mixture_kernel.inl"
#include "x86_vectors.hpp"

constexpr GradientKernels<float> kFloat32[] = {gradient_kernels<Float8, Double4>(), gradient_kernels<Float4, Double4>(),
                                               gradient_kernels<Scalar<float>, Scalar<double>>()};
constexpr GradientKernels<double> kFloat64[] = {gradient_kernels<Double4, Double4>(),
                                                gradient_kernels<Double2, Double2>(),
                                                gradient_kernels<Scalar<double>, Scalar<double>>()};
constexpr MixtureGradientKernels kMixtures[] = {mixture_gradient_kernels<Double4>(),
                                                mixture_gradient_kernels<Double2>(),
                                                mixture_gradient_kernels<Scalar<double>>()};

}  // namespace

const GradientProfile kAvx2Gradients{"avx2", kFloat32, kFloat64, kMixtures};

}  // namespace photonlink::optics
