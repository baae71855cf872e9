// The linear part of a row with its reverse by a group of threads, always in double precision: what GradientNetwork and
// NetworkState do on a CPU. Portable.
//
// Derivatives with respect to complex numbers z are stored as G with dL = Re(sum of conj(G) dz): through a product
// y = w z the derivative goes back as G_z = conj(w) G_y.
#pragma once

#include "photonlink/optics/gpu/columns.hpp"

namespace photonlink::optics::gpu {

PHL_HD Complex64 conjugate(const Complex64& a) { return {a.re, -a.im}; }

/// What the network reads and writes per row. A stage is modes x columns numbers: stage k enters interferometer k + 1,
/// i.e. it stands behind the phases of layer k, and the last one is the composed matrix.
struct VjpNetwork {
    Circuit circuit;
    u32 rows;                 // of the tile
    const double* phases;     // rows x circuit.phases, radians
    Complex64* stages;        // [row][layers + 1] stages
    Complex64* adjoints;      // likewise: derivatives with respect to the last stage, and to the others before phases
    double* phase_gradients;  // rows x circuit.phases, or null

    PHL_HD u64 stage(u32 row, u32 layer) const {
        return (u64{row} * (circuit.layers + 1) + layer) * circuit.elements();
    }
    PHL_HD const double* row_phases(u32 row) const { return phases + u64{row} * circuit.phases; }
    PHL_HD const Complex64* composed(u32 row) const { return stages + stage(row, circuit.layers); }
    PHL_HD Complex64* composed_adjoint(u32 row) const { return adjoints + stage(row, circuit.layers); }
};

/// All stages of a row.
template <class Group>
PHL_HD void propagate_row(const Group& group, const VjpNetwork& network, u32 row) {
    const Circuit& circuit = network.circuit;
    const u32 elements = circuit.elements();
    for (u32 layer = 0; layer <= circuit.layers; ++layer) {
        Complex64* const stage = network.stages + network.stage(row, layer);
        const Complex64* const before = stage - elements;
        for (u32 e = group.rank(); e < elements; e += group.size()) {
            const u32 i = e / circuit.columns, c = e % circuit.columns;
            Complex64 sum = circuit.first[e];
            if (layer > 0) {
                const Complex64* const line = circuit.matrices + (u64{layer - 1} * circuit.modes + i) * circuit.modes;
                sum = {0, 0};
                for (u32 j = 0; j < circuit.modes; ++j) sum = sum + line[j] * before[j * circuit.columns + c];
            }
            stage[e] = layer < circuit.layers ? phasor(circuit, layer, i, network.row_phases(row)) * sum : sum;
        }
        group.sync();
    }
}

/// From the derivative with respect to stage layer + 1 to that with respect to stage `layer` behind its phases.
template <class Group>
PHL_HD void pull_back_interferometer(const Group& group, const VjpNetwork& network, u32 row, u32 layer) {
    const Circuit& circuit = network.circuit;
    const Complex64* const matrix = circuit.matrices + u64{layer} * circuit.modes * circuit.modes;
    Complex64* const to = network.adjoints + network.stage(row, layer);
    const Complex64* const from = to + circuit.elements();
    for (u32 e = group.rank(); e < circuit.elements(); e += group.size()) {
        const u32 i = e / circuit.columns, c = e % circuit.columns;
        Complex64 sum{0, 0};
        for (u32 j = 0; j < circuit.modes; ++j)
            sum = sum + conjugate(matrix[j * circuit.modes + i]) * from[j * circuit.columns + c];
        to[e] = sum;
    }
    group.sync();
}

/// From there to before its phases, and to them: a phase turns a line x into x e^(i phase), so that the derivative with
/// respect to it is the sum of Re(conj(adjoint) i x) over the columns.
template <class Group>
PHL_HD void pull_back_phases(const Group& group, const VjpNetwork& network, u32 row, u32 layer) {
    const Circuit& circuit = network.circuit;
    for (u32 i = group.rank(); i < circuit.modes; i += group.size()) {
        const u64 line = network.stage(row, layer) + u64{i} * circuit.columns;
        const Complex64 turn_back = conjugate(phasor(circuit, layer, i, network.row_phases(row)));
        double gradient = 0;
        for (u64 at = line; at < line + circuit.columns; ++at) {
            const Complex64 adjoint = network.adjoints[at], x = network.stages[at];
            gradient += adjoint.im * x.re - adjoint.re * x.im;
            network.adjoints[at] = adjoint * turn_back;
        }
        if (network.phase_gradients == nullptr) continue;
        const u32* const begin = circuit.site_begin + u64{layer} * circuit.modes + i;
        for (u32 site = begin[0]; site < begin[1]; ++site)
            network.phase_gradients[u64{row} * circuit.phases + circuit.site_phase[site]] = gradient;
    }
    group.sync();
}

/// The whole way back of a row, from the derivative with respect to the composed matrix.
template <class Group>
PHL_HD void pull_back_row(const Group& group, const VjpNetwork& network, u32 row) {
    for (u32 layer = network.circuit.layers; layer-- > 0;) {
        pull_back_interferometer(group, network, row, layer);
        pull_back_phases(group, network, row, layer);
    }
}

/// A row's derivative with respect to element (i, j) of interferometer `layer`, j counting the input's columns in the
/// first one, which light enters nowhere else.
PHL_HD Complex64 interferometer_gradient(const VjpNetwork& network, u32 row, u32 layer, u32 i, u32 j) {
    const Circuit& circuit = network.circuit;
    const Complex64* const adjoint = network.adjoints + network.stage(row, layer) + u64{i} * circuit.columns;
    if (layer == 0) return adjoint[j];
    const Complex64* const input = network.stages + network.stage(row, layer - 1) + u64{j} * circuit.columns;
    Complex64 sum{0, 0};
    for (u32 c = 0; c < circuit.columns; ++c) sum = sum + adjoint[c] * conjugate(input[c]);
    return sum;
}

/// Adds the rows' derivatives with respect to all interferometers to `sums`, layers + 1 times modes x modes numbers, in
/// ascending order of rows: the sums of a batch do not depend on how it is cut into tiles. `input_modes` are those of
/// the columns.
PHL_HD void add_interferometer_gradients(const VjpNetwork& network, const u32* input_modes, Complex64* sums, u64 first,
                                         u64 stride) {
    const Circuit& circuit = network.circuit;
    const u64 square = u64{circuit.modes} * circuit.modes;
    for (u64 item = first; item < (circuit.layers + 1) * square; item += stride) {
        const u32 layer = static_cast<u32>(item / square), i = static_cast<u32>(item % square / circuit.modes);
        const u32 j = static_cast<u32>(item % circuit.modes);
        if (layer == 0 && j >= circuit.columns) continue;
        Complex64& sum = sums[layer == 0 ? u64{i} * circuit.modes + input_modes[j] : item];
        for (u32 row = 0; row < network.rows; ++row) sum = sum + interferometer_gradient(network, row, layer, i, j);
    }
}

}  // namespace photonlink::optics::gpu
