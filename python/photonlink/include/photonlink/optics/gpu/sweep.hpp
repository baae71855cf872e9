// The SLOS sweep for many threads: each thread takes (state, row) pairs of a level and sums up their parents. Portable:
// kernels/ only adds __global__, and CPU tests run the same text with threads of their own.
//
// Layout: values lie [state][row] with the rows of a tile innermost. Neighbouring threads take neighbouring rows, and
// neighbouring states where there are few rows, so that both share loads. A pair's sum runs over its parents in
// ascending order of modes and is made by one thread alone: results depend neither on the batch nor on the launch.
#pragma once

#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics::gpu {

/// A complex number that one instruction loads.
template <class Real>
struct alignas(2 * sizeof(Real)) Pair {
    Real re, im;
};

inline constexpr u32 kStatesPerMark = 32;

/// The step from one photon less, as SlosTables has it, in memory that the threads can read.
struct LevelTable {
    LevelView view;
    u32 states;
    const u32* marks;  // block of state 0, kStatesPerMark, 2 * kStatesPerMark.., and of the last state
};

/// The pairs that one of many threads takes: number `first` and every `stride`-th from there.
struct Pairs {
    u64 state;
    u32 row;
    u64 state_step;
    u32 row_step;
    u32 rows;

    PHL_HD Pairs(u64 first, u64 stride, u32 all_rows)
        : state(first / all_rows),
          row(static_cast<u32>(first % all_rows)),
          state_step(stride / all_rows),
          row_step(static_cast<u32>(stride % all_rows)),
          rows(all_rows) {}

    PHL_HD void next() {
        state += state_step;
        row += row_step;
        if (row < rows) return;
        row -= rows;
        ++state;
    }
};

/// Consecutive states of the last level that are worked on at a time.
struct StateTile {
    u64 first;
    u64 states;
};

/// A state's block, and its place there.
struct Place {
    u32 block;
    u32 offset;
};

PHL_HD Place locate(const LevelTable& level, u32 state) {
    const SlosBlock* const blocks = level.view.blocks;
    u32 low = level.marks[state / kStatesPerMark];
    u32 high = level.marks[state / kStatesPerMark + 1];
    while (low < high) {  // the last block that does not begin behind the state
        const u32 middle = high - (high - low) / 2;
        if (blocks[middle].child <= state)
            low = middle;
        else
            high = middle - 1;
    }
    return {low, state - blocks[low].child};
}

/// Calls visit(mode, parent) for every parent of the state at `place`, in ascending order of modes.
template <class Visit>
PHL_HD void visit_parents(const LevelTable& level, const Place& place, const Visit& visit) {
    const SlosBlock block = level.view.blocks[place.block];
    const SlosEntry* const entries = level.view.entries + block.entry;
    for (u32 e = 0; e < block.entries; ++e) visit(entries[e].mode, entries[e].parent + place.offset);
    const SuffixView& suffix = level.view.suffixes[block.suffix];
    const u32 end = suffix.begin[place.offset + 1];
    for (u32 e = suffix.begin[place.offset]; e < end; ++e)
        visit(suffix.entries[e].mode, block.parent + suffix.entries[e].parent);
}

/// The modes of the state at `place` that hold photons, in ascending order: those through which it has parents.
class OccupiedModes {
  public:
    PHL_HD OccupiedModes(const LevelTable& level, const Place& place) {
        const SlosBlock& block = level.view.blocks[place.block];
        const SuffixView& suffix = level.view.suffixes[block.suffix];
        prefix_ = level.view.entries + block.entry;
        prefix_count_ = block.entries;
        suffix_ = suffix.entries + suffix.begin[place.offset];
        count_ = prefix_count_ + suffix.begin[place.offset + 1] - suffix.begin[place.offset];
    }
    PHL_HD u32 count() const { return count_; }
    PHL_HD u32 operator[](u32 k) const { return k < prefix_count_ ? prefix_[k].mode : suffix_[k - prefix_count_].mode; }

  private:
    const SlosEntry* prefix_;
    const SlosEntry* suffix_;
    u32 prefix_count_;
    u32 count_;
};

/// Product of the factorials of the occupation numbers of a state of the last level.
PHL_HD double factorials(const LevelTable& level, const Place& place) {
    return level.view.weight[place.block] *
           level.view.suffixes[level.view.blocks[place.block].suffix].weight[place.offset];
}

/// The three arithmetics of a step: what a state's value is, what a mode's weight is, and what becomes of the last
/// level's values.
template <class Real>
struct ComplexColumn {
    using Value = Pair<Real>;
    using Weight = Pair<Real>;
    PHL_HD static void add(Value& sum, const Weight& weight, const Value& parent) {
        sum.re += weight.re * parent.re - weight.im * parent.im;
        sum.im += weight.re * parent.im + weight.im * parent.re;
    }
};

/// Of a photon whose column the gauge made real.
template <class Real>
struct RealColumn {
    using Value = Pair<Real>;
    using Weight = Real;
    PHL_HD static void add(Value& sum, Weight weight, const Value& parent) {
        sum.re += weight * parent.re;
        sum.im += weight * parent.im;
    }
    PHL_HD static Real probability(const Value& sum, double factor) {
        return (sum.re * sum.re + sum.im * sum.im) * static_cast<Real>(factor);
    }
};

/// Without interference probabilities add up instead of amplitudes.
template <class Real>
struct Distinguishable {
    using Value = Real;
    using Weight = Real;
    PHL_HD static void add(Value& sum, Weight weight, Value parent) { sum += weight * parent; }
    PHL_HD static Real probability(Value sum, double) { return sum; }
};

/// The weighted parents of a pair, added up. `column` is [mode][row], `parents` the level below.
template <class Arithmetic>
PHL_HD typename Arithmetic::Value sum_parents(const LevelTable& level, const Place& place,
                                              const typename Arithmetic::Weight* column,
                                              const typename Arithmetic::Value* parents, u32 rows, u32 row) {
    typename Arithmetic::Value sum{};
    visit_parents(level, place, [&](u32 mode, u32 parent) {
        Arithmetic::add(sum, column[mode * rows + row], parents[u64{parent} * rows + row]);
    });
    return sum;
}

/// One level from the one below it.
template <class Arithmetic>
PHL_HD void step_level(const LevelTable& level, const typename Arithmetic::Weight* column,
                       const typename Arithmetic::Value* parents, typename Arithmetic::Value* children, u32 rows,
                       u64 first, u64 stride) {
    for (Pairs at(first, stride, rows); at.state < level.states; at.next()) {
        const Place place = locate(level, static_cast<u32>(at.state));
        children[at.state * rows + at.row] = sum_parents<Arithmetic>(level, place, column, parents, rows, at.row);
    }
}

/// What a sweep works on; see SweepColumns for the columns. Level photons - 1 lies in levels_of[1], and so on in turn;
/// values are Pair<Real>, or Real without interference.
template <class Real>
struct Sweep {
    const LevelTable* levels;  // by photon number; the first is not used
    const u32* photon_column;  // of each photon
    u32 modes;
    u32 columns;
    u32 photons;
    u32 rows;  // of the tile
    bool interference;
    double scale;       // 1 / product of the factorials of the input's occupation numbers
    void* weights;      // [column][mode][row]: Pair<Real>, or Real without interference
    Real* real_column;  // [mode][row]: the last photon's
    void* values[2];
    u64 most_states[2];  // of the levels that lie there

    template <class Value>
    PHL_HD Value* level_values(u32 level) const {
        // Not values[..]: an index that is not known leaves the array, and all its neighbours, in local memory.
        return static_cast<Value*>(((photons - level) & 1) != 0 ? values[1] : values[0]);
    }
    template <class Weight>
    PHL_HD const Weight* column(u32 photon) const {
        return static_cast<const Weight*>(weights) + u64{photon_column[photon]} * modes * rows;
    }
    PHL_HD bool is_real(u32 photon) const { return photon_column[photon] == photon_column[photons - 1]; }
};

/// Level `k`, 1 to photons - 1, from the one below.
template <class Real>
PHL_HD void run_level(const Sweep<Real>& sweep, u32 k, u64 first, u64 stride) {
    const LevelTable level = sweep.levels[k];
    using Complex = Pair<Real>;
    if (!sweep.interference)
        step_level<Distinguishable<Real>>(level, sweep.template column<Real>(k - 1),
                                          sweep.template level_values<Real>(k - 1),
                                          sweep.template level_values<Real>(k), sweep.rows, first, stride);
    else if (sweep.is_real(k - 1))
        step_level<RealColumn<Real>>(level, sweep.real_column, sweep.template level_values<Complex>(k - 1),
                                     sweep.template level_values<Complex>(k), sweep.rows, first, stride);
    else
        step_level<ComplexColumn<Real>>(level, sweep.template column<Complex>(k - 1),
                                        sweep.template level_values<Complex>(k - 1),
                                        sweep.template level_values<Complex>(k), sweep.rows, first, stride);
}

/// Probability of a state of the last level, before renormalisation.
template <class Real>
PHL_HD Real probability(const Sweep<Real>& sweep, const LevelTable& last, u32 state, u32 row) {
    const Place place = locate(last, state);
    if (!sweep.interference)
        return sum_parents<Distinguishable<Real>>(
            last, place, sweep.real_column, sweep.template level_values<Real>(sweep.photons - 1), sweep.rows, row);
    const Pair<Real> sum = sum_parents<RealColumn<Real>>(
        last, place, sweep.real_column, sweep.template level_values<Pair<Real>>(sweep.photons - 1), sweep.rows, row);
    return RealColumn<Real>::probability(sum, factorials(last, place) * sweep.scale);
}

}  // namespace photonlink::optics::gpu
