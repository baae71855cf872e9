// Whether numbers that come from outside are finite, for a whole batch of phases at once.
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink {

/// False if one of `count` values is infinite or not a number. What all exponents say is gathered in one word: compilers
/// make vectors of that, and a branch for each value of isfinite().
inline bool are_finite(const double* values, u64 count) {
    constexpr u64 kSign = 1ULL << 63, kLowestExponentBit = 1ULL << 52;
    u64 carries = 0;
    for (u64 i = 0; i < count; ++i) {
        u64 bits;
        platform::copy_bytes(&bits, values + i, sizeof bits);
        carries |= (bits & ~kSign) + kLowestExponentBit;  // reaches the sign where every bit of an exponent is set
    }
    return (carries & kSign) == 0;
}

}  // namespace photonlink
