// The linear part of a row by a group of threads, always in double precision: the columns of the composed matrix that
// hold photons, and what a sweep makes of them. Portable; see interferometer.hpp and sweep_columns.hpp for the CPU's.
#pragma once

#include <math.h>

#include "photonlink/optics/gpu/sweep.hpp"

namespace photonlink::optics::gpu {

using Complex64 = Pair<double>;

PHL_HD Complex64 operator*(const Complex64& a, const Complex64& b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

PHL_HD Complex64 operator+(const Complex64& a, const Complex64& b) { return {a.re + b.re, a.im + b.im}; }

PHL_HD double squared_norm(const Complex64& a) { return a.re * a.re + a.im * a.im; }

/// V = F_L diag(exp(i phi_L)) ... F_0[:, s] for the occupied input modes s.
struct Circuit {
    u32 modes;
    u32 columns;
    u32 layers;  // of phases; there are layers + 1 interferometers
    u32 phases;
    const Complex64* first;     // modes x columns: the columns of the first interferometer
    const Complex64* matrices;  // layers x modes x modes: the others
    const u32* site_begin;      // per (layer, mode), and one more: first of its sites
    const u32* site_phase;      // which phase drives the site
    const u32* occupation;      // photons of each column

    PHL_HD u32 elements() const { return modes * columns; }
};

/// exp(i * the phases on `mode` of `layer`).
PHL_HD Complex64 phasor(const Circuit& circuit, u32 layer, u32 mode, const double* phases) {
    Complex64 result{1, 0};
    const u32* const begin = circuit.site_begin + u64{layer} * circuit.modes + mode;
    for (u32 site = begin[0]; site < begin[1]; ++site) {
        const double phase = phases[circuit.site_phase[site]];
        result = result * Complex64{::cos(phase), ::sin(phase)};
    }
    return result;
}

/// Composes one row: modes x columns numbers. `scratch` has room for twice as many; the result lies in its first half.
template <class Group>
PHL_HD const Complex64* compose_row(const Group& group, const Circuit& circuit, const double* phases,
                                    Complex64* scratch) {
    const u32 elements = circuit.elements();
    Complex64* x = scratch + (circuit.layers % 2 == 0 ? 0 : elements);
    Complex64* y = scratch + (circuit.layers % 2 == 0 ? elements : 0);
    for (u32 e = group.rank(); e < elements; e += group.size()) x[e] = circuit.first[e];
    for (u32 layer = 0; layer < circuit.layers; ++layer) {
        // An element keeps its thread up to here, so that no barrier is due before its phase.
        for (u32 e = group.rank(); e < elements; e += group.size())
            x[e] = phasor(circuit, layer, e / circuit.columns, phases) * x[e];
        group.sync();
        const Complex64* const matrix = circuit.matrices + u64{layer} * circuit.modes * circuit.modes;
        for (u32 e = group.rank(); e < elements; e += group.size()) {
            const u32 i = e / circuit.columns, c = e % circuit.columns;
            Complex64 sum{0, 0};
            for (u32 j = 0; j < circuit.modes; ++j)
                sum = sum + matrix[i * circuit.modes + j] * x[j * circuit.columns + c];
            y[e] = sum;
        }
        group.sync();
        Complex64* const done = y;
        y = x;
        x = done;
    }
    group.sync();
    return scratch;
}

/// What makes a row's results NaN throughout.
template <class Group>
PHL_HD void poison_row(const Group& group, const Circuit& circuit, Complex64* scratch) {
    for (u32 e = group.rank(); e < circuit.elements(); e += group.size())
        scratch[e] = {platform::quiet_nan(), platform::quiet_nan()};
    group.sync();
}

/// The composed columns of row `row` of the tile, rounded to what the sweep multiplies by, and the vacuum. Output modes
/// may be multiplied by any phase without changing a probability: the one that makes the last photon's column real
/// halves the work of the largest level.
template <class Group, class Real>
PHL_HD void load_columns(const Group& group, const Sweep<Real>& sweep, const Complex64* composed, u32 row) {
    const u32 last = sweep.photon_column[sweep.photons - 1];
    for (u32 e = group.rank(); e < sweep.modes * sweep.columns; e += group.size()) {
        const u32 mode = e / sweep.columns, c = e % sweep.columns;
        const u64 at = (u64{c} * sweep.modes + mode) * sweep.rows + row;
        const Complex64 last_element = composed[mode * sweep.columns + last];
        const double square = squared_norm(last_element);
        const double norm = ::sqrt(square);
        if (c == last)
            sweep.real_column[u64{mode} * sweep.rows + row] = static_cast<Real>(sweep.interference ? norm : square);
        if (!sweep.interference) {
            static_cast<Real*>(sweep.weights)[at] = static_cast<Real>(squared_norm(composed[e]));
            continue;
        }
        const Complex64 gauge =
            norm == 0 ? Complex64{1, 0} : Complex64{last_element.re / norm, -last_element.im / norm};
        const Complex64 turned = composed[e] * gauge;
        static_cast<Pair<Real>*>(sweep.weights)[at] = {static_cast<Real>(turned.re), static_cast<Real>(turned.im)};
    }
    if (!group.leader()) return;
    if (sweep.interference)
        sweep.template level_values<Pair<Real>>(0)[row] = {Real{1}, Real{0}};
    else
        sweep.template level_values<Real>(0)[row] = Real{1};
}

}  // namespace photonlink::optics::gpu
