// States of different photon numbers in one list: what detectors may show when photons are lost or added. Sectors come
// in descending order of photons, and the states of a sector in the usual descending lexicographic order.
#pragma once

#include <cstddef>
#include <vector>

#include "photonlink/optics/basis.hpp"

namespace photonlink::optics {

/// States of the sectors `most` to `least`; saturates.
u64 sector_count(Space space, u32 modes, u32 least, u32 most);

/// Where arrays hold each sector's states. Sectors begin at multiples of kStep places, so that vectors may reach beyond
/// their last states.
class SectorPlaces {
  public:
    static constexpr u32 kStep = 8;

    SectorPlaces(Space space, u32 modes, u32 most);

    /// Places of all sectors; saturates.
    static u64 count(Space space, u32 modes, u32 most);

    u32 modes() const { return modes_; }
    u32 most() const { return most_; }
    u64 states(u32 photons) const { return states_[photons]; }
    /// First place of the sector; for `photons` = -1, the number of places.
    u64 begin(i64 photons) const { return begin_[static_cast<std::size_t>(i64{most_} - photons)]; }
    u64 end(i64 photons) const { return begin(photons - 1); }

  private:
    u32 modes_;
    u32 most_;
    std::vector<u64> states_;  // by photons
    std::vector<u64> begin_;   // by most - photons
};

/// States of the sectors `most` to `least`, row-major, sectors in descending order.
std::vector<u8> sector_states(Space space, u32 modes, u32 least, u32 most);

/// Positions in that list, without the list.
class SectorOrder {
  public:
    SectorOrder(Space space, u32 modes, u32 least, u32 most);

    /// States of all sectors; saturates.
    u64 size() const { return saturating_add(first_.front(), sectors_.front().size()); }
    u32 modes() const { return modes_; }
    u64 rank(const u8* state) const;
    /// Writes modes occupation numbers; `rank` is below size().
    void unrank(u64 rank, u8* state) const;

  private:
    u32 modes_;
    u32 least_;
    std::vector<Basis> sectors_;  // by photons - least
    std::vector<u64> first_;      // rank of the first state of each
};

/// The states that a program's samples can show. Requires check_noise().
SectorOrder kept_order(const ProgramSpec& spec);

/// Sparse counts as a list of samples: for each i, counts[i] times the state at states[i], below order.size().
void list_samples(const SectorOrder& order, const std::vector<u32>& states, const std::vector<u32>& counts,
                  u8* samples);

/// Patterns of `least` to `most` clicks in descending lexicographic order.
class ClickOrder {
  public:
    ClickOrder(u32 modes, u32 least, u32 most) : modes_(modes), least_(least), most_(most) {}
    u64 size() const { return between(modes_, 0); }
    /// Position of the pattern of occupied modes of `state`, which must be one of them.
    u64 rank(const u8* state) const;
    /// Row-major size x modes.
    std::vector<u8> patterns() const;

  private:
    u64 between(u32 modes, u32 clicked) const;

    u32 modes_;
    u32 least_;
    u32 most_;
};

}  // namespace photonlink::optics
