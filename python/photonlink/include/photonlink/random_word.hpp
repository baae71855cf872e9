// Words for keys and secrets.
#pragma once

#include <random>

#include "photonlink/platform.hpp"

namespace photonlink {

/// From the system's source of randomness; never 0.
inline u64 random_word() {
    std::random_device source;
    u64 word = 0;
    while (word == 0) word = u64{source()} << 32 | source();
    return word;
}

}  // namespace photonlink
