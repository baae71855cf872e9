// How derivatives of a program are computed on a GPU: which levels are kept, the tasks, the tables and the memory of
// all. Host code; knows nothing of CUDA.
#pragma once

#include <vector>

#include "photonlink/optics/gpu/child_tables.hpp"
#include "photonlink/optics/gpu/plan.hpp"
#include "photonlink/optics/gpu/vjp.hpp"

namespace photonlink::optics::gpu {

/// Of a noiseless program with a readout other than samples, that check_gpu_program() has let pass.
struct VjpPlan {
    /// `kept`: photon numbers whose amplitudes are kept, at most levels(); the others are computed again.
    VjpPlan(const ProgramSpec& program, Precision precision, u32 kept);

    /// Up to `rows` rows at a time in `bytes`, the simulation's tables aside. Levels are given up only where few rows
    /// would fit with them. Throws ProgramError where not even one row fits without.
    static VjpPlan within(const ProgramSpec& program, Precision precision, u32 rows, u64 bytes);

    /// Photon numbers whose amplitudes the way back needs; 0 for closed forms.
    static u32 levels(const ProgramSpec& program);

    /// Bytes of the tables that the way back has beyond those of a simulation, and of a row's share of the scratch,
    /// its phases included. Saturate.
    u64 table_bytes() const;
    u64 row_bytes() const;

    const ProgramSpec* spec;
    Precision precision;
    bool closed_form;
    u32 kept_levels;
    u32 rows = 1;                // at a time
    u64 value_states = 0;        // VjpJob::values, per row
    std::vector<VjpTask> tasks;  // none for closed forms

    u64 real_bytes() const { return precision == Precision::Float32 ? sizeof(float) : sizeof(double); }
    u64 part_bytes() const;  // VjpJob::parts, per row
    u32 most_rows(u64 bytes) const;
};

/// Which output each state adds to, where outputs have lists of states; else nothing.
std::vector<u32> state_outputs(const ProgramSpec& spec, const Readout& readout);

/// The network's scratch for `rows` rows; phases and where their derivatives go are for each tile to fill in.
template <class Memory>
VjpNetwork take_vjp_network(const Circuit& circuit, u32 rows, Memory& memory) {
    const u64 numbers = (circuit.layers + u64{1}) * circuit.elements() * rows;
    VjpNetwork network{};
    network.circuit = circuit;
    network.rows = rows;
    network.stages = memory.template take<Complex64>(numbers);
    network.adjoints = memory.template take<Complex64>(numbers);
    return network;
}

/// A job for tiles of up to `rows` rows; cotangents and the number of rows are for each tile to fill in. `levels` and
/// `readout` are those of the simulation.
template <class Real, class Memory>
VjpJob<Real> take_vjp_job(const VjpPlan& plan, const LevelTable* levels, const Readout& readout, u32 rows,
                          Memory& memory) {
    const ProgramSpec& spec = *plan.spec;
    VjpJob<Real> job{};
    job.readout.readout = readout;
    job.readout.pairs = spec.readout.kind == ReadoutKind::Correlators;
    job.sweep.interference = spec.interference;
    if (plan.closed_form) return job;
    job.readout.last = levels + spec.photons();
    const PhotonOrder order(InputColumns(spec).occupation);
    const u64 reals = spec.interference ? 2 : 1, columns = occupied_modes(spec), modes = spec.modes;
    job.children =
        upload_children(ChildTables(*SlosTables::shared(spec.readout.space, spec.modes, spec.photons())), memory);
    job.value_states = plan.value_states;
    job.values = memory.template take<Real>(reals * plan.value_states * rows);
    job.part_bytes = plan.part_bytes();
    job.parts = memory.template take<double>(job.part_bytes / sizeof(double) * rows);
    job.segments = memory.template take<double>(kSegments * reals * modes * rows);
    job.column_sums = memory.template take<double>(columns * reals * modes * rows);
    job.sweep = {levels,
                 upload_all(memory, order.column),
                 spec.modes,
                 static_cast<u32>(columns),
                 spec.photons(),
                 rows,
                 spec.interference,
                 order.scale,
                 memory.template take<Real>(reals * columns * modes * rows),
                 memory.template take<Real>(modes * rows),
                 {job.values, job.values},  // the vacuum is the first of the levels kept
                 {0, 0}};
    job.readout.output_of = upload_all(memory, state_outputs(spec, readout));
    job.readout.renormalised = spec.readout.space != Space::Fock;
    job.readout.least_kept = least_kept<Real>(spec, readout.states);
    job.readout.moments = memory.template take<double>(u64{2} * rows);
    return job;
}

/// All of it. Phases, cotangents and results are for each batch to fill in.
template <class Real, class Memory>
Vjp<Real> take_vjp(const VjpPlan& plan, const Circuit& circuit, const LevelTable* levels, const Readout& readout,
                   u32 rows, Memory& memory) {
    Vjp<Real> vjp{};
    vjp.network = take_vjp_network(circuit, rows, memory);
    vjp.job = take_vjp_job<Real>(plan, levels, readout, rows, memory);
    vjp.tasks = upload_all(memory, plan.tasks);
    vjp.task_count = static_cast<u32>(plan.tasks.size());
    vjp.closed_form = plan.closed_form;
    vjp.input_modes = upload_all(memory, InputColumns(*plan.spec).modes);
    return vjp;
}

}  // namespace photonlink::optics::gpu
