// A tile of rows from phases and cotangents to derivatives, in four steps with a barrier after each:
//   prepare_vjp_row()               every row: its stages, and what the tasks start from
//   run_vjp_task()                  every task, none for closed forms
//   finish_vjp_row()                every row: its derivatives with respect to phases
//   add_interferometer_gradients()  where they are asked for
// or by pull_back_rows(), where a group takes some rows through the first three. Results are the same bits. Portable.
#pragma once

#include "photonlink/optics/gpu/vjp_job.hpp"

namespace photonlink::optics::gpu {

template <class Real>
struct Vjp {
    VjpNetwork network;
    VjpJob<Real> job;
    const VjpTask* tasks;
    u32 task_count;
    bool closed_form;
    const u32* input_modes;      // of the circuit's columns
    Complex64* interferometers;  // layers + 1 times modes x modes sums over all rows of a batch, or null
};

/// `rows` rows from `first_row` of the batch on; scratch is used from its beginning.
template <class Real>
PHL_HD Vjp<Real> tile_of(Vjp<Real> batch, u64 first_row, u32 rows) {
    batch.network.phases += first_row * batch.network.circuit.phases;
    if (batch.network.phase_gradients != nullptr)
        batch.network.phase_gradients += first_row * batch.network.circuit.phases;
    batch.job.readout.cotangents += first_row * batch.job.readout.readout.outputs;
    batch.network.rows = rows;
    batch.job.sweep.rows = rows;
    return batch;
}

/// The same rows of a tile, with their share of its scratch.
template <class Real>
PHL_HD Vjp<Real> slice(const Vjp<Real>& tile, u32 first_row, u32 rows) {
    Vjp<Real> share = tile_of(tile, first_row, rows);
    const u64 stages = share.network.stage(first_row, 0);
    share.network.stages += stages;
    share.network.adjoints += stages;
    if (share.closed_form) return share;
    VjpJob<Real>& job = share.job;
    Sweep<Real>& sweep = job.sweep;
    const u64 skipped = first_row, line = u64{sweep.modes} * job.numbers();  // numbers per row and column
    sweep.weights = static_cast<Real*>(sweep.weights) + skipped * sweep.columns * line;
    sweep.real_column += skipped * sweep.modes;
    job.values = static_cast<Real*>(job.values) + skipped * job.value_states * job.numbers();
    sweep.values[0] = sweep.values[1] = job.values;
    job.parts = static_cast<u8*>(job.parts) + skipped * job.part_bytes;
    job.segments += skipped * kSegments * line;
    job.column_sums += skipped * sweep.columns * line;
    job.readout.moments += skipped * 2;
    return share;
}

namespace detail {

template <class Group, class Real>
PHL_HD void pull_back_closed_form(const Group& group, const Vjp<Real>& vjp, u32 row) {
    const Circuit& circuit = vjp.network.circuit;
    const RowMatrix matrix{circuit, vjp.network.composed(row), vjp.job.sweep.interference};
    const Readout& readout = vjp.job.readout.readout;
    const Real* const cotangents = vjp.job.readout.cotangents + u64{row} * readout.outputs;
    Complex64* const adjoint = vjp.network.composed_adjoint(row);
    for (u32 e = group.rank(); e < circuit.elements(); e += group.size())
        adjoint[e] = closed_form_gradient(matrix, readout.clicks, vjp.job.readout.pairs, cotangents,
                                          e / circuit.columns, e % circuit.columns);
    group.sync();
}

}  // namespace detail

template <class Group, class Real>
PHL_HD void prepare_vjp_row(const Group& group, const Vjp<Real>& vjp, u32 row) {
    propagate_row(group, vjp.network, row);
    if (vjp.closed_form)
        detail::pull_back_closed_form(group, vjp, row);
    else
        load_columns(group, vjp.job.sweep, vjp.network.composed(row), row);
}

template <class Group, class Real>
PHL_HD void finish_vjp_row(const Group& group, const Vjp<Real>& vjp, u32 row) {
    if (!vjp.closed_form)
        pull_back_columns(group, vjp.job.sweep, vjp.network.composed(row), vjp.job.column_sums, row,
                          vjp.network.composed_adjoint(row));
    pull_back_row(group, vjp.network, row);
}

/// Rows first_row to first_row + rows - 1 of a tile, by one group, but for the sums over rows.
template <class Group, class Real>
PHL_HD void pull_back_rows(const Group& group, const Vjp<Real>& tile, u32 first_row, u32 rows) {
    const Vjp<Real> share = slice(tile, first_row, rows);
    for (u32 row = 0; row < rows; ++row) prepare_vjp_row(group, share, row);
    group.sync();
    run_vjp_tasks(group, share.job, share.tasks, share.task_count);
    for (u32 row = 0; row < rows; ++row) finish_vjp_row(group, share, row);
}

}  // namespace photonlink::optics::gpu
