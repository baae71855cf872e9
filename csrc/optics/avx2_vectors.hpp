// The vectors of AVX2, and those that row_kernel.inl permutes. Included inside anonymous namespaces.
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
