// Samples of n photons without their distribution, each by a group of threads: the algorithm of clifford.hpp one folder
// up with the same random numbers. Samples are the CPU's, except where a draw falls within rounding of a boundary
// between two modes. Portable.
#pragma once

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/gpu/minors.hpp"
#include "photonlink/optics/philox.hpp"

namespace photonlink::optics::gpu {

/// What photons are sent, and where they may go.
struct ShotTables {
    u32 modes;
    u32 photons;
    u32 columns;  // of composed matrices
    bool interference;
    Space space;
    const u32* photon_column;  // of each photon
};

/// What a group draws with, in memory that its threads share.
struct ShotRoom {
    Complex64* matrix;  // photons drawn so far x columns, of the next one's minors
    Complex64* parts;   // of minors; see find_minors()
    Complex64* minors;
    double* uniforms;  // two per photon
    double* weights;   // per mode
    u32* order;        // columns of the photons, shuffled
    u32* hits;         // modes of the photons drawn so far
    u8* state;         // per mode

    PHL_HD static u64 bytes(u32 modes, u32 photons) {
        const u64 complex = u64{photons} * photons + (kSignParts + 1) * photons;
        return complex * sizeof(Complex64) + (2 * photons + modes) * sizeof(double) + 2 * photons * sizeof(u32) + modes;
    }

    /// `memory`: 16-aligned, bytes() of it.
    PHL_HD ShotRoom(void* memory, u32 modes, u32 photons)
        : matrix(static_cast<Complex64*>(memory)),
          parts(matrix + u64{photons} * photons),
          minors(parts + kSignParts * photons),
          uniforms(reinterpret_cast<double*>(minors + photons)),
          weights(uniforms + 2 * photons),
          order(reinterpret_cast<u32*>(weights + modes)),
          hits(order + photons),
          state(reinterpret_cast<u8*>(hits + photons)) {}
};

namespace detail {

PHL_HD void shuffle_photons(const ShotTables& tables, const ShotRoom& room) {
    for (u32 p = 0; p < tables.photons; ++p) room.order[p] = tables.photon_column[p];
    for (u32 left = tables.photons; left > 1; --left) {
        const u32 chosen = static_cast<u32>(room.uniforms[left - 1] * left);
        const u32 column = room.order[chosen];
        room.order[chosen] = room.order[left - 1];
        room.order[left - 1] = column;
    }
}

/// What mode `mode` weighs for the photon after `drawn` others. `v`: the composed matrix.
PHL_HD double weight_of(const ShotTables& tables, const Complex64* v, const ShotRoom& room, u32 drawn, u32 mode) {
    const Complex64* const row = v + u64{mode} * tables.columns;
    if (!tables.interference) return squared_norm(row[room.order[drawn]]);
    Complex64 amplitude{0, 0};
    for (u32 c = 0; c <= drawn; ++c) amplitude = amplitude + room.minors[c] * row[room.order[c]];
    return squared_norm(amplitude);
}

template <u32 Width, class Group>
PHL_HD void weigh_modes(const Group& group, const ShotTables& tables, const Complex64* v, const ShotRoom& room,
                        u32 drawn) {
    const u32 columns = drawn + 1;
    if (tables.interference) {
        for (u32 e = group.rank(); e < drawn * columns; e += group.size())
            room.matrix[e] = v[u64{room.hits[e / columns]} * tables.columns + room.order[e % columns]];
        group.sync();
        find_minors<Width>(group, room.matrix, drawn, room.parts, room.minors);
    }
    for (u32 mode = group.rank(); mode < tables.modes; mode += group.size())
        room.weights[mode] = weight_of(tables, v, room, drawn, mode);
    group.sync();
}

/// Every thread finds it for itself: handing it round would take longer.
PHL_HD u32 pick_mode(const double* weights, u32 modes, double uniform) {
    double total = 0;
    for (u32 i = 0; i < modes; ++i) total += weights[i];
    const double mass = uniform * total;
    double sum = 0;
    u32 mode = 0;
    for (u32 i = 0; i < modes; ++i) {
        if (weights[i] > 0) mode = i;  // the last possible mode takes what rounding leaves over
        sum += weights[i];
        if (sum > mass) return i;
    }
    return mode;
}

/// Whether the space has no room for one more photon in `mode`.
PHL_HD bool is_full(Space space, const u32* hits, u32 drawn, u32 mode) {
    if (space == Space::Fock) return false;
    const u32 shared = space == Space::DualRail ? 2 : 1;  // modes with one photon at most
    for (u32 p = 0; p < drawn; ++p)
        if (hits[p] / shared == mode / shared) return true;
    return false;
}

}  // namespace detail

/// An attempt at a shot, a function of (seed, id, shot, attempt) alone: the modes of its photons into room.hits. False
/// as soon as the photons cannot lie in the space any more. Group-wide.
template <u32 Width, class Group>
PHL_HD bool draw_photons(const Group& group, const ShotTables& tables, const Complex64* v, const ShotRoom& room,
                         u64 seed, u64 id, u32 shot, u32 attempt) {
    for (u32 pair = group.rank(); pair < tables.photons; pair += group.size())
        shot_uniforms(seed, id, shot, 1 + attempt * tables.photons + pair, room.uniforms + 2 * pair);
    group.sync();
    if (group.leader()) detail::shuffle_photons(tables, room);
    group.sync();
    for (u32 drawn = 0; drawn < tables.photons; ++drawn) {
        detail::weigh_modes<Width>(group, tables, v, room, drawn);
        const u32 mode = detail::pick_mode(room.weights, tables.modes, room.uniforms[tables.photons + drawn]);
        const bool full = detail::is_full(tables.space, room.hits, drawn, mode);
        if (group.leader()) room.hits[drawn] = mode;
        group.sync();
        if (full) return false;
    }
    return true;
}

/// Occupation numbers of the photons that draw_photons() has drawn into room.state. Group-wide.
template <class Group>
PHL_HD void occupy_modes(const Group& group, const ShotTables& tables, const ShotRoom& room) {
    for (u32 mode = group.rank(); mode < tables.modes; mode += group.size()) {
        u8 count = 0;
        for (u32 p = 0; p < tables.photons; ++p) count = static_cast<u8>(count + (room.hits[p] == mode ? 1 : 0));
        room.state[mode] = count;
    }
    group.sync();
}

}  // namespace photonlink::optics::gpu
