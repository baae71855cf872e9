#include "photonlink/optics/slos_tables.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <tuple>

namespace photonlink::optics {
namespace {

double factorials(const u8* state, u32 modes) {
    double product = 1;
    for (u32 i = 0; i < modes; ++i)
        for (u32 n = 2; n <= state[i]; ++n) product *= n;
    return product;
}

std::vector<double> roots_of(const std::vector<double>& weights) {
    std::vector<double> roots;
    roots.reserve(weights.size());
    for (const double weight : weights) roots.push_back(std::sqrt(weight));
    return roots;
}

struct LevelSize {
    u64 blocks = 0;
    u64 entries = 0;
};

LevelSize level_size(Space space, u32 modes, u32 photons, u32 suffix) {
    const u32 prefix = modes - suffix;
    LevelSize size;
    for (u32 j = 0; j <= photons; ++j) {  // photons in the prefix
        if (state_count(space, suffix, photons - j) == 0) continue;
        const u64 blocks = state_count(space, prefix, j);
        const u64 parents = j == 0                 ? 0
                            : space == Space::Fock ? saturating_mul(prefix, state_count(space, prefix, j - 1))
                                                   : saturating_mul(j, blocks);
        size.blocks = saturating_add(size.blocks, blocks);
        size.entries = saturating_add(size.entries, parents);
    }
    return size;
}

u64 table_bytes(Space space, u32 modes, u32 photons, u32 suffix) {
    const u64 per_suffix = sizeof(u32) + 2 * sizeof(double) + suffix * sizeof(SlosEntry);
    u64 bytes = 0;
    for (u32 k = 0; k <= photons; ++k) {
        const LevelSize size = level_size(space, modes, k, suffix);
        const u64 per_block = sizeof(SlosBlock) + (k == photons ? 2 * sizeof(double) : 0);
        bytes = saturating_add(bytes, saturating_mul(size.blocks, per_block));
        bytes = saturating_add(bytes, saturating_mul(size.entries, sizeof(SlosEntry)));
        bytes = saturating_add(bytes, saturating_mul(state_count(space, suffix, k), per_suffix));
    }
    return bytes;
}

/// With longer suffixes there are fewer blocks, and more states in the tables of suffixes. Hence the number that takes
/// least memory; but the full Fock space keeps the suffixes that stand in the code (fock_suffix.inl) while its tables
/// are small. Dual-rail pairs stay whole.
u32 suffix_modes(Space space, u32 modes, u32 photons) {
    constexpr u64 kSmallTables = u64{8} << 20;
    u32 suffix = std::min(modes, kSuffixModes);
    if (space == Space::Fock && table_bytes(space, modes, photons, suffix) <= kSmallTables) return suffix;
    while (suffix + 2 <= modes &&
           table_bytes(space, modes, photons, suffix + 2) < table_bytes(space, modes, photons, suffix))
        suffix += 2;
    return suffix;
}

}  // namespace

u64 level_buffer_states(const ProgramSpec& spec, u32 buffer) {
    const u32 photons = spec.photons();
    u64 largest = 1;
    for (u32 from_last = buffer == 1 ? 1 : 2; from_last <= photons; from_last += 2)
        largest = std::max(largest, state_count(spec.readout.space, spec.modes, photons - from_last));
    return largest;
}

std::shared_ptr<const SlosTables> SlosTables::shared(Space space, u32 modes, u32 photons) {
    static std::mutex mutex;
    static std::map<std::tuple<Space, u32, u32>, std::weak_ptr<const SlosTables>> cache;
    const std::lock_guard<std::mutex> lock(mutex);
    std::weak_ptr<const SlosTables>& slot = cache[{space, modes, photons}];
    std::shared_ptr<const SlosTables> tables = slot.lock();
    if (!tables) slot = tables = std::make_shared<const SlosTables>(space, modes, photons);
    return tables;
}

u64 SlosTables::largest_block(Space space, u32 modes, u32 photons) {
    const u32 suffix = suffix_modes(space, modes, photons);
    u64 largest = 1;
    for (u32 k = 0; k <= photons; ++k) largest = std::max(largest, state_count(space, suffix, k));
    return largest;
}

bool SlosTables::can_number(Space space, u32 modes, u32 photons) {
    constexpr u64 kLimit = u64{1} << 32;
    const u32 suffix = suffix_modes(space, modes, photons);
    for (u32 k = 0; k <= photons; ++k)
        if (state_count(space, modes, k) >= kLimit || level_size(space, modes, k, suffix).entries >= kLimit)
            return false;
    return true;
}

u64 SlosTables::predict_bytes(Space space, u32 modes, u32 photons) {
    return table_bytes(space, modes, photons, suffix_modes(space, modes, photons));
}

SlosTables::SlosTables(Space space, u32 modes, u32 photons)
    : space_(space), modes_(modes), suffix_modes_(suffix_modes(space, modes, photons)), suffixes_(photons + 1u) {
    build_suffixes();
    levels_.emplace_back();
    for (u32 k = 1; k <= photons; ++k) levels_.push_back(build_level(k));
    weigh_last_level();
}

LevelView SlosTables::level(u32 level) const {
    const Level& at = levels_[level];
    const bool last = level == photons();
    return {at.blocks.data(),
            static_cast<u32>(at.blocks.size()),
            at.entries.data(),
            suffix_views_.data(),
            last ? last_weight_.data() : nullptr,
            last ? last_root_weight_.data() : nullptr,
            modes_ - suffix_modes_,
            space_ == Space::Fock && suffix_modes_ == kSuffixModes};
}

void SlosTables::build_suffixes() {
    const u32 first_mode = modes_ - suffix_modes_;
    for (u32 k = 0; k < suffixes_.size(); ++k) {
        Suffix& suffix = suffixes_[k];
        suffix.begin.push_back(0);
        const Basis parents(space_, suffix_modes_, k == 0 ? 0 : k - 1);
        std::vector<u8> parent(suffix_modes_);
        walk_prefixes(space_, suffix_modes_, k, suffix_modes_, [&](const u8* state, u32) {
            for (u32 i = 0; i < suffix_modes_; ++i) {
                if (state[i] == 0) continue;
                parent.assign(state, state + suffix_modes_);
                --parent[i];
                suffix.entries.push_back({static_cast<u32>(parents.rank(parent.data())), first_mode + i});
            }
            suffix.begin.push_back(static_cast<u32>(suffix.entries.size()));
            suffix.weight.push_back(factorials(state, suffix_modes_));
        });
        suffix.root_weight = roots_of(suffix.weight);
    }
    for (const Suffix& suffix : suffixes_)
        suffix_views_.push_back({static_cast<u32>(suffix.weight.size()), suffix.begin.data(), suffix.entries.data(),
                                 suffix.weight.data(), suffix.root_weight.data()});
}

SlosTables::Level SlosTables::build_level(u32 photons) const {
    Level level;
    const LevelSize size = level_size(space_, modes_, photons, suffix_modes_);
    level.blocks.reserve(size.blocks);
    level.entries.reserve(size.entries);
    const u32 prefix_modes = modes_ - suffix_modes_;
    const Basis parents(space_, modes_, photons - 1);
    std::vector<std::vector<u8>> first_suffix(photons + 1u);  // first state of each suffix photon number
    for (u32 k = 0; k <= photons; ++k)
        walk_prefixes(space_, suffix_modes_, k, suffix_modes_, [&](const u8* state, u32) {
            if (first_suffix[k].empty()) first_suffix[k].assign(state, state + suffix_modes_);
        });
    const auto rank_of = [&](std::vector<u8>& state, u32 suffix) {
        std::copy(first_suffix[suffix].begin(), first_suffix[suffix].end(), state.begin() + prefix_modes);
        return static_cast<u32>(parents.rank(state.data()));
    };
    u32 child = 0;
    std::vector<u8> parent(modes_);
    walk_prefixes(space_, modes_, photons, prefix_modes, [&](const u8* prefix, u32 suffix) {
        SlosBlock block{child, 0, static_cast<u32>(level.entries.size()), 0, static_cast<u16>(suffix)};
        std::copy(prefix, prefix + prefix_modes, parent.begin());
        if (suffix > 0) block.parent = rank_of(parent, suffix - 1);
        for (u32 i = 0; i < prefix_modes; ++i) {
            if (prefix[i] == 0) continue;
            --parent[i];
            level.entries.push_back({rank_of(parent, suffix), i});
            ++parent[i];
        }
        block.entries = static_cast<u16>(level.entries.size() - block.entry);
        level.blocks.push_back(block);
        child += suffix_views_[suffix].states;
    });
    level.states = child;
    return level;
}

void SlosTables::weigh_last_level() {
    last_weight_.reserve(levels_.back().blocks.size());
    walk_prefixes(space_, modes_, photons(), modes_ - suffix_modes_,
                  [&](const u8* prefix, u32) { last_weight_.push_back(factorials(prefix, modes_ - suffix_modes_)); });
    last_root_weight_ = roots_of(last_weight_);
}

}  // namespace photonlink::optics
