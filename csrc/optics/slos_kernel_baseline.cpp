// Instructions that every machine of the architecture has. On x86-64 that is SSE2, which has no fused multiply-add:
// this profile rounds the product and the sum separately, in vectors and in scalars alike. On aarch64 it is NEON,
// which has one.
#include "kernel_profiles.hpp"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace photonlink::optics {
namespace {

#if defined(__aarch64__)
inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline float32x4_t fused(float32x4_t a, float32x4_t b, float32x4_t c) { return vfmaq_f32(c, a, b); }
inline float64x2_t fused(float64x2_t a, float64x2_t b, float64x2_t c) { return vfmaq_f64(c, a, b); }
#else
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
    static Type splat(Real v) { return v - Type{}; }
    static Type mul(Type a, Type b) { return a * b; }
    static Type fma(Type a, Type b, Type c) { return fused(a, b, c); }
    static Type fnma(Type a, Type b, Type c) { return fused(-a, b, c); }
};

#include "slos_kernel.inl"

constexpr SlosKernels<float> kFloat32[] = {kernels<Vector<float>, Vector<double>>(),
                                           kernels<Scalar<float>, Scalar<double>>()};
constexpr SlosKernels<double> kFloat64[] = {kernels<Vector<double>, Vector<double>>(),
                                            kernels<Scalar<double>, Scalar<double>>()};

}  // namespace

#if defined(__aarch64__)
const KernelProfile kBaselineProfile{"neon", [] { return true; }, kFloat32, 2, kFloat64, 2};
#else
const KernelProfile kBaselineProfile{"baseline", [] { return true; }, kFloat32, 2, kFloat64, 2};
#endif

}  // namespace photonlink::optics
