// Which states feed which: the tables of a SLOS sweep. They depend on modes, photons and space only, so programs share
// them. States are grouped into blocks of equal prefix (all modes but the last few); see SlosBlock.
#pragma once

#include <memory>
#include <vector>

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// States that one of the two buffers of a sweep must hold: levels alternate so that the last but one lies in buffer 1.
/// The last level is never stored. Saturates.
u64 level_buffer_states(const ProgramSpec& spec, u32 buffer);

class SlosTables {
  public:
    /// Builds the tables, or hands out those that somebody still holds. can_number() must hold.
    static std::shared_ptr<const SlosTables> shared(Space space, u32 modes, u32 photons);

    /// Bytes that building would take; saturates.
    static u64 predict_bytes(Space space, u32 modes, u32 photons);

    /// True if 32 bits number the states and table entries of every level.
    static bool can_number(Space space, u32 modes, u32 photons);

    /// States of the largest block of any level.
    static u64 largest_block(Space space, u32 modes, u32 photons);

    SlosTables(Space space, u32 modes, u32 photons);
    SlosTables(const SlosTables&) = delete;
    SlosTables& operator=(const SlosTables&) = delete;

    u32 photons() const { return static_cast<u32>(levels_.size()) - 1; }
    u32 states(u32 level) const { return levels_[level].states; }

    /// The step from `level` - 1 photons to `level` photons, level = 1..photons().
    LevelView level(u32 level) const;

  private:
    struct Level {
        u32 states = 1;
        std::vector<SlosBlock> blocks;
        std::vector<SlosEntry> entries;
    };
    struct Suffix {
        std::vector<u32> begin;
        std::vector<SlosEntry> entries;
        std::vector<double> weight;
        std::vector<double> root_weight;
    };

    void build_suffixes();
    Level build_level(u32 photons) const;
    void weigh_last_level();

    Space space_;
    u32 modes_;
    u32 suffix_modes_;
    std::vector<Suffix> suffixes_;  // by photon number
    std::vector<SuffixView> suffix_views_;
    std::vector<Level> levels_;        // by photon number; level 0 is the vacuum
    std::vector<double> last_weight_;  // per block of the last level
    std::vector<double> last_root_weight_;
};

}  // namespace photonlink::optics
