// Multiply-adds and nothing else, compiled once per SIMD profile: what the other kernels are compared with.

/// Flops per round of multiply_adds().
template <class V>
inline constexpr u32 kRoundFlops = 2 * 24 * V::lanes;

/// 24 independent chains hide the latency of any multiplier known, and are few enough for 32 registers.
template <class V>
void multiply_adds(u64 rounds, typename V::Real factor, typename V::Real* result) {
    typename V::Type sums[24];
    for (auto& sum : sums) sum = V::splat(factor);
    const typename V::Type f = V::splat(factor);
    for (u64 round = 0; round < rounds; ++round)
#pragma GCC unroll 24
        for (u32 i = 0; i < 24; ++i) sums[i] = V::fma(sums[i], f, f);
    for (u32 i = 1; i < 24; ++i) sums[0] = V::fma(sums[0], f, sums[i]);
    V::store(result, sums[0]);
}
