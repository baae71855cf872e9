// Compiled with AVX2 and FMA; run only where both exist.
#include <immintrin.h>

#include "kernel_profiles.hpp"

namespace photonlink::optics {
namespace {

#include "x86_vectors.hpp"

struct RowFloat8 : Float8 {
    using Pattern = __m256i;
    static Pattern load_pattern(const u8* at) {
        return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
    }
    static Type arrange(Pattern pattern, Type v) {
        return _mm256_blendv_ps(_mm256_setzero_ps(), _mm256_permutevar8x32_ps(v, pattern),
                                _mm256_castsi256_ps(pattern));
    }
};
struct RowDouble4 : Double4 {
    using Pattern = __m256i;
    /// Doubles move as pairs of words: 2 * j and 2 * j + 1.
    static Pattern load_pattern(const u8* at) {
        const __m256i lanes = _mm256_cvtepi8_epi64(_mm_loadu_si32(at));
        const __m256i even = _mm256_add_epi64(lanes, lanes);
        return _mm256_blend_epi32(even, _mm256_slli_epi64(_mm256_add_epi64(even, _mm256_set1_epi64x(1)), 32), 0xAA);
    }
    static Type arrange(Pattern pattern, Type v) {
        const __m256 moved = _mm256_permutevar8x32_ps(_mm256_castpd_ps(v), pattern);
        return _mm256_blendv_pd(_mm256_setzero_pd(), _mm256_castps_pd(moved), _mm256_castsi256_pd(pattern));
    }
};

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
