// Compiled with AVX2 and FMA; run only where both exist.
#include <immintrin.h>

#include "kernel_profiles.hpp"

namespace photonlink::optics {
namespace {

#include "avx2_vectors.hpp"
#include "clifford_kernel.inl"
#include "forward_kernel.inl"
#include "peak_kernel.inl"
#include "row_kernel.inl"

constexpr RowKernels<float> kRowFloat32[] = {row_kernels<RowFloat8, 2>(), row_kernels<RowFloat8, 1>()};
constexpr RowKernels<double> kRowFloat64[] = {row_kernels<RowDouble4, 2>(), row_kernels<RowDouble4, 1>()};

constexpr SlosKernels<float> kFloat32[] = {kernels<Float8, Double4>(), kernels<Float4, Double4>(),
                                           kernels<Scalar<float>, Scalar<double>>()};
constexpr SlosKernels<double> kFloat64[] = {kernels<Double4, Double4>(), kernels<Double2, Double2>(),
                                            kernels<Scalar<double>, Scalar<double>>()};

bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

const KernelProfile kAvx2Profile{"avx2",
                                 supported,
                                 kFloat32,
                                 3,
                                 kFloat64,
                                 3,
                                 kRowFloat32,
                                 kRowFloat64,
                                 2,
                                 all_minors<Double4, Double4, Double2, Scalar<double>>,
                                 multiply_adds<Float8>,
                                 kRoundFlops<Float8>,
                                 multiply_adds<Double4>,
                                 kRoundFlops<Double4>};

}  // namespace photonlink::optics
