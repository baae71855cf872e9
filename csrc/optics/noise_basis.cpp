#include "photonlink/optics/noise_basis.hpp"

#include <algorithm>

#include "photonlink/optics/noise_plan.hpp"

namespace photonlink::optics {

u64 sector_count(Space space, u32 modes, u32 least, u32 most) {
    u64 states = 0;
    for (u32 photons = least; photons <= most; ++photons)
        states = saturating_add(states, state_count(space, modes, photons));
    return states;
}

SectorPlaces::SectorPlaces(Space space, u32 modes, u32 most) : modes_(modes), most_(most), begin_(most + 2u) {
    for (u32 photons = 0; photons <= most; ++photons) states_.push_back(state_count(space, modes, photons));
    for (u32 sector = 0; sector <= most; ++sector)
        begin_[sector + 1] = begin_[sector] + (states_[most - sector] + kStep - 1) / kStep * kStep;
}

u64 SectorPlaces::count(Space space, u32 modes, u32 most) {
    return saturating_add(sector_count(space, modes, 0, most), u64{most + 1} * (kStep - 1));
}

std::vector<u8> sector_states(Space space, u32 modes, u32 least, u32 most) {
    std::vector<u8> out;
    out.reserve(sector_count(space, modes, least, most) * modes);
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
