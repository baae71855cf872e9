// What fuzz targets share.
#pragma once

#include <cstdlib>
#include <memory>

#include "photonlink/platform.hpp"

namespace photonlink::fuzz {

/// Ends the run: the input breaks a promise.
inline void require(bool promise) {
    if (!promise) std::abort();
}

/// A copy of exactly `size` bytes on the heap, so that AddressSanitizer sees the first byte that is read behind it.
inline std::unique_ptr<u8[]> exact_copy(const u8* data, u64 size) {
    std::unique_ptr<u8[]> copy(new u8[size]);
    if (size != 0) platform::copy_bytes(copy.get(), data, size);
    return copy;
}

}  // namespace photonlink::fuzz
