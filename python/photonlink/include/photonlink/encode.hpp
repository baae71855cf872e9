// Features -> physical phases: phase_p = offset_p + sum_k weight_k * feature_k over the terms of row p, optionally
// wrapped into [0, 2*pi) and rounded to the steps of a digital-to-analog converter. One text for the CPU client and for
// kernels; sums run in term order, so that every caller gets the same bits.
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
    u32 dac_bits;  // 0: continuous; else the phases are multiples of 2*pi / 2^dac_bits, and wrapped
};

inline constexpr u32 kMaxDacBits = 32;
inline constexpr double kTwoPi = 6.283185307179586476925286766559;

PHL_HD double wrap_phase(double radians) {
    const double turns = platform::round_down(radians / kTwoPi);
    const double wrapped = radians - platform::product(turns, kTwoPi);
    return wrapped >= kTwoPi || wrapped < 0.0 ? 0.0 : wrapped;
}

/// The nearest phase in [0, 2*pi) that a converter of `bits` (1..kMaxDacBits) bits can set; halfway cases go up, and
/// what rounds to a full turn is 0.
PHL_HD double quantise_phase(double radians, u32 bits) {
    const double steps = static_cast<double>(1ULL << bits);
    const double step = platform::round_down(platform::product(wrap_phase(radians) / kTwoPi, steps) + 0.5);
    return step >= steps ? 0.0 : platform::product(step / steps, kTwoPi);
}

/// Physical phase `row` of one datapoint. `Real` is the type of the caller's features.
template <class Real>
PHL_HD double encode_phase(const EncodingView& map, const Real* features, u32 row) {
    double phase = map.offset[row];
    for (u32 k = map.row_begin[row]; k < map.row_begin[row + 1]; ++k)
        phase += platform::product(map.term_weight[k], static_cast<double>(features[map.term_feature[k]]));
    if (map.dac_bits != 0) return quantise_phase(phase, map.dac_bits);
    return map.wrap ? wrap_phase(phase) : phase;
}

}  // namespace photonlink
