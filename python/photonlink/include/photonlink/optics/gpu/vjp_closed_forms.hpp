// Derivatives of the readouts that need no distribution, one element of a row's matrix by one thread; closed_forms.cpp
// derives the formulas, and ClosedFormGradient is the CPU's. Portable.
#pragma once

#include "photonlink/optics/gpu/closed_forms.hpp"
#include "photonlink/optics/gpu/vjp_network.hpp"

namespace photonlink::optics::gpu {

/// A cotangent of the correlator of two different modes.
template <class Real>
PHL_HD double pair_cotangent(const Real* cotangents, u32 modes, u32 i, u32 j) {
    const u32 low = i < j ? i : j, high = i < j ? j : i;
    return static_cast<double>(cotangents[low * (2 * modes - low - 1) / 2 + high - low - 1]);
}

/// The part of a correlator's derivative with respect to element (i, c) that mode j has in it, per unit of cotangent:
/// half of it, as numbers w of |w|^2 have.
PHL_HD Complex64 correlator_gradient(const RowMatrix& row, u32 i, u32 j, u32 c) {
    double photons = 0;
    Complex64 overlap{0, 0};
    for (u32 d = 0; d < row.circuit.columns; ++d) {
        const Complex64 term = row.at(i, d) * conjugate(row.at(j, d));
        photons += row.photons(d) * squared_norm(row.at(j, d));
        overlap = {overlap.re + row.photons(d) * term.re, overlap.im + row.photons(d) * term.im};
    }
    const double s = row.photons(c);
    const double weight = photons - (row.interference ? s + 1 : 1) * squared_norm(row.at(j, c));
    Complex64 sum{s * weight * row.at(i, c).re, s * weight * row.at(i, c).im};
    if (row.interference) sum = sum + Complex64{s, 0} * overlap * row.at(j, c);
    return sum;
}

/// Coefficients of the product over all columns but `skipped` of sum_q binomial(s, q) (w z)^q / q!.
PHL_HD void other_factors(const RowMatrix& row, u32 mode, u32 skipped, double* series) {
    u32 degree = 0;
    for (u32 k = 0; k < kSeries; ++k) series[k] = k == 0 ? 1.0 : 0.0;
    for (u32 c = 0; c < row.circuit.columns; ++c) {
        if (c == skipped) continue;
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
}

/// Derivative of no_click() with respect to the weight |element|^2 of column c. That of coefficient q of its factor is
/// binomial(s, q) w^(q - 1) / (q - 1)!.
PHL_HD double no_click_gradient(const RowMatrix& row, u32 mode, u32 c) {
    double series[kSeries];
    other_factors(row, mode, c, series);
    const u32 s = row.circuit.occupation[c];
    const double weight = squared_norm(row.at(mode, c));
    double sum = 0, slope = s, factorial = 1;
    for (u32 q = 1; q <= s; ++q) {
        if (q > 1) slope *= weight * (s - q + 1) / (static_cast<double>(q) * (q - 1));
        factorial *= -static_cast<double>(q);  // (-1)^k k! for k = q, and onwards
        double sign_factorial = factorial;
        for (u32 k = q; k < kSeries; ++k) {
            sum += slope * sign_factorial * series[k - q];
            sign_factorial *= -static_cast<double>(k + 1);
        }
    }
    return sum;
}

/// The same without interference, where the product is over (1 - w)^s; without division, since a factor may be zero.
PHL_HD double no_click_gradient_distinguishable(const RowMatrix& row, u32 mode, u32 c) {
    double product = -row.photons(c);
    for (u32 d = 0; d < row.circuit.columns; ++d) {
        const double missed = 1.0 - squared_norm(row.at(mode, d));
        for (u32 s = d == c ? 1 : 0; s < row.circuit.occupation[d]; ++s) product *= missed;
    }
    return product;
}

/// Derivative of sum(cotangent * value) with respect to element (mode, c) of the row's matrix.
template <class Real>
PHL_HD Complex64 closed_form_gradient(const RowMatrix& row, bool clicks, bool pairs, const Real* cotangents, u32 mode,
                                      u32 c) {
    const Complex64 element = row.at(mode, c);
    if (pairs) {
        Complex64 sum{0, 0};
        for (u32 j = 0; j < row.circuit.modes; ++j)
            if (j != mode)
                sum = sum + Complex64{2 * pair_cotangent(cotangents, row.circuit.modes, mode, j), 0} *
                                correlator_gradient(row, mode, j, c);
        return sum;
    }
    double weight = row.photons(c);
    if (clicks)
        weight = row.interference ? -no_click_gradient(row, mode, c) : -no_click_gradient_distinguishable(row, mode, c);
    const double factor = 2 * static_cast<double>(cotangents[mode]) * weight;
    return {factor * element.re, factor * element.im};
}

}  // namespace photonlink::optics::gpu
