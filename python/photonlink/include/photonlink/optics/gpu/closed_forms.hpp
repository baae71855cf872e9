// Readouts of the full Fock space that need no distribution, one output by one thread; closed_forms.cpp derives them.
// Portable.
#pragma once

#include "photonlink/optics/gpu/columns.hpp"

namespace photonlink::optics::gpu {

inline constexpr u32 kNoMode = ~0u;
inline constexpr u32 kSeries = 32;  // more than a program has photons

/// What an output of a mode-wise readout looks at: one mode or, for correlators, two.
struct OutputModes {
    u32 first;
    u32 second;  // or kNoMode
};

/// The composed columns `v` of a row, and the photons in each.
struct RowMatrix {
    const Circuit& circuit;
    const Complex64* v;
    bool interference;

    PHL_HD const Complex64& at(u32 mode, u32 column) const { return v[mode * circuit.columns + column]; }
    PHL_HD double photons(u32 column) const { return circuit.occupation[column]; }
};

PHL_HD double mode_expectation(const RowMatrix& row, u32 mode) {
    double sum = 0;
    for (u32 c = 0; c < row.circuit.columns; ++c) sum += row.photons(c) * squared_norm(row.at(mode, c));
    return sum;
}

PHL_HD double correlator(const RowMatrix& row, u32 i, u32 j) {
    double n_i = 0, n_j = 0, same = 0;
    Complex64 overlap{0, 0};
    for (u32 c = 0; c < row.circuit.columns; ++c) {
        const Complex64 a = row.at(i, c), b = row.at(j, c);
        const double s = row.photons(c), weight_a = squared_norm(a), weight_b = squared_norm(b);
        n_i += s * weight_a;
        n_j += s * weight_b;
        overlap.re += s * (a.re * b.re + a.im * b.im);
        overlap.im += s * (a.im * b.re - a.re * b.im);
        same += s * (row.interference ? s + 1 : 1) * weight_a * weight_b;
    }
    return n_i * n_j - same + (row.interference ? squared_norm(overlap) : 0.0);
}

/// Probability that distinguishable photons all miss `mode`.
PHL_HD double no_click_distinguishable(const RowMatrix& row, u32 mode) {
    double product = 1;
    for (u32 c = 0; c < row.circuit.columns; ++c) {
        const double missed = 1.0 - squared_norm(row.at(mode, c));
        for (u32 s = 0; s < row.circuit.occupation[c]; ++s) product *= missed;
    }
    return product;
}

/// The same with interference: an alternating sum over how many photons would be found there.
PHL_HD double no_click(const RowMatrix& row, u32 mode) {
    if (!row.interference) return no_click_distinguishable(row, mode);
    double series[kSeries] = {1};
    u32 degree = 0;
    for (u32 c = 0; c < row.circuit.columns; ++c) {
        const u32 s = row.circuit.occupation[c];
        const double weight = squared_norm(row.at(mode, c));
        degree += s;
        for (u32 k = degree; k > 0; --k) {  // from above: the lower coefficients are still those before this factor
            double term = 1;
            for (u32 q = 1; q <= (k < s ? k : s); ++q) {
                term *= weight * (s - q + 1) / (static_cast<double>(q) * q);
                series[k] += term * series[k - q];
            }
        }
    }
    double sum = 0, sign_factorial = 1;
    for (u32 k = 0; k <= degree; ++k) {
        sum += sign_factorial * series[k];
        sign_factorial *= -static_cast<double>(k + 1);
    }
    return sum;
}

/// An output of a readout for which has_closed_form() holds.
PHL_HD double closed_form(const RowMatrix& row, const OutputModes& modes, bool clicks) {
    if (clicks) return 1.0 - no_click(row, modes.first);
    return modes.second == kNoMode ? mode_expectation(row, modes.first) : correlator(row, modes.first, modes.second);
}

}  // namespace photonlink::optics::gpu
