// Tables for sweeping one datapoint at a time, with vectors over consecutive states instead of over datapoints.
//
// Removing one photon from mode i keeps the order of states. So the children of a chunk that have a photon in mode i
// find their parents in ascending order, close together in the level before: one load and one permutation of it serve
// the whole chunk. Each state adds its parents in ascending order of modes, as in SlosTables, so that both ways give
// the same bits.
#pragma once

#include <memory>
#include <vector>

#include "photonlink/optics/slos_tables.hpp"

namespace photonlink::optics {

class RowTables {
  public:
    /// Builds the tables for chunks of `chunk` states (at most 16), or hands out those that somebody still holds.
    static std::shared_ptr<const RowTables> shared(Space space, u32 modes, u32 photons, u32 chunk);

    /// An upper bound on the bytes that building takes; saturates.
    static u64 predict_bytes(Space space, u32 modes, u32 photons, u32 chunk);

    RowTables(const SlosTables& tables, u32 modes, u32 chunk);
    RowTables(const RowTables&) = delete;
    RowTables& operator=(const RowTables&) = delete;

    /// The step from `level` - 1 photons to `level` photons, level = 1..photons.
    RowView level(u32 level) const;

  private:
    struct Level {
        u32 states = 0;
        std::vector<u32> begin;
        std::vector<RowEntry> entries;
    };
    class Patterns;

    static Level build_level(const LevelView& view, u32 states, u32 modes, u32 chunk, Patterns& patterns);

    std::vector<Level> levels_;  // levels_[k - 1]: the step to k photons
    std::vector<u8> patterns_;
};

}  // namespace photonlink::optics
