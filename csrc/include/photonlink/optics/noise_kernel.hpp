// The hot loops of mixtures (see noise_mixture.hpp) as plain function tables, one set per SIMD profile, under the rules
// of those of slos_kernel.hpp: lanes side by side, every lane the same operations in the same order at every width.
// All in double precision. `column` is what a photon in a state of its own does: one real lane array per mode.
#pragma once

#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

struct MixtureKernels {
    u32 lanes;
    /// Through the step `level`: to += L from, for parents `from` and children `to`.
    void (*multiply)(const LevelView& level, const double* column, const double* from, double* to);
    /// The same at detectors that only click. Photons that meet others change nothing: `stays` are the states of `to`
    /// before that photon came.
    void (*multiply_clicks)(const LevelView& level, const double* column, const double* from, const double* stays,
                            double* to);
    /// |amplitude|^2 * weight, with a weight per state.
    void (*probabilities)(u64 states, const double* weights, const double* amplitudes, double* out);
    /// to[place of the state] += from[state]; kNoPlace: nowhere.
    void (*add_at)(u64 states, const u32* places, const double* from, double* to);
};

inline constexpr u32 kNoPlace = ~u32{0};

/// One datapoint with vectors over consecutive states, as in RowKernels: at least one vector may be read or written
/// beyond the last state.
struct MixtureRowKernels {
    void (*multiply)(const RowView& level, const double* column, const double* from, double* to);
    void (*multiply_clicks)(const RowView& level, const double* column, const double* from, const double* stays,
                            double* to);
    /// Imaginary parts lie `stride` behind the real ones.
    void (*probabilities)(u64 states, const double* weights, const double* amplitudes, u64 stride, double* out);
};

/// One build of them, for the widths of the profile of the same name.
struct MixtureProfile {
    const char* name;
    const MixtureKernels* widths;   // [i] has the lanes of KernelProfile::widths<double>()[i]
    const MixtureRowKernels* rows;  // null where vectors cannot be permuted
    /// to = weight * from, and to += weight * from, for so many numbers, a multiple of 8.
    void (*scale)(u64 numbers, double weight, const double* from, double* to);
    void (*accumulate)(u64 numbers, double weight, const double* from, double* to);
};

const MixtureProfile& mixture_profile(const KernelProfile& profile);

}  // namespace photonlink::optics
