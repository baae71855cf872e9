// A tile of rows from composed columns to outputs, as a list of tasks that any number of threads share. Between two
// tasks there is a barrier: of a block, which then runs all of them in one launch, or the end of a launch, where one
// task fills the whole GPU. Results are the same bits either way. Portable.
#pragma once

#include "photonlink/optics/gpu/readout.hpp"
#include "photonlink/optics/gpu/sampling.hpp"

namespace photonlink::optics::gpu {

enum class TaskKind : u8 {
    Level,        // the values of level `photons`
    Store,        // a tile of the last level into the distribution
    Occupy,       // a tile's occupations
    Leaves,       // of what the masses sum up, or of a tile of it
    Branches,     //
    RunUp,        //
    ClearCounts,  //
    Draw,         //
    Parts,        // of the outputs' sums, or what a tile adds to them
    Totals,       // the outputs, before their scale
    Publish,      // the outputs
};

struct Task {
    TaskKind kind;
    u32 photons;  // of TaskKind::Level
    u32 first;    // of the tile
    u32 states;   // of that level, or of the tile

    PHL_HD StateTile tile() const { return {first, states}; }
};

/// What the readout sums up.
enum class Source : u8 { Sweep, Distribution, Counts };

/// A number per row and state of a tile.
template <class Real>
struct Distribution {
    Real* values;
    i64 state_stride;
    i64 row_stride;

    PHL_HD Real& at(u64 place, u32 row) const {
        return values[static_cast<i64>(place) * state_stride + static_cast<i64>(row) * row_stride];
    }
};

/// Where outputs go.
template <class Real>
struct Results {
    Real* out;
    i64 stride;              // elements from row to row
    double* kept_fractions;  // per row, or null
    u32* statuses;           // per row; those of rows of which nothing can be kept become `nothing_kept`
    u32 nothing_kept;
    u32* states;  // of each shot, [row][shot], or null; those of rows that fail are not written
};

/// Everything that the tasks of a tile work on. Scratch is [..][row]: the share of `n` rows has n times the length of
/// one row's.
template <class Real>
struct Job {
    Sweep<Real> sweep;
    Readout readout;
    Source source;
    bool post_selected;  // renormalise within the space
    bool sum_totals;     // the masses are those of the outputs, else of the distribution
    double least_kept;   // a smaller sum may be rounding alone
    u32 shots;           // 0: exact
    u64 seed;
    const u64* next_id;  // id of the first row of the call
    u64 first_row;       // in the call, of row 0
    bool stored_in_results;
    Distribution<Real> distribution;
    u8* occupied;  // [mode][state of the tile], of all rows: what the readout looks at, or null where that is a table
    Masses masses;
    u32* counts;
    double* partial;
    double* totals;
    Results<Real> results;
};

namespace detail {

/// The states of the last level, or where those of the tile from `first` on were stored.
template <class Real>
struct StoredMass {
    Distribution<Real> distribution;
    u64 first;
    PHL_HD Real operator()(u64 state, u32 row) const { return distribution.at(state - first, row); }
};

template <class Real>
struct SweptMass {
    const Sweep<Real>& sweep;
    const LevelTable last;
    PHL_HD Real operator()(u64 state, u32 row) const { return probability(sweep, last, static_cast<u32>(state), row); }
};

template <class Value>
struct RowsInnermost {
    const Value* values;
    u32 rows;
    PHL_HD Value operator()(u64 index, u32 row) const { return values[index * rows + row]; }
};

}  // namespace detail

template <class Real>
PHL_HD void store_distribution(const Job<Real>& job, const StateTile& tile, u64 first, u64 stride) {
    const LevelTable last = job.sweep.levels[job.sweep.photons];
    for (Pairs at(first, stride, job.sweep.rows); at.state < tile.states; at.next())
        job.distribution.at(at.state, at.row) =
            probability(job.sweep, last, static_cast<u32>(tile.first + at.state), at.row);
}

/// Which modes hold photons, of every state of a tile.
template <class Real>
PHL_HD void occupy(const Job<Real>& job, const StateTile& tile, u64 first, u64 stride) {
    const LevelTable last = job.sweep.levels[job.sweep.photons];
    for (u64 i = first; i < tile.states; i += stride) {
        u8* const occupied = job.occupied + i;
        for (u32 mode = 0; mode < job.sweep.modes; ++mode) occupied[mode * job.readout.tile_states] = 0;
        const OccupiedModes modes(last, locate(last, static_cast<u32>(tile.first + i)));
        for (u32 k = 0; k < modes.count(); ++k) occupied[modes[k] * job.readout.tile_states] = 1;
    }
}

template <class Real>
PHL_HD void sum_job_leaves(const Job<Real>& job, const StateTile& tile, u64 first, u64 stride) {
    if (job.sum_totals)
        sum_leaves(job.masses, tile, detail::RowsInnermost<double>{job.totals, job.sweep.rows}, first, stride);
    else
        sum_leaves(job.masses, tile, detail::StoredMass<Real>{job.distribution, tile.first}, first, stride);
}

template <class Real>
PHL_HD void sum_job_parts(const Job<Real>& job, const StateTile& tile, u64 first, u64 stride) {
    const u32 rows = job.sweep.rows;
    if (job.source == Source::Sweep)
        sum_parts(job.readout, rows, job.partial, tile,
                  detail::SweptMass<Real>{job.sweep, job.sweep.levels[job.sweep.photons]}, first, stride);
    else if (job.source == Source::Distribution)
        sum_parts(job.readout, rows, job.partial, tile, detail::StoredMass<Real>{job.distribution, tile.first}, first,
                  stride);
    else
        sum_parts(job.readout, rows, job.partial, tile, detail::RowsInnermost<u32>{job.counts, rows}, first, stride);
}

template <class Real>
PHL_HD void clear_counts(const Job<Real>& job, u64 first, u64 stride) {
    const u64 count = job.readout.states * job.sweep.rows;
    for (u64 i = first; i < count; i += stride) job.counts[i] = 0;
}

/// What of a row's events lies in the space: 0 if rounding alone could produce it, NaN for a row that went wrong.
template <class Real>
PHL_HD double kept_fraction(const Job<Real>& job, u32 row) {
    if (!job.post_selected && job.shots == 0) return 1.0;
    const double total = job.masses.total(row);
    if (!job.post_selected) return total > 0 ? 1.0 : total;
    return total <= job.least_kept ? 0.0 : total;
}

/// What a row's totals are multiplied by.
template <class Real>
PHL_HD double output_scale(const Job<Real>& job, double kept) {
    if (job.shots == 0) return kept == 0 ? 0.0 : 1.0 / kept;
    return kept > 0 ? 1.0 / job.shots : platform::quiet_nan();
}

/// Says once per row what was kept.
template <class Real>
PHL_HD void report_row(const Job<Real>& job, u32 row, double kept) {
    if (job.results.kept_fractions != nullptr) job.results.kept_fractions[row] = kept;
    if (job.shots > 0 && kept == 0) job.results.statuses[row] = job.results.nothing_kept;
}

/// Numbers per row that publish() takes care of: a row without outputs still has what was kept.
template <class Real>
PHL_HD u64 published(const Job<Real>& job) {
    return job.readout.outputs > 0 ? job.readout.outputs : 1;
}

template <class Real>
PHL_HD void publish(const Job<Real>& job, u64 first, u64 stride) {
    const bool single = job.readout.gather == Gather::States;
    const u32 rows = job.sweep.rows;
    for (Pairs at(first, stride, rows); at.state < published(job); at.next()) {
        const double kept = kept_fraction(job, at.row);
        if (at.state == 0) report_row(job, at.row, kept);
        if (job.readout.outputs == 0) continue;
        const u64 index = at.state * rows + at.row;
        const double value = !single         ? job.totals[index]
                             : job.shots > 0 ? static_cast<double>(job.counts[index])
                                             : static_cast<double>(job.distribution.at(at.state, at.row));
        job.results.out[static_cast<i64>(at.row) * job.results.stride + static_cast<i64>(at.state)] =
            static_cast<Real>(value * output_scale(job, kept));
    }
}

template <class Real>
PHL_HD void run_task(const Job<Real>& job, const Task& task, u64 first, u64 stride) {
    switch (task.kind) {
        case TaskKind::Level:
            return run_level(job.sweep, task.photons, first, stride);
        case TaskKind::Store:
            return store_distribution(job, task.tile(), first, stride);
        case TaskKind::Occupy:
            return occupy(job, task.tile(), first, stride);
        case TaskKind::Leaves:
            return sum_job_leaves(job, task.tile(), first, stride);
        case TaskKind::Branches:
            return sum_branches(job.masses, first, stride);
        case TaskKind::RunUp:
            return run_up_branches(job.masses, first, stride);
        case TaskKind::ClearCounts:
            return clear_counts(job, first, stride);
        case TaskKind::Draw:
            return draw_shots(job.masses, detail::StoredMass<Real>{job.distribution, 0}, job.seed,
                              *job.next_id + job.first_row, job.shots, Draws{job.counts, job.results.states}, first,
                              stride);
        case TaskKind::Parts:
            return sum_job_parts(job, task.tile(), first, stride);
        case TaskKind::Totals:
            return add_parts(job.readout, job.sweep.rows, job.partial, job.totals, first, stride);
        case TaskKind::Publish:
            return publish(job, first, stride);
    }
}

namespace detail {

/// Skips what `skipped` rows of `row_size` elements each take; arrays that a job does not need are null.
template <class T>
PHL_HD void skip(T*& array, u64 skipped, u64 row_size) {
    if (array != nullptr) array += skipped * row_size;
}

template <class Real>
PHL_HD void skip_rows(Sweep<Real>& sweep, u64 skipped) {
    const u64 reals = sweep.interference ? 2 : 1;  // per value
    Real* weights = static_cast<Real*>(sweep.weights);
    skip(weights, skipped, reals * sweep.columns * sweep.modes);
    sweep.weights = weights;
    skip(sweep.real_column, skipped, sweep.modes);
    for (u32 buffer = 0; buffer < 2; ++buffer) {
        Real* values = static_cast<Real*>(sweep.values[buffer]);
        skip(values, skipped, reals * sweep.most_states[buffer]);
        sweep.values[buffer] = values;
    }
}

}  // namespace detail

/// The job of rows first_row to first_row + rows - 1 of a tile, with their share of its scratch; occupations are
/// everybody's, so that jobs with TaskKind::Occupy are for groups that share every task.
template <class Real>
PHL_HD Job<Real> slice(Job<Real> job, u32 first_row, u32 rows) {
    detail::skip_rows(job.sweep, first_row);
    job.sweep.rows = rows;
    job.first_row += first_row;
    detail::skip(job.masses.leaves, first_row, Masses::leaf_count(job.masses.values));
    detail::skip(job.masses.branches, first_row, Masses::branch_count(job.masses.values));
    job.masses.rows = rows;
    detail::skip(job.counts, first_row, job.readout.states);
    detail::skip(job.partial, first_row, u64{job.readout.outputs} * job.readout.parts);
    detail::skip(job.totals, first_row, job.readout.outputs);
    job.results.out += static_cast<i64>(first_row) * job.results.stride;
    detail::skip(job.results.kept_fractions, first_row, 1);
    detail::skip(job.results.statuses, first_row, 1);
    detail::skip(job.results.states, first_row, job.shots);
    detail::skip(job.distribution.values, first_row, job.readout.tile_states);
    if (job.stored_in_results)
        job.distribution = {job.results.out, 1, job.results.stride};
    else
        job.distribution = {job.distribution.values, static_cast<i64>(rows), 1};
    return job;
}

/// How many threads find something to do in a task.
template <class Real>
PHL_HD u64 task_items(const Job<Real>& job, const Task& task) {
    const u64 rows = job.sweep.rows;
    switch (task.kind) {
        case TaskKind::Level:
        case TaskKind::Store:
            return task.states * rows;
        case TaskKind::Occupy:
            return task.states;
        case TaskKind::ClearCounts:
            return job.readout.states * rows;
        case TaskKind::Leaves:
            return Masses::leaf_count(task.states) * rows;
        case TaskKind::Branches:
            return Masses::branch_count(job.masses.values) * rows;
        case TaskKind::RunUp:
            return rows;
        case TaskKind::Draw:
            return (u64{job.shots} + 1) / 2 * rows;
        case TaskKind::Parts:
            return u64{job.readout.outputs} * job.readout.parts * rows;
        case TaskKind::Totals:
            return job.readout.outputs * rows;
        case TaskKind::Publish:
            return published(job) * rows;
    }
    return rows;
}

/// All tasks by one group.
template <class Group, class Real>
PHL_HD void run_tasks(const Group& group, const Job<Real>& job, const Task* tasks, u32 count) {
    for (u32 t = 0; t < count; ++t) {
        run_task(job, tasks[t], group.rank(), group.size());
        group.sync();
    }
}

}  // namespace photonlink::optics::gpu
