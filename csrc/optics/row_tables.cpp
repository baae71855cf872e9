#include "photonlink/optics/row_tables.hpp"

#include <array>
#include <map>
#include <mutex>
#include <tuple>

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

}  // namespace

/// Numbers the distinct patterns. Few differ: most chunks share theirs with others.
class RowTables::Patterns {
  public:
    Patterns(std::vector<u8>& bytes, u32 chunk) : bytes_(bytes), chunk_(chunk) {}

    u16 number(const Lanes& lanes) {
        const auto [at, added] = numbers_.try_emplace(lanes, numbers_.size());
        if (added) bytes_.insert(bytes_.end(), lanes.begin(), lanes.begin() + chunk_);
        return static_cast<u16>(at->second);
    }

  private:
    std::vector<u8>& bytes_;
    u32 chunk_;
    std::map<Lanes, std::size_t> numbers_;
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
        const u64 chunks = state_count(space, modes, k) / chunk + 1;
        bytes = saturating_add(bytes, saturating_mul(chunks, modes * u64{sizeof(RowEntry)}));
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
    ChunkBuilder builder(modes, chunk);
    const auto flush = [&] {
        builder.finish([&](u32 mode, u32 parent, const Lanes& lanes) {
            level.entries.push_back({parent, patterns.number(lanes), static_cast<u16>(mode)});
        });
        level.begin.push_back(static_cast<u32>(level.entries.size()));
    };
    level.begin.push_back(0);
    u32 current = 0;
    visit_parents(view, [&](u32 state, u32 mode, u32 parent) {
        if (state / chunk != current) {
            flush();
            current = state / chunk;
        }
        builder.add(state % chunk, mode, parent);
    });
    flush();
    level.entries.shrink_to_fit();
    return level;
}

RowView RowTables::level(u32 level) const {
    const Level& at = levels_[level - 1];
    return {at.states, static_cast<u32>(at.begin.size()) - 1, at.begin.data(), at.entries.data(), patterns_.data()};
}

}  // namespace photonlink::optics
