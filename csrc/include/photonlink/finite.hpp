// Bounds on numbers that come from outside, for a whole batch of them at once: all magnitudes are gathered in one word.
// Compilers make vectors of that, and of isfinite() a branch for each number.
#pragma once

#include <limits>
#include <type_traits>

#include "photonlink/platform.hpp"

namespace photonlink {

/// True if all absolute values are below `bound`, which is not negative; false if one is not a number.
template <class Real>
bool are_below(Real bound, const Real* values, u64 count) {
    static_assert(sizeof(Real) == 8 || sizeof(Real) == 4, "bits of a float or a double");
    using Bits = std::conditional_t<sizeof(Real) == 8, u64, u32>;
    constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
    // Magnitudes are ordered as their bits are, so that |value| + (sign - bound) has the sign bit set where |value| is
    // at least the bound.
    Bits limit;
    platform::copy_bytes(&limit, &bound, sizeof limit);
    Bits reached = 0;
    for (u64 i = 0; i < count; ++i) {
        Bits bits;
        platform::copy_bytes(&bits, values + i, sizeof bits);
        reached |= (bits & static_cast<Bits>(~kSign)) + (kSign - limit);
    }
    return (reached & kSign) == 0;
}

/// False if one of `count` values is infinite or not a number.
inline bool are_finite(const double* values, u64 count) {
    return are_below(std::numeric_limits<double>::infinity(), values, count);
}

}  // namespace photonlink
