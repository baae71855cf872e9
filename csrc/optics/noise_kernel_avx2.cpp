// Compiled with AVX2 and FMA; run only where both exist.
#include <immintrin.h>

#include "noise_profiles.hpp"

namespace photonlink::optics {
namespace {

#include "avx2_vectors.hpp"
#include "noise_kernel.inl"
#include "noise_row_kernel.inl"

constexpr MixtureKernels kWidths[] = {mixture_kernels<Double4>(), mixture_kernels<Double2>(),
                                      mixture_kernels<Scalar<double>>()};
constexpr MixtureRowKernels kRows = mixture_row_kernels<RowDouble4>();

}  // namespace

const MixtureProfile kAvx2Mixtures{"avx2", kWidths, &kRows, scale<Double4>, accumulate<Double4>};

}  // namespace photonlink::optics
