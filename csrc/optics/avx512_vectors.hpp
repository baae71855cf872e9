// The vectors of AVX-512, and those that row_kernel.inl permutes. Included inside anonymous namespaces.
#include "x86_vectors.hpp"

PHL_X86_VECTOR(Float16, float, __m512, 16, _mm512, ps);
PHL_X86_VECTOR(Double8, double, __m512d, 8, _mm512, pd);
inline __m512d square_root(__m512d v) { return _mm512_maskz_sqrt_pd(0xFF, v); }

struct RowFloat16 : Float16 {
    using Pattern = __m512i;
    static Pattern load_pattern(const u8* at) {
        return _mm512_maskz_cvtepi8_epi32(0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    }
    static Type arrange(Pattern pattern, Type v) {
        return _mm512_maskz_permutexvar_ps(_mm512_movepi32_mask(pattern), pattern, v);
    }
};
struct RowDouble8 : Double8 {
    using Pattern = __m512i;
    static Pattern load_pattern(const u8* at) {
        return _mm512_maskz_cvtepi8_epi64(0xFF, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
    }
    static Type arrange(Pattern pattern, Type v) {
        return _mm512_maskz_permutexvar_pd(_mm512_movepi64_mask(pattern), pattern, v);
    }
};
