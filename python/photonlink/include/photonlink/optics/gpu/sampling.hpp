// Draws from a distribution by inversion of its float64 prefix sums, each a function of (seed, datapoint id, shot)
// alone: the CPU's draws, except where one falls within rounding of a boundary between two states. Portable.
#pragma once

#include "photonlink/optics/gpu/masses.hpp"
#include "photonlink/optics/philox.hpp"

namespace photonlink::optics::gpu {

/// The last state up to `state` that can occur.
template <class Value>
PHL_HD u64 last_possible(const Value& value, u64 state, u32 row) {
    while (state > 0 && !(value(state, row) > 0)) --state;
    return state;
}

/// The first branch that ends above `mass`, or the last one.
PHL_HD u64 find_branch(const Masses& masses, u32 row, double mass) {
    u64 low = 0, high = Masses::branch_count(masses.values) - 1;
    while (low < high) {
        const u64 middle = low + (high - low) / 2;
        if (masses.branches[middle * masses.rows + row] > mass)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/// First state whose prefix sum exceeds `mass`. Sums are added up as sum_leaves() and the others did, so that a leaf
/// ends where the next one begins.
template <class Value>
PHL_HD u64 find_state(const Masses& masses, const Value& value, u32 row, double mass) {
    const u64 branch = find_branch(masses, row, mass);
    const double base = branch == 0 ? 0.0 : masses.branches[(branch - 1) * masses.rows + row];
    const u64 leaves = Masses::leaf_count(masses.values);
    const u64 last_leaf = (branch + 1) * kBranch < leaves ? (branch + 1) * kBranch - 1 : leaves - 1;
    double before = 0;
    u64 leaf = branch * kBranch;
    for (; leaf < last_leaf; ++leaf) {
        const double next = before + masses.leaves[leaf * masses.rows + row];
        if (base + next > mass) break;
        before = next;
    }
    const u64 begin = leaf * kLeaf;
    const u64 end = begin + kLeaf < masses.values ? begin + kLeaf : masses.values;
    double inside = 0;
    for (u64 state = begin; state < end; ++state) {
        inside += static_cast<double>(value(state, row));
        if (base + (before + inside) > mass) return state;
    }
    return last_possible(value, end - 1, row);  // the mass was rounded up to the total
}

/// Where draws go, either of them or both: how often each state was drawn, [state][row], which is zero before; and the
/// state of each draw, [row][shot]. Null for what nobody asks for.
struct Draws {
    u32* counts;
    u32* states;
};

/// Draws `shots` states of every row. Rows without a mass get none. `first_id` is the id of row 0.
template <class Value>
PHL_HD void draw_shots(const Masses& masses, const Value& value, u64 seed, u64 first_id, u32 shots, const Draws& draws,
                       u64 first, u64 stride) {
    const u64 pairs = (u64{shots} + 1) / 2;
    for (Pairs at(first, stride, masses.rows); at.state < pairs; at.next()) {
        const double total = masses.total(at.row);
        if (!(total > 0)) continue;
        const u32 pair = static_cast<u32>(at.state);
        double uniforms[2];
        sampling_uniforms(seed, first_id + at.row, pair, uniforms);
        for (u32 i = 0; i < 2 && 2 * pair + i < shots; ++i) {
            const u64 state = find_state(masses, value, at.row, uniforms[i] * total);
            if (draws.counts != nullptr)
                platform::fetch_add_relaxed_domain(draws.counts + state * masses.rows + at.row, 1u);
            if (draws.states != nullptr) draws.states[u64{at.row} * shots + 2 * pair + i] = static_cast<u32>(state);
        }
    }
}

}  // namespace photonlink::optics::gpu
