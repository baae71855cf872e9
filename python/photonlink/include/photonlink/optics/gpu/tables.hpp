// Hands the tables of a sweep to the threads that run it. Host code.
#pragma once

#include <vector>

#include "photonlink/optics/gpu/sweep.hpp"
#include "photonlink/optics/slos_tables.hpp"

namespace photonlink::optics::gpu {

/// LevelTable::marks of a level.
std::vector<u32> level_marks(const LevelView& level, u32 states);

/// Bytes that upload_levels() takes, without the arrays that SlosTables::predict_bytes() knows.
u64 predict_level_bytes(Space space, u32 modes, u32 photons);

namespace detail {

template <class Memory>
const SuffixView* upload_suffixes(std::vector<SuffixView> suffixes, Memory& memory) {
    for (SuffixView& suffix : suffixes) {
        suffix.entries = memory.upload(suffix.entries, suffix.begin[suffix.states]);
        suffix.begin = memory.upload(suffix.begin, suffix.states + u64{1});
        if (suffix.weight == nullptr) continue;
        suffix.weight = memory.upload(suffix.weight, suffix.states);
        suffix.root_weight = memory.upload(suffix.root_weight, suffix.states);
    }
    return memory.upload(suffixes.data(), suffixes.size());
}

/// LevelTables by photon number (the first is empty) of tables with a level() and states() for each.
template <class Tables, class Memory>
const LevelTable* upload_tables(const Tables& tables, const std::vector<SuffixView>& suffixes, Memory& memory) {
    const SuffixView* const all_suffixes = upload_suffixes(suffixes, memory);
    std::vector<LevelTable> levels(tables.photons() + u64{1}, LevelTable{});
    for (u32 k = 1; k <= tables.photons(); ++k) {
        LevelView view = tables.level(k);
        const std::vector<u32> marks = level_marks(view, tables.states(k));
        const SlosBlock& last = view.blocks[view.block_count - 1];
        view.entries = memory.upload(view.entries, u64{last.entry} + last.entries);
        view.blocks = memory.upload(view.blocks, view.block_count);
        view.suffixes = all_suffixes;
        if (view.weight != nullptr) {
            view.weight = memory.upload(view.weight, view.block_count);
            view.root_weight = memory.upload(view.root_weight, view.block_count);
        }
        levels[k] = {view, tables.states(k), memory.upload(marks.data(), marks.size())};
    }
    return memory.upload(levels.data(), levels.size());
}

}  // namespace detail

/// LevelTables by photon number (the first is empty) in memory that `memory.upload(values, count)` copies to.
template <class Memory>
const LevelTable* upload_levels(const SlosTables& tables, Memory& memory) {
    const SuffixView* const suffixes = tables.level(1).suffixes;
    return detail::upload_tables(tables, {suffixes, suffixes + tables.photons() + 1}, memory);
}

}  // namespace photonlink::optics::gpu
