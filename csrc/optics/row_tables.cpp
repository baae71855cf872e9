#include "photonlink/optics/row_tables.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <tuple>

#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

using Lanes = std::array<u8, 16>;

/// Collects the entries of one chunk, mode by mode, while its states go by.
class ChunkBuilder {
  public:
    ChunkBuilder(u32 modes, u32 chunk) : chunk_(chunk), modes_(modes) {}

    void add(u32 lane, u32 mode, u32 parent) {
        std::vector<Piece>& pieces = modes_[mode];
        if (pieces.empty() || parent - pieces.back().parent >= chunk_) pieces.push_back({parent, Lanes{}});
        Piece& piece = pieces.back();
        piece.lanes[lane] = static_cast<u8>(0x80u | (parent - piece.parent));
    }

    /// Moves the entries out, in ascending order of modes.
    template <class Take>
    void finish(Take&& take) {
        for (u32 mode = 0; mode < modes_.size(); ++mode) {
            for (const Piece& piece : modes_[mode]) take(mode, piece.parent, piece.lanes);
            modes_[mode].clear();
        }
    }

  private:
    struct Piece {
        u32 parent;
        Lanes lanes;
    };
    u32 chunk_;
    std::vector<std::vector<Piece>> modes_;
};

/// Calls visit(state, mode, parent) for every parent of every state, states in order.
template <class Visit>
void visit_parents(const LevelView& level, Visit&& visit) {
    u32 state = 0;
    for (u32 b = 0; b < level.block_count; ++b) {
        const SlosBlock& block = level.blocks[b];
        const SuffixView& suffix = level.suffixes[block.suffix];
        for (u32 s = 0; s < suffix.states; ++s, ++state) {
            for (u32 e = block.entry; e < block.entry + block.entries; ++e)
                visit(state, level.entries[e].mode, level.entries[e].parent + s);
            for (u32 e = suffix.begin[s]; e < suffix.begin[s + 1]; ++e)
                visit(state, suffix.entries[e].mode, block.parent + suffix.entries[e].parent);
        }
    }
}

/// Calls visit(builder) for every chunk, with all its parents in the builder.
template <class Visit>
void visit_chunks(const LevelView& level, u32 modes, u32 chunk, Visit&& visit) {
    ChunkBuilder builder(modes, chunk);
    u32 current = 0;
    visit_parents(level, [&](u32 state, u32 mode, u32 parent) {
        if (state / chunk != current) {
            visit(builder);
            current = state / chunk;
        }
        builder.add(state % chunk, mode, parent);
    });
    visit(builder);
}

}  // namespace

/// Numbers the distinct patterns, which are few: most chunks share theirs with others. A hash table of their numbers.
class RowTables::Patterns {
  public:
    Patterns(std::vector<u8>& bytes, u32 chunk) : bytes_(bytes), chunk_(chunk), slots_(1024, kFree) {}

    u32 number(const Lanes& lanes) {
        if (2 * count_ >= slots_.size()) grow();
        u32& slot = find(lanes.data());
        if (slot == kFree) {
            if (count_ >= kMostPatterns)
                throw ProgramError(
                    "the tables of this program have more than 2^24 patterns; use fewer modes or photons");
            slot = count_++;
            bytes_.insert(bytes_.end(), lanes.begin(), lanes.begin() + chunk_);
        }
        return slot;
    }

  private:
    static constexpr u32 kFree = ~0u;
    static constexpr u32 kMostPatterns = 1u << 24;  // RowEntry::pattern

    /// The slot of a pattern, or the free one that it would take.
    u32& find(const u8* lanes) {
        u64 hash = 0;
        for (u32 i = 0; i < chunk_; ++i) hash = (hash ^ lanes[i]) * 0x100000001B3ULL;
        for (std::size_t at = hash ^ (hash >> 32);; ++at) {
            u32& slot = slots_[at & (slots_.size() - 1)];
            if (slot == kFree || std::equal(lanes, lanes + chunk_, bytes_.data() + std::size_t{slot} * chunk_))
                return slot;
        }
    }

    void grow() {
        slots_.assign(2 * slots_.size(), kFree);
        for (u32 n = 0; n < count_; ++n) find(bytes_.data() + std::size_t{n} * chunk_) = n;
    }

    std::vector<u8>& bytes_;
    u32 chunk_;
    u32 count_ = 0;
    std::vector<u32> slots_;
};

std::shared_ptr<const RowTables> RowTables::shared(Space space, u32 modes, u32 photons, u32 chunk) {
    static std::mutex mutex;
    static std::map<std::tuple<Space, u32, u32, u32>, std::weak_ptr<const RowTables>> cache;
    const std::shared_ptr<const SlosTables> slos = SlosTables::shared(space, modes, photons);
    const std::lock_guard<std::mutex> lock(mutex);
    std::weak_ptr<const RowTables>& slot = cache[{space, modes, photons, chunk}];
    std::shared_ptr<const RowTables> tables = slot.lock();
    if (!tables) slot = tables = std::make_shared<const RowTables>(*slos, modes, chunk);
    return tables;
}

u64 RowTables::predict_bytes(Space space, u32 modes, u32 photons, u32 chunk) {
    u64 bytes = 0;
    for (u32 k = 1; k <= photons; ++k) {
        const u64 states = state_count(space, modes, k), chunks = states / chunk + 1;
        // One entry per chunk and mode, and some more where parents lie apart; never more than there are parents.
        const u64 entries = saturating_mul(chunks, space == Space::Fock ? modes : modes + modes / 2);
        bytes = saturating_add(bytes, saturating_mul(std::min(entries, saturating_mul(states, k)), sizeof(RowEntry)));
        bytes = saturating_add(bytes, saturating_mul(chunks, sizeof(u32)));
    }
    return bytes;
}

RowTables::RowTables(const SlosTables& tables, u32 modes, u32 chunk) {
    Patterns patterns(patterns_, chunk);
    for (u32 k = 1; k <= tables.photons(); ++k)
        levels_.push_back(build_level(tables.level(k), tables.states(k), modes, chunk, patterns));
    patterns_.shrink_to_fit();
}

RowTables::Level RowTables::build_level(const LevelView& view, u32 states, u32 modes, u32 chunk, Patterns& patterns) {
    Level level;
    level.states = states;
    std::size_t entries = 0;
    visit_chunks(view, modes, chunk, [&](ChunkBuilder& at) { at.finish([&](u32, u32, const Lanes&) { ++entries; }); });
    level.entries.reserve(entries);
    level.begin.reserve(states / chunk + 2);
    level.begin.push_back(0);
    visit_chunks(view, modes, chunk, [&](ChunkBuilder& at) {
        at.finish([&](u32 mode, u32 parent, const Lanes& lanes) {
            level.entries.push_back({parent, patterns.number(lanes) & 0xFFFFFFu, mode & 0xFFu});
        });
        level.begin.push_back(static_cast<u32>(level.entries.size()));
    });
    return level;
}

RowView RowTables::level(u32 level) const {
    const Level& at = levels_[level - 1];
    return {at.states, static_cast<u32>(at.begin.size()) - 1, at.begin.data(), at.entries.data(), patterns_.data()};
}

}  // namespace photonlink::optics
