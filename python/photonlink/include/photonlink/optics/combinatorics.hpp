// Counting without overflow: a count that does not fit into 64 bits is reported as kSaturated, so that a memory
// prediction can refuse a program whose basis nobody could write down.
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink::optics {

inline constexpr u64 kSaturated = ~0ULL;

constexpr u64 saturating_add(u64 a, u64 b) { return a > kSaturated - b ? kSaturated : a + b; }

constexpr u64 saturating_mul(u64 a, u64 b) { return b != 0 && a > kSaturated / b ? kSaturated : a * b; }

/// Number of k-element subsets of n elements, or kSaturated.
constexpr u64 binomial(u64 n, u64 k) {
    if (k > n) return 0;
    if (k > n - k) k = n - k;
    __extension__ using Wide = unsigned __int128;
    Wide result = 1;
    for (u64 i = 1; i <= k; ++i) {
        result = result * (n - k + i) / i;  // exact: a product of i consecutive integers is divisible by i!
        if (result >= kSaturated) return kSaturated;
    }
    return static_cast<u64>(result);
}

}  // namespace photonlink::optics
