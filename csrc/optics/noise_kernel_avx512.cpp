// Compiled with AVX-512 F, DQ and VL; run only where they exist.
#include <immintrin.h>

#include "noise_profiles.hpp"

namespace photonlink::optics {
namespace {

#include "avx512_vectors.hpp"
#include "noise_kernel.inl"
#include "noise_row_kernel.inl"

constexpr MixtureKernels kWidths[] = {mixture_kernels<Double8>(), mixture_kernels<Double4>(),
                                      mixture_kernels<Double2>(), mixture_kernels<Scalar<double>>()};
constexpr MixtureRowKernels kRows = mixture_row_kernels<RowDouble8>();

}  // namespace

const MixtureProfile kAvx512Mixtures{"avx512", kWidths, &kRows, scale<Double8>, accumulate<Double8>};

}  // namespace photonlink::optics
