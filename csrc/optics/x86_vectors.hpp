// Vector types of the x86 profiles that have fused multiply-add. Included only by files compiled with the matching
// instruction sets, inside their anonymous namespaces.
template <class R>
struct Scalar {
    using Real = R;
    using Type = R;
    static constexpr u32 lanes = 1;
    static Type load(const Real* at) { return *at; }
    static void store(Real* at, Type v) { *at = v; }
    static void store_unaligned(Real* at, Type v) { *at = v; }
    static Type splat(Real v) { return v; }
    static Type mul(Type a, Type b) { return a * b; }
    static float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
    static double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
    static Type fnma(Type a, Type b, Type c) { return fma(-a, b, c); }
};

// Memory is allocated with the alignment of the widest vector, so aligned loads are right everywhere.
#define PHL_X86_VECTOR(Name, RealType, RegisterType, Lanes, Prefix, Suffix)                    \
    struct Name {                                                                              \
        using Real = RealType;                                                                 \
        using Type = RegisterType;                                                             \
        static constexpr u32 lanes = Lanes;                                                    \
        static Type load(const Real* at) { return Prefix##_load_##Suffix(at); }                \
        static void store(Real* at, Type v) { Prefix##_store_##Suffix(at, v); }                \
        static Type load_unaligned(const Real* at) { return Prefix##_loadu_##Suffix(at); }     \
        static void store_unaligned(Real* at, Type v) { Prefix##_storeu_##Suffix(at, v); }     \
        static Type splat(Real v) { return Prefix##_set1_##Suffix(v); }                        \
        static Type mul(Type a, Type b) { return Prefix##_mul_##Suffix(a, b); }                \
        static Type fma(Type a, Type b, Type c) { return Prefix##_fmadd_##Suffix(a, b, c); }   \
        static Type fnma(Type a, Type b, Type c) { return Prefix##_fnmadd_##Suffix(a, b, c); } \
    }

PHL_X86_VECTOR(Float4, float, __m128, 4, _mm, ps);
PHL_X86_VECTOR(Float8, float, __m256, 8, _mm256, ps);
PHL_X86_VECTOR(Double2, double, __m128d, 2, _mm, pd);
PHL_X86_VECTOR(Double4, double, __m256d, 4, _mm256, pd);

inline double square_root(double v) { return __builtin_sqrt(v); }
inline __m128d square_root(__m128d v) { return _mm_sqrt_pd(v); }
inline __m256d square_root(__m256d v) { return _mm256_sqrt_pd(v); }
