#include "photonlink/optics/basis.hpp"

#include <algorithm>

namespace photonlink::optics {

const char* space_name(Space space) {
    switch (space) {
        case Space::Fock:
            return "fock";
        case Space::Unbunched:
            return "unbunched";
        case Space::DualRail:
            return "dual_rail";
    }
    return "unknown";
}

std::string count_text(u64 count) { return count == kSaturated ? "more than 2^64" : std::to_string(count); }

u64 state_count(Space space, u32 modes, u32 photons) {
    switch (space) {
        case Space::Fock:
            return modes == 0 ? (photons == 0 ? 1u : 0u) : binomial(u64{modes} + photons - 1, photons);
        case Space::Unbunched:
            return binomial(modes, photons);
        case Space::DualRail:
            if (photons > modes / 2) return 0;
            return saturating_mul(binomial(modes / 2, photons), photons < 64 ? u64{1} << photons : kSaturated);
    }
    return 0;
}

namespace {

/// States that precede a state at `mode` because they hold more photons there, with equal modes left of it and `rest`
/// photons right of it.
u64 states_ahead(Space space, u32 modes, u32 mode, u32 rest) {
    if (rest == 0) return 0;
    const u32 right = modes - 1 - mode;
    switch (space) {
        case Space::Fock:
            return binomial(u64{right} + rest - 1, right);  // up to rest - 1 photons right of the mode
        case Space::Unbunched:
            return state_count(space, right, rest - 1);
        case Space::DualRail:
            return state_count(space, right / 2 * 2, rest - 1);
    }
    return 0;
}

}  // namespace

Basis::Basis(Space space, u32 modes, u32 photons)
    : space_(space),
      modes_(modes),
      photons_(photons),
      size_(state_count(space, modes, photons)),
      ahead_(static_cast<std::size_t>(modes) * (photons + 1u)) {
    for (u32 mode = 0; mode < modes; ++mode)
        for (u32 rest = 0; rest <= photons; ++rest)
            ahead_[std::size_t{mode} * (photons + 1u) + rest] = states_ahead(space, modes, mode, rest);
}

u64 Basis::rank(const u8* state) const { return rank_with(space_, modes_, photons_, ahead_.data(), state); }

/// Those of `states` that hold as many photons in `mode` as the one at `rank`, whose occupation goes into `state`.
Basis::Alike Basis::narrow(const Alike& states, u32 mode, u64 rank, u8* state) const {
    const u64* const ahead = ahead_.data() + std::size_t{mode} * (photons_ + 1u) + states.rest;  // [-n]: n photons here
    const u32 most = largest_occupation(space_, mode, state, states.rest);
    u32 n = most;
    while (n > 0 && rank - states.first >= ahead[1 - static_cast<i64>(n)]) --n;
    state[mode] = static_cast<u8>(n);
    return {states.first + (n < most ? ahead[-static_cast<i64>(n)] : 0),
            n > 0 ? states.first + ahead[1 - static_cast<i64>(n)] : states.end, states.rest - n};
}

void Basis::unrank(u64 rank, u8* state) const {
    Alike states{0, size_, photons_};
    for (u32 mode = 0; mode < modes_; ++mode) states = narrow(states, mode, rank, state);
}

void Basis::unrank(const u32* ranks, std::size_t count, u8* states) const {
    std::vector<Alike> alike(modes_ + 1u);  // [mode]: the states that share the modes before it
    alike[0] = {0, size_, photons_};
    u32 shared = 0;
    for (std::size_t i = 0; i < count; ++i, states += modes_) {
        while (shared > 0 && (ranks[i] < alike[shared].first || ranks[i] >= alike[shared].end)) --shared;
        if (i > 0) std::copy(states - modes_, states - modes_ + shared, states);
        for (; shared < modes_; ++shared) alike[shared + 1] = narrow(alike[shared], shared, ranks[i], states);
    }
}

bool lies_in(Space space, const u8* state, u32 modes) {
    if (space == Space::Fock) return true;
    if (space == Space::Unbunched) return std::all_of(state, state + modes, [](u8 n) { return n <= 1; });
    for (u32 mode = 0; mode + 1 < modes; mode += 2)
        if (state[mode] + state[mode + 1] != 1) return false;
    return true;
}

namespace {

/// 0/1 tuples of `modes` entries with at most `clicks` ones.
u64 patterns_up_to(u32 modes, u32 clicks) {
    u64 total = 0;
    for (u32 k = 0; k <= std::min(modes, clicks); ++k) total = saturating_add(total, binomial(modes, k));
    return total;
}

void append_patterns(u32 modes, u32 mode, u32 clicks, u32 limit, std::vector<u8>& pattern, std::vector<u8>& out) {
    if (mode == modes) {
        if (clicks > 0) out.insert(out.end(), pattern.begin(), pattern.end());
        return;
    }
    for (const u8 click : {u8{1}, u8{0}}) {
        if (clicks + click > limit) continue;
        pattern[mode] = click;
        append_patterns(modes, mode + 1, clicks + click, limit, pattern, out);
    }
}

}  // namespace

u64 click_pattern_count(Space space, u32 modes, u32 photons) {
    if (space != Space::Fock) return state_count(space, modes, photons);
    const u64 with_none = patterns_up_to(modes, photons);
    return with_none == kSaturated ? kSaturated : with_none - 1;
}

u64 click_pattern_rank(u32 modes, u32 photons, const u8* state) {
    u64 rank = 0;
    u32 left = photons;  // clicks that may still follow
    for (u32 mode = 0; mode < modes && left > 0; ++mode) {
        if (state[mode] != 0)
            --left;
        else
            rank += patterns_up_to(modes - 1 - mode, left - 1);
    }
    return rank;
}

std::vector<u8> click_patterns(Space space, u32 modes, u32 photons) {
    if (space != Space::Fock) return basis_states(space, modes, photons);
    std::vector<u8> out;
    out.reserve(click_pattern_count(space, modes, photons) * modes);
    std::vector<u8> pattern(modes);
    append_patterns(modes, 0, 0, photons, pattern, out);
    return out;
}

std::vector<u8> basis_states(Space space, u32 modes, u32 photons) {
    std::vector<u8> out;
    out.reserve(state_count(space, modes, photons) * modes);
    walk_prefixes(space, modes, photons, modes,
                  [&](const u8* state, u32) { out.insert(out.end(), state, state + modes); });
    return out;
}

}  // namespace photonlink::optics
