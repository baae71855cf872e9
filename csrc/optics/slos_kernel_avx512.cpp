// Compiled with AVX-512 F, DQ and VL; run only where they exist.
#include <immintrin.h>

#include "kernel_profiles.hpp"

namespace photonlink::optics {
namespace {

#include "avx512_vectors.hpp"
#include "clifford_kernel.inl"
#include "forward_kernel.inl"
#include "peak_kernel.inl"
#include "row_kernel.inl"

constexpr RowKernels<float> kRowFloat32[] = {row_kernels<RowFloat16, 2>(), row_kernels<RowFloat16, 1>()};
constexpr RowKernels<double> kRowFloat64[] = {row_kernels<RowDouble8, 2>(), row_kernels<RowDouble8, 1>()};

constexpr SlosKernels<float> kFloat32[] = {kernels<Float16, Double8>(), kernels<Float8, Double8>(),
                                           kernels<Float4, Double4>(), kernels<Scalar<float>, Scalar<double>>()};
constexpr SlosKernels<double> kFloat64[] = {kernels<Double8, Double8>(), kernels<Double4, Double4>(),
                                            kernels<Double2, Double2>(), kernels<Scalar<double>, Scalar<double>>()};

bool supported() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}

}  // namespace

const KernelProfile kAvx512Profile{"avx512",
                                   supported,
                                   kFloat32,
                                   4,
                                   kFloat64,
                                   4,
                                   kRowFloat32,
                                   kRowFloat64,
                                   2,
                                   all_minors<Double8, Double4, Double2, Scalar<double>>,
                                   multiply_adds<Float16>,
                                   kRoundFlops<Float16>,
                                   multiply_adds<Double8>,
                                   kRoundFlops<Double8>};

}  // namespace photonlink::optics
