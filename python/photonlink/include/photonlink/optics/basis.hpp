// Fock bases in the order of Perceval and MerLin: descending lexicographic in the occupation numbers, so that
// |2,0> comes before |1,1>. States are arrays of u8 occupation numbers.
#pragma once

#include <string>
#include <vector>

#include "photonlink/optics/combinatorics.hpp"
#include "photonlink/optics/program.hpp"

namespace photonlink::optics {

inline constexpr u32 kMaxModes = 256;   // modes are stored in one byte
inline constexpr u32 kMaxPhotons = 30;  // unnormalised float32 amplitudes stay in range up to here

/// "fock", "unbunched" or "dual_rail".
const char* space_name(Space space);

/// A count in a message: kSaturated is "more than 2^64".
std::string count_text(u64 count);

/// Number of states of `photons` photons in `modes` modes, or kSaturated. In DualRail at most one photon per mode
/// pair: a complete dual-rail state has photons == modes / 2, fewer photons are the intermediate states of a sweep.
u64 state_count(Space space, u32 modes, u32 photons);

/// Ranks states of one basis.
class Basis {
  public:
    Basis(Space space, u32 modes, u32 photons);

    u64 size() const { return size_; }
    u32 modes() const { return modes_; }
    u32 photons() const { return photons_; }

    /// Position of `state` (modes() occupation numbers) in the basis. The state must belong to it.
    u64 rank(const u8* state) const;

    /// What rank_with() looks up.
    const std::vector<u64>& ahead() const { return ahead_; }

    /// The state at position `rank`, below size(): modes() occupation numbers.
    void unrank(u64 rank, u8* state) const;

    /// The states at `count` positions, row-major count x modes(). Positions in ascending order are quickest: of each
    /// state only the modes are worked out in which it differs from the one before.
    void unrank(const u32* ranks, std::size_t count, u8* states) const;

  private:
    /// States that begin with the same occupations.
    struct Alike {
        u64 first, end;  // positions
        u32 rest;        // photons behind the modes in which they are alike
    };
    Alike narrow(const Alike& states, u32 mode, u64 rank, u8* state) const;

    Space space_;
    u32 modes_;
    u32 photons_;
    u64 size_;
    std::vector<u64> ahead_;  // [mode][photons right of it]: states that are larger first at this mode
};

/// True if a state of `modes` occupation numbers lies in the space, its number of photons aside.
bool lies_in(Space space, const u8* state, u32 modes);

/// True if `rest` photons can lie right of `mode`, given the occupation of the modes up to and including it.
inline bool fits_right_of(Space space, u32 modes, u32 mode, const u8* state, u32 rest) {
    const u32 right = modes - 1 - mode;
    switch (space) {
        case Space::Fock:
            return right > 0 || rest == 0;
        case Space::Unbunched:
            return rest <= right;
        case Space::DualRail:
            return rest <= right / 2 + (mode % 2 == 0 && state[mode] == 0 ? 1u : 0u);
    }
    return false;
}

/// Largest occupation that `mode` can take, given the modes left of it and `rest` photons for it and what follows.
PHL_HD u32 largest_occupation(Space space, u32 mode, const u8* state, u32 rest) {
    if (space == Space::Fock || rest == 0) return rest;
    return space == Space::DualRail && mode % 2 == 1 && state[mode - 1] != 0 ? 0u : 1u;
}

/// Position of `state` in the basis whose Basis::ahead() is `ahead`. Portable.
PHL_HD u64 rank_with(Space space, u32 modes, u32 photons, const u64* ahead, const u8* state) {
    u64 rank = 0;
    u32 rest = photons;
    for (u32 mode = 0; rest > 0 && mode < modes; ++mode) {
        rest -= state[mode];
        const bool could_hold_more =
            space == Space::Fock || (state[mode] == 0 && largest_occupation(space, mode, state, 1) != 0);
        if (could_hold_more) rank += ahead[u64{mode} * (photons + 1u) + rest];
    }
    return rank;
}

namespace detail {

template <class Visit>
void walk_from(Space space, u32 modes, u32 depth, u32 mode, u32 rest, u8* state, Visit& visit) {
    if (mode == depth) {
        visit(static_cast<const u8*>(state), rest);
        return;
    }
    for (u32 n = largest_occupation(space, mode, state, rest) + 1; n-- > 0;) {
        state[mode] = static_cast<u8>(n);
        if (fits_right_of(space, modes, mode, state, rest - n))
            walk_from(space, modes, depth, mode + 1, rest - n, state, visit);
    }
}

}  // namespace detail

/// Calls visit(state, rest) in basis order for every occupation of the first `depth` modes that some basis state
/// begins with; `rest` photons lie in the other modes. depth == modes visits the basis itself.
template <class Visit>
void walk_prefixes(Space space, u32 modes, u32 photons, u32 depth, Visit&& visit) {
    std::vector<u8> state(modes + 1u, u8{0});
    if (depth == 0) {
        visit(static_cast<const u8*>(state.data()), photons);
        return;
    }
    detail::walk_from(space, modes, depth, 0, photons, state.data(), visit);
}

/// Number of click patterns of threshold detectors on a basis.
u64 click_pattern_count(Space space, u32 modes, u32 photons);

/// Position of a click pattern among those of the full Fock space: 0/1 tuples with 1 to min(photons, modes) clicks in
/// descending lexicographic order. Only which entries of `state` are non-zero matters.
u64 click_pattern_rank(u32 modes, u32 photons, const u8* state);

/// All click patterns in order, row-major count x modes. In unbunched and dual-rail spaces they are the states.
std::vector<u8> click_patterns(Space space, u32 modes, u32 photons);

/// The whole basis in order, row-major size x modes.
std::vector<u8> basis_states(Space space, u32 modes, u32 photons);

}  // namespace photonlink::optics
