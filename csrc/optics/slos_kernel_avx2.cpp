// Compiled with AVX2 and FMA; run only where both exist.
#include <immintrin.h>

#include "kernel_profiles.hpp"

namespace photonlink::optics {
namespace {

#include "slos_kernel.inl"
#include "x86_vectors.hpp"

constexpr SlosKernels<float> kFloat32[] = {kernels<Float8, Double4>(), kernels<Float4, Double4>(),
                                           kernels<Scalar<float>, Scalar<double>>()};
constexpr SlosKernels<double> kFloat64[] = {kernels<Double4, Double4>(), kernels<Double2, Double2>(),
                                            kernels<Scalar<double>, Scalar<double>>()};

bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

const KernelProfile kAvx2Profile{"avx2", supported, kFloat32, 3, kFloat64, 3};

}  // namespace photonlink::optics
