#include "photonlink/optics/gpu/child_tables.hpp"

#include <algorithm>

namespace photonlink::optics::gpu {
namespace {

/// Lists of different lengths one after the other: `begin` holds where each begins, and the end of the last.
template <class List>
std::vector<u32> list_begins(const std::vector<List>& lists) {
    std::vector<u32> begin{0};
    for (const List& list : lists) begin.push_back(begin.back() + static_cast<u32>(list.size()));
    return begin;
}

/// The block whose first state is `state`.
u32 block_at(const std::vector<SlosBlock>& blocks, u32 state) {
    const auto found = std::lower_bound(blocks.begin(), blocks.end(), state,
                                        [](const SlosBlock& block, u32 child) { return block.child < child; });
    return static_cast<u32>(found - blocks.begin());
}

}  // namespace

u64 ChildTables::predict_bytes(Space space, u32 modes, u32 photons) {
    return SlosTables::predict_bytes(space, modes, photons);  // the same relations, without the weights
}

ChildTables::ChildTables(const SlosTables& tables) {
    build_suffixes(tables);
    for (u32 k = 1; k <= tables.photons(); ++k) levels_.push_back(build_level(tables, k));
}

LevelView ChildTables::level(u32 level) const {
    const Level& at = levels_[level - 1];
    return {at.blocks.data(), static_cast<u32>(at.blocks.size()), at.entries.data(), suffix_views_.data(), nullptr,
            nullptr};
}

void ChildTables::build_suffixes(const SlosTables& tables) {
    const SuffixView* const from = tables.level(1).suffixes;
    for (u32 k = 0; k < tables.photons(); ++k) {
        std::vector<std::vector<SlosEntry>> children(from[k].states);
        for (u32 child = 0; child < from[k + 1].states; ++child)
            for (u32 e = from[k + 1].begin[child]; e < from[k + 1].begin[child + 1]; ++e)
                children[from[k + 1].entries[e].parent].push_back({child, from[k + 1].entries[e].mode});
        Suffix suffix{list_begins(children), {}};
        for (const std::vector<SlosEntry>& list : children)
            suffix.entries.insert(suffix.entries.end(), list.begin(), list.end());
        suffixes_.push_back(std::move(suffix));
    }
    for (const Suffix& suffix : suffixes_)
        suffix_views_.push_back(
            {static_cast<u32>(suffix.begin.size()) - 1, suffix.begin.data(), suffix.entries.data(), nullptr, nullptr});
}

/// A block's children through a mode of the prefix begin where the block with one photon more in that mode begins;
/// through the modes of the suffix they lie in the block of the same prefix. States run in descending order, so that
/// children come in ascending order of modes.
ChildTables::Level ChildTables::build_level(const SlosTables& tables, u32 level) {
    const LevelView below = tables.level(level - 1), view = tables.level(level);
    Level out{tables.states(level - 1), {}, {}};
    if (level == 1)
        out.blocks.push_back({});  // the vacuum
    else
        out.blocks.assign(below.blocks, below.blocks + below.block_count);
    std::vector<std::vector<SlosEntry>> children(out.blocks.size());
    for (u32 b = 0; b < view.block_count; ++b) {
        const SlosBlock& block = view.blocks[b];
        for (u32 e = block.entry; e < block.entry + block.entries; ++e)
            children[block_at(out.blocks, view.entries[e].parent)].push_back({block.child, view.entries[e].mode});
        if (block.suffix > 0) out.blocks[block_at(out.blocks, block.parent)].parent = block.child;
    }
    const std::vector<u32> begin = list_begins(children);
    out.entries.reserve(begin.back());
    for (std::size_t b = 0; b < out.blocks.size(); ++b) {
        out.blocks[b].entry = begin[b];
        out.blocks[b].entries = static_cast<u16>(children[b].size());
        out.entries.insert(out.entries.end(), children[b].begin(), children[b].end());
    }
    return out;
}

}  // namespace photonlink::optics::gpu
