// The way of a tile of rows from composed columns to the last level's amplitudes and from cotangents back to the
// columns, as a list of tasks that any number of threads share; between two tasks there is a barrier, or the end of a
// launch. Portable.
#pragma once

#include "photonlink/optics/gpu/vjp_readout.hpp"

namespace photonlink::optics::gpu {

enum class VjpTaskKind : u8 {
    Clear,        // all sums
    Level,        // amplitudes of `level` at `to` from those of the level below at `from`
    Moments,      // of the distribution at `from`, in parts
    SumMoments,   // their segments
    AddMoments,   // the moments
    BackReadout,  // the last level's amplitudes at `to` become derivatives
    BackLevel,    // derivatives of the level below `level` at `to` from those of `level` at `from`
    Column,       // derivatives of the column of `level`, from amplitudes of the level below at `to`, in parts
    SumColumn,    // their segments
    AddColumn,    // the columns
};

/// Places count states from the beginning of VjpJob::values.
struct VjpTask {
    VjpTaskKind kind;
    u32 level = 0;  // photons
    u64 from = 0;
    u64 to = 0;
    u64 items = 0;  // per row: more threads have nothing to do
};

/// Everything that the tasks of a tile work on. Scratch is [..][row]: the share of `n` rows has n times the length of
/// one row's.
template <class Real>
struct VjpJob {
    Sweep<Real> sweep;           // its values are not used, but for the vacuum that load_columns() stores
    const LevelTable* children;  // by photon number of the children; the first is not used
    VjpReadout<Real> readout;
    u64 value_states;     // of values, per row
    void* values;         // amplitudes and derivatives of levels: Pair<Real>, or Real without interference
    u64 part_bytes;       // of parts, per row
    void* parts;          // of a sum over states
    double* segments;     // of the same sum
    double* column_sums;  // [column][mode][row]: Complex64, or double without interference

    PHL_HD u32 numbers() const { return sweep.interference ? 2 : 1; }
    /// Numbers that are summed for one photon's column.
    PHL_HD u32 column_numbers() const { return numbers() * sweep.modes * sweep.rows; }
};

namespace detail {

template <class Value>
PHL_HD Value* values_at(void* values, u64 state, u32 rows) {
    return static_cast<Value*>(values) + state * rows;
}

/// Calls step(arithmetic, column): a level's arithmetic, or on the way `back` that of the derivatives.
template <class Real, class Step>
PHL_HD void with_column(const Sweep<Real>& sweep, u32 photon, bool back, const Step& step) {
    if (!sweep.interference)
        step(Distinguishable<Real>(), sweep.is_real(photon) ? sweep.real_column : sweep.template column<Real>(photon));
    else if (sweep.is_real(photon))
        step(RealColumn<Real>(), static_cast<const Real*>(sweep.real_column));
    else if (back)
        step(ConjugateColumn<Real>(), sweep.template column<Pair<Real>>(photon));
    else
        step(ComplexColumn<Real>(), sweep.template column<Pair<Real>>(photon));
}

template <class Real>
PHL_HD void run_step(const VjpJob<Real>& job, const VjpTask& task, bool back, u64 first, u64 stride) {
    const LevelTable table = (back ? job.children : job.sweep.levels)[task.level];
    const u32 rows = job.sweep.rows;
    with_column(job.sweep, task.level - 1, back, [&](auto arithmetic, const auto* column) {
        using Arithmetic = decltype(arithmetic);
        using Value = typename Arithmetic::Value;
        step_level<Arithmetic>(table, column, values_at<Value>(job.values, task.from, rows),
                               values_at<Value>(job.values, task.to, rows), rows, first, stride);
    });
}

template <class Real>
PHL_HD void run_moments(const VjpJob<Real>& job, const VjpTask& task, u64 first, u64 stride) {
    const Sweep<Real>& sweep = job.sweep;
    const u32 rows = sweep.rows;
    double* const parts = static_cast<double*>(job.parts);
    if (sweep.interference) {
        const LevelTable last = sweep.levels[sweep.photons];
        const auto* const amplitudes = values_at<Pair<Real>>(job.values, task.from, rows);
        const auto mass = [&](u64 state, u32 row) {
            const double weight = factorials(last, locate(last, static_cast<u32>(state))) * sweep.scale;
            return RealColumn<Real>::probability(amplitudes[state * rows + row], weight);
        };
        sum_moments(job.readout, sweep.modes, rows, parts, mass, first, stride);
    } else {
        const auto* const probabilities = values_at<Real>(job.values, task.from, rows);
        const auto mass = [&](u64 state, u32 row) { return probabilities[state * rows + row]; };
        sum_moments(job.readout, sweep.modes, rows, parts, mass, first, stride);
    }
}

template <class Real, class Value>
PHL_HD void run_column(const VjpJob<Real>& job, const VjpTask& task, u64 first, u64 stride) {
    const u32 rows = job.sweep.rows;
    const ColumnParts<Value> at{job.children[task.level], job.sweep.modes, rows,
                                values_at<Value>(job.values, task.to, rows),
                                values_at<Value>(job.values, task.from, rows)};
    sum_column_parts(at, static_cast<Value*>(job.parts), first, stride);
}

}  // namespace detail

template <class Real>
PHL_HD void run_vjp_task(const VjpJob<Real>& job, const VjpTask& task, u64 first, u64 stride) {
    const Sweep<Real>& sweep = job.sweep;
    const u32 rows = sweep.rows, numbers = job.column_numbers();
    switch (task.kind) {
        case VjpTaskKind::Clear:
            for (u64 i = first; i < u64{numbers} * sweep.columns; i += stride) job.column_sums[i] = 0;
            for (u64 i = first; i < u64{2} * rows; i += stride) job.readout.moments[i] = 0;
            return;
        case VjpTaskKind::Level:
            return detail::run_step(job, task, false, first, stride);
        case VjpTaskKind::Moments:
            return detail::run_moments(job, task, first, stride);
        case VjpTaskKind::SumMoments:
            return sum_segments(static_cast<const double*>(job.parts), chunks_of(job.readout.readout.states), 2 * rows,
                                job.segments, first, stride);
        case VjpTaskKind::AddMoments:
            return add_segments(job.segments, 2 * rows, job.readout.moments, first, stride);
        case VjpTaskKind::BackReadout:
            if (sweep.interference)
                return pull_back_probabilities(job.readout, sweep,
                                               detail::values_at<Pair<Real>>(job.values, task.to, rows), first, stride);
            return pull_back_probabilities(job.readout, sweep, detail::values_at<Real>(job.values, task.to, rows),
                                           first, stride);
        case VjpTaskKind::BackLevel:
            return detail::run_step(job, task, true, first, stride);
        case VjpTaskKind::Column:
            if (sweep.interference) return detail::run_column<Real, Pair<Real>>(job, task, first, stride);
            return detail::run_column<Real, Real>(job, task, first, stride);
        case VjpTaskKind::SumColumn:
            return sum_segments(static_cast<const Real*>(job.parts), chunks_of(job.children[task.level].states),
                                numbers, job.segments, first, stride);
        case VjpTaskKind::AddColumn:
            return add_segments(job.segments, numbers,
                                job.column_sums + u64{sweep.photon_column[task.level - 1]} * numbers, first, stride);
    }
}

/// All tasks by one group.
template <class Group, class Real>
PHL_HD void run_vjp_tasks(const Group& group, const VjpJob<Real>& job, const VjpTask* tasks, u32 count) {
    for (u32 t = 0; t < count; ++t) {
        run_vjp_task(job, tasks[t], group.rank(), group.size());
        group.sync();
    }
}

}  // namespace photonlink::optics::gpu
