// Which states a state feeds: SlosTables the other way round and in the same form, so that derivatives are gathered as
// amplitudes are, every sum by one thread in a fixed order. Host code.
#pragma once

#include <vector>

#include "photonlink/optics/gpu/tables.hpp"

namespace photonlink::optics::gpu {

class ChildTables {
  public:
    explicit ChildTables(const SlosTables& tables);

    static u64 predict_bytes(Space space, u32 modes, u32 photons);

    u32 photons() const { return static_cast<u32>(levels_.size()); }

    /// States of `level` - 1 photons, level = 1..photons(). In the view they stand in the place of children, and the
    /// states of `level` photons that hold one more photon in some mode in the place of parents.
    LevelView level(u32 level) const;
    u32 states(u32 level) const { return levels_[level - 1].states; }
    /// By photon number, 0..photons() - 1; without weights.
    const std::vector<SuffixView>& suffixes() const { return suffix_views_; }

  private:
    struct Suffix {
        std::vector<u32> begin;
        std::vector<SlosEntry> entries;
    };
    struct Level {
        u32 states;
        std::vector<SlosBlock> blocks;
        std::vector<SlosEntry> entries;
    };

    void build_suffixes(const SlosTables& tables);
    static Level build_level(const SlosTables& tables, u32 level);

    std::vector<Suffix> suffixes_;
    std::vector<SuffixView> suffix_views_;
    std::vector<Level> levels_;
};

/// LevelTables of the children by their photon number (the first is empty), as upload_levels() does those of parents.
template <class Memory>
const LevelTable* upload_children(const ChildTables& tables, Memory& memory) {
    return detail::upload_tables(tables, tables.suffixes(), memory);
}

}  // namespace photonlink::optics::gpu
