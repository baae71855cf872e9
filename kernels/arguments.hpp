// Checks of what callers pass, before anything touches the device.
#pragma once

#include <stdexcept>
#include <string>

#include "launch.hpp"

namespace photonlink::cuda {

/// Throws std::invalid_argument with `complaint` unless `good`.
inline void require(bool good, const std::string& complaint) {
    if (!good) throw std::invalid_argument(complaint);
}

inline bool aligned(const void* memory, u32 bytes) { return reinterpret_cast<u64>(memory) % bytes == 0; }

inline void require_feature_bytes(u32 bytes) {
    require(bytes == sizeof(float) || bytes == sizeof(double),
            "feature_bytes is " + std::to_string(bytes) + ", expected 4 (float32) or 8 (float64)");
}

/// `out_bytes` is the size of an element of the results.
inline void require_batch(const RawBatch& batch, u32 out_bytes) {
    require_feature_bytes(batch.feature_bytes);
    require(batch.rows == 0 || (batch.features != nullptr && batch.out != nullptr),
            "features and results must be device addresses, not 0");
    require(aligned(batch.features, batch.feature_bytes) && aligned(batch.out, out_bytes) &&
                aligned(batch.statuses, sizeof(u32)),
            "features, results and statuses must be aligned to the size of their elements");
}

}  // namespace photonlink::cuda
