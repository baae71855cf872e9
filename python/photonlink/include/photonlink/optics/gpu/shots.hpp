// A tile of rows from composed columns to sampled outputs where there is no distribution: shots are shared out among
// groups of threads, and each adds its state to integer totals. No result depends on the batch or on the launch.
// Portable.
#pragma once

#include "photonlink/optics/clifford.hpp"
#include "photonlink/optics/gpu/clifford.hpp"
#include "photonlink/optics/gpu/job.hpp"

namespace photonlink::optics::gpu {

/// Everything that the shots of a tile work on. Arrays of rows lie row after row.
struct ShotJob {
    ShotTables tables;
    Readout readout;          // without lists and occupation
    const u64* ahead;         // of rank_with()
    const u64* clicks_ahead;  // [mode][clicks that may still follow]: click patterns that come first; or null
    u32 rows;
    u32 shots;
    u64 seed;
    const u64* next_id;         // id of the first row of the call
    u64 first_row;              // in the call, of row 0
    const Complex64* composed;  // twice a row's columns per row; a row that went wrong is NaN
    u64* attempts;              // per row; these three lie behind one another and are zero before
    u64* given_up;              // per row; becomes 1
    u64* totals;                // outputs per row
    u32* states;                // shots per row: the basis state of each; or null

    PHL_HD const Complex64* columns_of(u32 row) const {
        return composed + u64{row} * 2 * tables.modes * tables.columns;
    }
};

namespace detail {

PHL_HD u64 click_rank(const ShotJob& job, const u8* state) {
    u64 rank = 0;
    u32 left = job.tables.photons;
    for (u32 mode = 0; mode < job.tables.modes && left > 0; ++mode) {
        if (state[mode] != 0)
            --left;
        else
            rank += job.clicks_ahead[u64{mode} * (job.tables.photons + 1u) + left];
    }
    return rank;
}

/// What one mode of a state counts.
PHL_HD u64 shot_factor(const Readout& readout, u32 photons) { return readout.clicks && photons > 1 ? 1 : photons; }

PHL_HD u64 shot_value(const Readout& readout, const OutputModes& modes, const u8* state) {
    const u64 factor = shot_factor(readout, state[modes.first]);
    return modes.second == kNoMode ? factor : factor * shot_factor(readout, state[modes.second]);
}

/// The output of a state of its own rank, or of its pattern of clicks.
PHL_HD u64 shot_output(const ShotJob& job, const u8* state, u64 rank) {
    switch (job.readout.gather) {
        case Gather::LexGroups:
            return rank / job.readout.bucket;
        case Gather::ModGroups:
            return rank % job.readout.outputs;
        case Gather::Lists:
            return click_rank(job, state);
        default:
            return rank;
    }
}

/// Adds the state of a shot to what its row counts. Group-wide.
template <class Group>
PHL_HD void count_shot(const Group& group, const ShotJob& job, const u8* state, u32 row, u32 shot) {
    u64* const totals = job.totals + u64{row} * job.readout.outputs;
    const bool by_modes = job.readout.gather == Gather::Occupation;
    for (u32 o = group.rank(); by_modes && o < job.readout.outputs; o += group.size()) {
        const u64 value = shot_value(job.readout, job.readout.modes[o], state);
        if (value != 0) platform::fetch_add_relaxed_domain(totals + o, value);
    }
    const bool one_output = !by_modes && job.readout.outputs > 0;
    if (!group.leader() || (!one_output && job.states == nullptr)) return;
    const u64 rank = rank_with(job.tables.space, job.tables.modes, job.tables.photons, job.ahead, state);
    if (job.states != nullptr) job.states[u64{row} * job.shots + shot] = static_cast<u32>(rank);
    if (one_output) platform::fetch_add_relaxed_domain(totals + shot_output(job, state, rank), u64{1});
}

/// Draws one shot until it lies in the space. Group-wide.
template <u32 Width, class Group>
PHL_HD void draw_shot(const Group& group, const ShotJob& job, const ShotRoom& room, u32 row, u32 shot) {
    const u64 id = *job.next_id + job.first_row + row;
    for (u32 attempt = 0; attempt < kMostAttempts; ++attempt) {
        // One hopeless shot is enough for its row to fail.
        if (attempt > 0 && group.any(platform::load_relaxed_domain(job.given_up + row) != 0)) return;
        if (!draw_photons<Width>(group, job.tables, job.columns_of(row), room, job.seed, id, shot, attempt)) continue;
        occupy_modes(group, job.tables, room);
        count_shot(group, job, room.state, row, shot);
        if (group.leader()) platform::fetch_add_relaxed_domain(job.attempts + row, u64{attempt} + 1);
        group.sync();
        return;
    }
    if (group.leader()) platform::store_relaxed_domain(job.given_up + row, u64{1});
}

}  // namespace detail

/// Shots first, first + stride.. of the tile, numbered row by row. `Width`: an even number, at least the photons.
template <u32 Width, class Group>
PHL_HD void draw_tile(const Group& group, const ShotJob& job, const ShotRoom& room, u64 first, u64 stride) {
    const u64 shots = u64{job.rows} * job.shots;
    for (u64 i = first; i < shots; i += stride) {
        const u32 row = static_cast<u32>(i / job.shots);
        const double element = job.columns_of(row)->re;
        if (element == element) detail::draw_shot<Width>(group, job, room, row, static_cast<u32>(i % job.shots));
    }
}

/// The outputs, and once per row what was kept.
template <class Real>
PHL_HD void publish_shots(const ShotJob& job, const Results<Real>& results, u64 first, u64 stride) {
    const u32 outputs = job.readout.outputs;
    const u64 items = outputs > 0 ? outputs : 1;
    for (Pairs at(first, stride, job.rows); at.state < items; at.next()) {
        const u64 attempts = job.attempts[at.row];
        const bool given_up = job.given_up[at.row] != 0;
        const double scale = given_up || attempts == 0 ? platform::quiet_nan() : 1.0 / job.shots;
        if (at.state < outputs)
            results.out[static_cast<i64>(at.row) * results.stride + static_cast<i64>(at.state)] =
                static_cast<Real>(static_cast<double>(job.totals[u64{at.row} * outputs + at.state]) * scale);
        if (at.state != 0) continue;
        if (given_up) results.statuses[at.row] = results.nothing_kept;
        if (results.kept_fractions != nullptr && (given_up || attempts > 0))
            results.kept_fractions[at.row] = given_up ? 0.0 : job.shots / static_cast<double>(attempts);
    }
}

}  // namespace photonlink::optics::gpu
