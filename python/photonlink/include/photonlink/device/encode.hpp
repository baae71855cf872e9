// Features -> phases for a whole batch, by the arithmetic that requests are encoded with: for kernels that want the
// phases themselves, and for comparing them with the host's. Portable.
#pragma once

#include "photonlink/device/call.hpp"

namespace photonlink::device {

/// Phases (radians) of rows `first`, `first + stride`, ... of a batch, link-free. A row with a feature that is not
/// finite becomes NaN throughout and its status BadFeature; one with a phase that is not finite, NaN and BadPhase.
template <class Group, class Real>
PHL_HD void encode_rows(const Group& group, const EncodingView& map, const Real* features, i64 feature_stride,
                        double* phases, u32* statuses, u64 rows, u64 first, u64 stride) {
    for (u64 row = first; row < rows; row += stride) {
        const Real* const from = features + static_cast<i64>(row) * feature_stride;
        double* const to = phases + row * map.phases;
        CallStatus status = CallStatus::Ok;
        if (detail::any_bad_feature(group, map, from))
            status = CallStatus::BadFeature;
        else if (group.any(detail::write_phases(group, map, from, to)))
            status = CallStatus::BadPhase;
        if (status != CallStatus::Ok)
            for (u32 p = group.rank(); p < map.phases; p += group.size()) to[p] = quiet_nan();
        if (statuses != nullptr && group.leader()) statuses[row] = static_cast<u32>(status);
    }
}

}  // namespace photonlink::device
