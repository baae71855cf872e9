#include "photonlink/optics/noise_basis.hpp"

#include <algorithm>

#include "photonlink/optics/noise_plan.hpp"

namespace photonlink::optics {

SectorBasis::SectorBasis(Space space, u32 modes, u32 most, bool clicks)
    : space_(space), modes_(modes), most_(most), clicks_(clicks) {
    u32 states = 0;
    for (u32 photons = most + 1; photons-- > 0;) {
        begin_.push_back(states);
        states += static_cast<u32>(state_count(space, modes, photons));
    }
    begin_.push_back(states);
    with_photon_.assign(u64{states} * modes, kNone);
    std::vector<u8> next(modes);
    u32* at = with_photon_.data();
    for (u32 photons = most + 1; photons-- > 0;) {
        const Basis larger(space, modes, photons + 1);
        u32 index = begin(photons);
        walk_prefixes(space, modes, photons, modes, [&](const u8* state, u32) {
            std::copy(state, state + modes, next.begin());
            for (u32 mode = 0; mode < modes; ++mode, ++at) {
                if (clicks_ && state[mode] > 0) *at = index;
                if (photons == most_ || !can_add(state, mode)) continue;
                ++next[mode];
                *at = begin(i64{photons} + 1) + static_cast<u32>(larger.rank(next.data()));
                --next[mode];
            }
            ++index;
        });
    }
}

bool SectorBasis::can_add(const u8* state, u32 mode) const {
    if (space_ == Space::Fock) return true;
    return state[mode] == 0 && (space_ == Space::Unbunched || state[mode ^ 1u] == 0);
}

u64 SectorBasis::count(Space space, u32 modes, u32 least, u32 most) {
    u64 states = 0;
    for (u32 photons = least; photons <= most; ++photons)
        states = saturating_add(states, state_count(space, modes, photons));
    return states;
}

u64 SectorBasis::predict_bytes(Space space, u32 modes, u32 most) {
    return saturating_mul(count(space, modes, 0, most), u64{modes} * sizeof(u32));
}

std::vector<u8> sector_states(Space space, u32 modes, u32 least, u32 most) {
    std::vector<u8> out;
    out.reserve(SectorBasis::count(space, modes, least, most) * modes);
    for (u32 photons = most + 1; photons-- > least;) {
        const std::vector<u8> sector = basis_states(space, modes, photons);
        out.insert(out.end(), sector.begin(), sector.end());
    }
    return out;
}

SectorOrder::SectorOrder(Space space, u32 modes, u32 least, u32 most) : modes_(modes), least_(least) {
    for (u32 photons = least; photons <= most; ++photons) sectors_.emplace_back(space, modes, photons);
    first_.resize(sectors_.size());
    for (std::size_t k = sectors_.size() - 1; k-- > 0;)
        first_[k] = saturating_add(first_[k + 1], sectors_[k + 1].size());  // more photons come first
}

u64 SectorOrder::rank(const u8* state) const {
    u32 photons = 0;
    for (u32 mode = 0; mode < modes_; ++mode) photons += state[mode];
    return first_[photons - least_] + sectors_[photons - least_].rank(state);
}

void SectorOrder::unrank(u64 rank, u8* state) const {
    std::size_t k = sectors_.size() - 1;
    while (k > 0 && first_[k - 1] <= rank) --k;
    sectors_[k].unrank(rank - first_[k], state);
}

SectorOrder kept_order(const ProgramSpec& spec) {
    const NoisePlan plan = plan_noise(spec);
    return {plan.space, spec.modes, plan.least, plan.most};
}

void list_samples(const SectorOrder& order, const std::vector<u32>& states, const std::vector<u32>& counts,
                  u8* samples) {
    const u64 modes = order.modes();
    for (std::size_t i = 0; i < states.size(); ++i) {
        if (counts[i] == 0) continue;
        const u8* first = samples;
        order.unrank(states[i], samples);
        samples += modes;
        for (u32 again = 1; again < counts[i]; ++again) samples = std::copy(first, first + modes, samples);
    }
}

/// Patterns of `modes` modes that `clicked` clicks elsewhere leave room for.
u64 ClickOrder::between(u32 modes, u32 clicked) const {
    u64 total = 0;
    for (u32 more = least_ > clicked ? least_ - clicked : 0; more <= modes && clicked + more <= most_; ++more)
        total = saturating_add(total, binomial(modes, more));
    return total;
}

u64 ClickOrder::rank(const u8* state) const {
    u64 rank = 0;
    u32 clicked = 0;
    for (u32 mode = 0; mode < modes_; ++mode) {
        if (state[mode] != 0)
            ++clicked;
        else
            rank += between(modes_ - 1 - mode, clicked + 1);  // those that click here come first
    }
    return rank;
}

std::vector<u8> ClickOrder::patterns() const {
    std::vector<u8> out(size() * modes_);
    for (u32 clicks = least_; clicks <= std::min(most_, modes_); ++clicks)
        walk_prefixes(Space::Unbunched, modes_, clicks, modes_, [&](const u8* state, u32) {
            std::copy(state, state + modes_, out.begin() + static_cast<std::ptrdiff_t>(rank(state) * modes_));
        });
    return out;
}

}  // namespace photonlink::optics
