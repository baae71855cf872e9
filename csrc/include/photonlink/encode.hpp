// Features -> physical phases: phase_p = offset_p + sum_k weight_k * feature_k over the terms of row p, optionally
// wrapped into [0, 2*pi). One text for the CPU client and for kernels; sums run in term order, so that every caller
// gets the same bits.
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink {

/// A view of the map in compressed sparse rows. Owns nothing.
struct EncodingView {
    u32 features;
    u32 phases;
    const u32* row_begin;     // phases + 1 entries
    const u32* term_feature;  // row_begin[phases] entries
    const double* term_weight;
    const double* offset;  // phases entries, radians
    bool wrap;
};

inline constexpr double kTwoPi = 6.283185307179586476925286766559;

PHL_HD double wrap_phase(double radians) {
    const double turns = __builtin_floor(radians / kTwoPi);
    const double wrapped = radians - turns * kTwoPi;
    return wrapped >= kTwoPi || wrapped < 0.0 ? 0.0 : wrapped;
}

/// Physical phase `row` of one datapoint. `Real` is the type of the caller's features.
template <class Real>
PHL_HD double encode_phase(const EncodingView& map, const Real* features, u32 row) {
    double phase = map.offset[row];
    for (u32 k = map.row_begin[row]; k < map.row_begin[row + 1]; ++k)
        phase += map.term_weight[k] * static_cast<double>(features[map.term_feature[k]]);
    return map.wrap ? wrap_phase(phase) : phase;
}

}  // namespace photonlink
