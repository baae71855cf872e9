// The sum of a distribution, kept in three storeys so that a draw finds its state without a prefix sum per state:
// leaves of 64 states, branches of 64 leaves, and the running sum of the branches. Portable.
#pragma once

#include "photonlink/optics/gpu/sweep.hpp"
#include "photonlink/optics/philox.hpp"

namespace photonlink::optics::gpu {

inline constexpr u32 kLeaf = 64;    // states
inline constexpr u32 kBranch = 64;  // leaves

/// Arrays are [index][row].
struct Masses {
    u64 values;  // that are summed up
    u32 rows;
    double* leaves;
    double* branches;  // branch b: the sum of those up to and including it

    PHL_HD static u64 leaf_count(u64 values) { return (values + kLeaf - 1) / kLeaf; }
    PHL_HD static u64 branch_count(u64 values) { return (leaf_count(values) + kBranch - 1) / kBranch; }
    PHL_HD double total(u32 row) const { return branches[(branch_count(values) - 1) * rows + row]; }
};

/// The leaves of a tile, which begins with one.
template <class Value>
PHL_HD void sum_leaves(const Masses& masses, const StateTile& tile, const Value& value, u64 first, u64 stride) {
    const u64 leaves = Masses::leaf_count(tile.states), skipped = tile.first / kLeaf;
    for (Pairs at(first, stride, masses.rows); at.state < leaves; at.next()) {
        const u64 leaf = skipped + at.state, begin = leaf * kLeaf;
        const u64 end = begin + kLeaf < masses.values ? begin + kLeaf : masses.values;
        double sum = 0;
        for (u64 i = begin; i < end; ++i) sum += static_cast<double>(value(i, at.row));
        masses.leaves[leaf * masses.rows + at.row] = sum;
    }
}

PHL_HD void sum_branches(const Masses& masses, u64 first, u64 stride) {
    const u64 leaves = Masses::leaf_count(masses.values), branches = Masses::branch_count(masses.values);
    for (Pairs at(first, stride, masses.rows); at.state < branches; at.next()) {
        const u64 begin = at.state * kBranch;
        const u64 end = begin + kBranch < leaves ? begin + kBranch : leaves;
        double sum = 0;
        for (u64 i = begin; i < end; ++i) sum += masses.leaves[i * masses.rows + at.row];
        masses.branches[at.state * masses.rows + at.row] = sum;
    }
}

PHL_HD void run_up_branches(const Masses& masses, u64 first, u64 stride) {
    const u64 branches = Masses::branch_count(masses.values);
    for (u64 row = first; row < masses.rows; row += stride) {
        double sum = 0;
        for (u64 b = 0; b < branches; ++b) {
            double& branch = masses.branches[b * masses.rows + row];
            sum += branch;
            branch = sum;
        }
    }
}

}  // namespace photonlink::optics::gpu
