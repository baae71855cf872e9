// The hot loops of the way back through a mixture (see gradient_mixture.hpp) as plain function tables, one set per SIMD
// profile, under the rules of slos_kernel.hpp: lanes side by side, every lane the same operations in the same order at
// every width. All in double precision; the names of what goes back are those of MixtureKernels.
#pragma once

#include "photonlink/optics/noise_kernel.hpp"

namespace photonlink::optics {

struct MixtureGradientKernels {
    u32 lanes;
    /// MixtureKernels::multiply adds L times `from` to `to`: from derivatives with respect to `to`, adds to those with
    /// respect to `from`.
    void (*pull_back)(const LevelView& level, const double* column, const double* to, double* from);
    /// Likewise of multiply_clicks, and adds to the derivatives with respect to `stays`.
    void (*pull_back_clicks)(const LevelView& level, const double* column, const double* to, double* from,
                             double* stays);
    /// From derivatives with respect to `to`, adds to those with respect to the column, one lane array per mode.
    void (*column)(const LevelView& level, const double* to, const double* from, double* column);
    void (*column_clicks)(const LevelView& level, const double* to, const double* from, const double* stays,
                          double* column);
    /// Of MixtureKernels::probabilities: adds to the derivatives with respect to the amplitudes. Those with respect to
    /// the probability of a state lie at its place, or, where `places` is null, at its number; kNoPlace: it has none.
    void (*amplitudes)(u64 states, const double* weights, const u32* places, const double* cotangents,
                       const double* amplitudes, double* adjoints);
};

}  // namespace photonlink::optics
