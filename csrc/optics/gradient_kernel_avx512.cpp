// Compiled with AVX-512 F, DQ and VL; run only where they exist.
#include <immintrin.h>

#include "gradient_profiles.hpp"

namespace photonlink::optics {
namespace {

#include "x86_vectors.hpp"

PHL_X86_VECTOR(Float16, float, __m512, 16, _mm512, ps);
PHL_X86_VECTOR(Double8, double, __m512d, 8, _mm512, pd);

#include "gradient_kernel.inl"
#include "gradient_mixture_kernel.inl"

constexpr GradientKernels<float> kFloat32[] = {gradient_kernels<Float16, Double8>(),
                                               gradient_kernels<Float8, Double8>(), gradient_kernels<Float4, Double4>(),
                                               gradient_kernels<Scalar<float>, Scalar<double>>()};
constexpr GradientKernels<double> kFloat64[] = {
    gradient_kernels<Double8, Double8>(), gradient_kernels<Double4, Double4>(), gradient_kernels<Double2, Double2>(),
    gradient_kernels<Scalar<double>, Scalar<double>>()};
constexpr MixtureGradientKernels kMixtures[] = {
    mixture_gradient_kernels<Double8>(), mixture_gradient_kernels<Double4>(), mixture_gradient_kernels<Double2>(),
    mixture_gradient_kernels<Scalar<double>>()};

}  // namespace

const GradientProfile kAvx512Gradients{"avx512", kFloat32, kFloat64, kMixtures};

}  // namespace photonlink::optics
