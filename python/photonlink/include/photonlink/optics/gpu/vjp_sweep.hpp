// The reverse of the SLOS sweep on a GPU, from derivatives with respect to the last level's amplitudes to those with
// respect to the columns. Nothing is scattered: a state gathers from its children (see ChildTables) as a step gathers
// from parents, and sums over states are cut into chunks and segments of fixed size, so that results depend neither on
// the batch nor on the launch. Portable; see vjp_network.hpp for how derivatives are stored.
#pragma once

#include "photonlink/optics/gpu/columns.hpp"

namespace photonlink::optics::gpu {

/// States whose contributions one thread adds up in the precision of the sweep; longer sums are made of such.
inline constexpr u32 kChunkStates = 128;
static_assert(kChunkStates % kStatesPerMark == 0, "a chunk's first block is the one that a mark names");

/// Parts that the sum over chunks is cut into.
inline constexpr u32 kSegments = 64;

PHL_HD constexpr u64 chunks_of(u64 states) { return (states + kChunkStates - 1) / kChunkStates; }

/// Back through a complex column.
template <class Real>
struct ConjugateColumn {
    using Value = Pair<Real>;
    using Weight = Pair<Real>;
    PHL_HD static void add(Value& sum, const Weight& weight, const Value& child) {
        sum.re += weight.re * child.re + weight.im * child.im;
        sum.im += weight.re * child.im - weight.im * child.re;
    }
};

/// sum += conj(amplitude) * adjoint.
template <class Real>
PHL_HD void add_overlap(Pair<Real>& sum, const Pair<Real>& amplitude, const Pair<Real>& adjoint) {
    ConjugateColumn<Real>::add(sum, amplitude, adjoint);
}
template <class Real>
PHL_HD void add_overlap(Real& sum, Real amplitude, Real adjoint) {
    sum += amplitude * adjoint;
}

/// Derivatives with respect to a column from some of the states of a level.
template <class Value>
struct ColumnParts {
    LevelTable table;  // of children
    u32 modes;
    u32 rows;
    const Value* amplitudes;  // of the parents
    const Value* adjoints;    // of their children

    PHL_HD void add(u32 state, u32 child, u32 row, Value& sum) const {
        add_overlap(sum, amplitudes[u64{state} * rows + row], adjoints[u64{child} * rows + row]);
    }

    /// Parents `state`.. of one block.
    PHL_HD void add_run(const SlosBlock& block, u32 state, u32 end, u32 mode, u32 row, Value& sum) const {
        const SlosEntry* const entries = table.view.entries + block.entry;
        for (u32 e = 0; e < block.entries; ++e) {
            if (entries[e].mode != mode) continue;
            for (; state < end; ++state) add(state, entries[e].parent + (state - block.child), row, sum);
            return;
        }
        const SuffixView& suffix = table.view.suffixes[block.suffix];
        for (; state < end; ++state) {
            const u32 place = state - block.child, last = suffix.begin[place + 1];
            for (u32 e = suffix.begin[place]; e < last; ++e)
                if (suffix.entries[e].mode == mode) add(state, block.parent + suffix.entries[e].parent, row, sum);
        }
    }

    PHL_HD Value chunk_sum(u64 chunk, u32 mode, u32 row) const {
        Value sum{};
        u32 state = static_cast<u32>(chunk * kChunkStates);
        const u32 end = chunk + 1 < chunks_of(table.states) ? state + kChunkStates : table.states;
        for (u32 b = locate(table, state).block; state < end; ++b) {
            const SlosBlock block = table.view.blocks[b];
            const u32 block_end = block.child + table.view.suffixes[block.suffix].states;
            const u32 run_end = block_end < end ? block_end : end;
            add_run(block, state, run_end, mode, row, sum);
            state = run_end;
        }
        return sum;
    }
};

/// One part per chunk of parents into `parts`, [chunk][mode][row].
template <class Value>
PHL_HD void sum_column_parts(const ColumnParts<Value>& at, Value* parts, u64 first, u64 stride) {
    for (Pairs pair(first, stride, at.rows); pair.state < chunks_of(at.table.states) * at.modes; pair.next())
        parts[pair.state * at.rows + pair.row] =
            at.chunk_sum(pair.state / at.modes, static_cast<u32>(pair.state % at.modes), pair.row);
}

/// Sums `parts`, of which `chunks` follow each other with `numbers` numbers each, segment by segment in double
/// precision into `segments`, [kSegments][number].
template <class Number>
PHL_HD void sum_segments(const Number* parts, u64 chunks, u32 numbers, double* segments, u64 first, u64 stride) {
    for (Pairs pair(first, stride, numbers); pair.state < kSegments; pair.next()) {
        const u64 end = (pair.state + 1) * chunks / kSegments;
        double sum = 0;
        for (u64 chunk = pair.state * chunks / kSegments; chunk < end; ++chunk)
            sum += static_cast<double>(parts[chunk * numbers + pair.row]);
        segments[pair.state * numbers + pair.row] = sum;
    }
}

/// Adds the segments to `sums`.
PHL_HD void add_segments(const double* segments, u32 numbers, double* sums, u64 first, u64 stride) {
    for (u64 item = first; item < numbers; item += stride)
        for (u32 segment = 0; segment < kSegments; ++segment) sums[item] += segments[u64{segment} * numbers + item];
}

/// From the derivatives with respect to the columns of a sweep, [column][mode][row] in the kind of its values, to those
/// with respect to the composed matrix of row `row`. The phase that load_columns() took from each output mode turns
/// back; without interference the weight is |element|^2.
template <class Group, class Real>
PHL_HD void pull_back_columns(const Group& group, const Sweep<Real>& sweep, const Complex64* composed,
                              const double* sums, u32 row, Complex64* adjoint) {
    const u32 last = sweep.photon_column[sweep.photons - 1];
    for (u32 e = group.rank(); e < sweep.modes * sweep.columns; e += group.size()) {
        const u32 mode = e / sweep.columns, c = e % sweep.columns;
        const u64 at = (u64{c} * sweep.modes + mode) * sweep.rows + row;
        const Complex64 fixed = composed[mode * sweep.columns + last];
        const double norm = ::sqrt(squared_norm(fixed));
        const Complex64 turn = norm == 0 ? Complex64{1, 0} : Complex64{fixed.re / norm, fixed.im / norm};
        adjoint[e] = sweep.interference ? reinterpret_cast<const Complex64*>(sums)[at] * turn
                                        : Complex64{2 * sums[at], 0} * composed[e];
    }
    group.sync();
}

}  // namespace photonlink::optics::gpu
