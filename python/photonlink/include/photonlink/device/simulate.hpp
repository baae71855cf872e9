// Datapoints on a simulated processor that shares the caller's GPU: features to results without a link. Portable; the
// arithmetic is that of optics/gpu.
#pragma once

#include "photonlink/device/encode.hpp"
#include "photonlink/optics/gpu/job.hpp"
#include "photonlink/wire/frame.hpp"

namespace photonlink::device {

/// What the host finds in mapped memory without asking the device.
struct SimulatorMailbox {
    Latch latch;
    alignas(kCacheLine) u64 executed;  // datapoints so far; the device writes it
};

/// One tile of a call, and all the memory that it touches.
template <class Real>
struct Simulation {
    EncodingView encoding;
    optics::gpu::Circuit circuit;
    optics::gpu::Job<Real> job;
    const optics::gpu::Task* tasks;
    u32 task_count;
    bool closed_form;
    u32 rows;
    double* phases;                    // [row][phase]
    optics::gpu::Complex64* composed;  // [row], twice a row's columns
    u32* caller_statuses;              // CallStatus of each row, or null
    Words* words;
    SimulatorMailbox* mailbox;
};

/// The features of a tile's rows.
template <class Feature>
struct Features {
    const Feature* values;
    i64 stride;  // elements from row to row
};

/// The share of rows first_row to first_row + rows - 1.
template <class Real>
PHL_HD Simulation<Real> slice(Simulation<Real> simulation, u32 first_row, u32 rows) {
    simulation.job = optics::gpu::slice(simulation.job, first_row, rows);
    simulation.rows = rows;
    simulation.phases += u64{first_row} * simulation.circuit.phases;
    simulation.composed += u64{first_row} * 2 * simulation.circuit.elements();
    return simulation;
}

namespace detail {

template <class Group, class Real>
PHL_HD void publish_closed_form(const Group& group, const Simulation<Real>& simulation,
                                const optics::gpu::Complex64* composed, u32 row) {
    const optics::gpu::Readout& readout = simulation.job.readout;
    const optics::gpu::RowMatrix matrix{simulation.circuit, composed, simulation.job.sweep.interference};
    Real* const out = simulation.job.results.out + static_cast<i64>(row) * simulation.job.results.stride;
    for (u32 output = group.rank(); output < readout.outputs; output += group.size())
        out[output] = static_cast<Real>(optics::gpu::closed_form(matrix, readout.modes[output], readout.clicks));
}

}  // namespace detail

/// Row `row` of the tile from its features to the columns of its sweep, or to its results if they have a closed form.
/// A row that cannot be executed becomes NaN throughout.
template <class Group, class Feature, class Real>
PHL_HD void prepare_row(const Group& group, const Simulation<Real>& simulation, const Features<Feature>& features,
                        u32 row) {
    const optics::gpu::Results<Real>& results = simulation.job.results;
    encode_rows(group, simulation.encoding, features.values, features.stride, simulation.phases, results.statuses,
                simulation.rows, row, simulation.rows);
    group.sync();
    const bool good = results.statuses[row] == static_cast<u32>(CallStatus::Ok);
    optics::gpu::Complex64* const composed = simulation.composed + u64{row} * 2 * simulation.circuit.elements();
    if (good)
        optics::gpu::compose_row(group, simulation.circuit, simulation.phases + u64{row} * simulation.circuit.phases,
                                 composed);
    else
        optics::gpu::poison_row(group, simulation.circuit, composed);
    if (group.leader() && results.kept_fractions != nullptr)
        results.kept_fractions[row] = good ? 1.0 : quiet_nan();  // post-selection finds out more
    if (simulation.closed_form)
        detail::publish_closed_form(group, simulation, composed, row);
    else
        optics::gpu::load_columns(group, simulation.job.sweep, composed, row);
    group.sync();
}

/// Everything that `rows` rows take, from their features to their results, by one group.
template <class Group, class Feature, class Real>
PHL_HD void simulate_rows(const Group& group, const Simulation<Real>& tile, const Features<Feature>& features,
                          u32 first_row, u32 rows) {
    const Simulation<Real> share = slice(tile, first_row, rows);
    const Features<Feature> own{features.values + static_cast<i64>(first_row) * features.stride, features.stride};
    for (u32 row = 0; row < rows; ++row) prepare_row(group, share, own, row);
    if (!share.closed_form) optics::gpu::run_tasks(group, share.job, share.tasks, share.task_count);
}

/// Hands out the statuses of a tile, by one group, once all else is done. `executed_rows`: of the whole call with its
/// last tile, else 0.
template <class Group, class Real>
PHL_HD void end_tile(const Group& group, const Simulation<Real>& simulation, u64 executed_rows) {
    for (u32 row = group.rank(); row < simulation.rows; row += group.size()) {
        const CallStatus status = static_cast<CallStatus>(simulation.job.results.statuses[row]);
        if (simulation.caller_statuses != nullptr) simulation.caller_statuses[row] = static_cast<u32>(status);
        if (status == CallStatus::Ok) continue;
        const i32 wire_status = status == CallStatus::Refused ? static_cast<i32>(wire::Status::ProcessorFailed) : 0;
        const u64 number = simulation.job.first_row + row;
        latch_failure(*simulation.words, &simulation.mailbox->latch,
                      Failure{status, wire_status, number, simulation.words->next_id + number, 0, 0});
    }
    group.sync();
    if (!group.leader() || executed_rows == 0) return;
    simulation.words->next_id += executed_rows;
    platform::store_relaxed_system(&simulation.mailbox->executed, simulation.words->next_id);
}

}  // namespace photonlink::device
