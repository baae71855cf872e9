// Vector types of the baseline profiles, and their name. Included inside anonymous namespaces; on aarch64 after
// <arm_neon.h>.
#if defined(__aarch64__)
constexpr const char* kBaselineName = "neon";
inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline float32x4_t fused(float32x4_t a, float32x4_t b, float32x4_t c) { return vfmaq_f32(c, a, b); }
inline float64x2_t fused(float64x2_t a, float64x2_t b, float64x2_t c) { return vfmaq_f64(c, a, b); }
#else
constexpr const char* kBaselineName = "baseline";
template <class Type>
inline Type fused(Type a, Type b, Type c) {
    return a * b + c;
}
#endif

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
    static Type fma(Type a, Type b, Type c) { return fused(a, b, c); }
    static Type fnma(Type a, Type b, Type c) { return fused(-a, b, c); }
};

/// One 16-byte register in the compiler's own vector notation.
template <class R>
struct Vector {
    using Real = R;
    typedef R Type __attribute__((vector_size(16)));
    static constexpr u32 lanes = 16 / sizeof(R);
    static Type load(const Real* at) { return *reinterpret_cast<const Type*>(at); }
    static void store(Real* at, Type v) { *reinterpret_cast<Type*>(at) = v; }
    static void store_unaligned(Real* at, Type v) { __builtin_memcpy(at, &v, sizeof v); }
    static Type splat(Real v) { return v - Type{}; }
    static Type mul(Type a, Type b) { return a * b; }
    static Type fma(Type a, Type b, Type c) { return fused(a, b, c); }
    static Type fnma(Type a, Type b, Type c) { return fused(-a, b, c); }
};

inline double square_root(double v) { return __builtin_sqrt(v); }
inline Vector<double>::Type square_root(Vector<double>::Type v) {
    return Vector<double>::Type{__builtin_sqrt(v[0]), __builtin_sqrt(v[1])};
}
