// How a program runs on a GPU: its tasks, its tables, and the memory of both. Host code; knows nothing of CUDA.
#pragma once

#include <string>
#include <vector>

#include "photonlink/optics/circuit_sites.hpp"
#include "photonlink/optics/gpu/job.hpp"
#include "photonlink/optics/gpu/tables.hpp"
#include "photonlink/optics/photon_order.hpp"
#include "photonlink/optics/program.hpp"

namespace photonlink::optics::gpu {

/// Probabilities that are kept at a time where nobody wants them all: they stay in the second-level cache. Estimated.
inline constexpr u64 kTileStates = u64{1} << 18;

/// Of a program without noise of its sources, which check_gpu_program() has let pass.
struct Plan {
    /// `most_states`: of a tile of states, a multiple of kLeaf.
    Plan(const ProgramSpec& program, Precision precision, u32 shots, u64 most_states = kTileStates);

    /// True if the states of the last level may come in more than one tile, and if they do.
    bool divisible() const { return source == Source::Distribution; }
    bool tiled() const { return divisible() && readout.tile_states < states; }

    /// Bytes of everything that rows share, and of a row's share of the scratch. Saturate.
    u64 table_bytes() const;
    u64 row_bytes() const;
    /// Bytes of the occupations of a tile, or of all states.
    u64 occupation_bytes() const;
    /// Numbers that the masses sum up.
    u64 masses() const;

    const ProgramSpec* spec;
    Precision precision;
    u32 shots;
    bool closed_form;
    bool post_selected;
    bool stored_in_results = false;
    bool stored = false;   // a distribution in memory of its own
    bool weighed = false;  // masses are summed up
    bool counted;          // how often each state was drawn
    bool sum_totals = false;
    Source source = Source::Sweep;
    u64 states;
    Readout readout{};  // without its arrays
    std::vector<Task> tasks;

  private:
    void plan_readout(u64 most_states);
    void plan_tasks();
    void add(TaskKind kind, StateTile tile = {0, 0});
    void add_tiles();
    void add_sums();
    u64 readout_bytes() const;
};

/// Throws ProgramError unless check_spec() lets the program pass and it is without noise.
void check_noiseless(const ProgramSpec& spec);

/// Throws ProgramError for what only other targets simulate by its distribution, or a closed form.
void check_gpu_program(const ProgramSpec& spec, u32 shots);

/// The arrays of a readout, before they are uploaded.
struct ReadoutTables {
    ReadoutTables(const ProgramSpec& spec, const Readout& readout);

    std::vector<u32> list_begin;
    std::vector<u32> list;
    std::vector<u8> occupation;
    std::vector<OutputModes> modes;
};

/// The numbers of a circuit, before they are uploaded.
struct CircuitTables {
    explicit CircuitTables(const ProgramSpec& spec);

    InputColumns inputs;
    std::vector<Complex64> first;
    std::vector<Complex64> matrices;
    std::vector<u32> site_begin;
    std::vector<u32> site_phase;
};

template <class Memory, class T>
const T* upload_all(Memory& memory, const std::vector<T>& values) {
    return memory.upload(values.data(), values.size());
}

template <class Memory>
Circuit upload_circuit(const ProgramSpec& spec, Memory& memory) {
    const CircuitTables tables(spec);
    return {spec.modes,
            static_cast<u32>(tables.inputs.modes.size()),
            static_cast<u32>(spec.interferometers.size()) - 1,
            static_cast<u32>(spec.phases.size()),
            upload_all(memory, tables.first),
            upload_all(memory, tables.matrices),
            upload_all(memory, tables.site_begin),
            upload_all(memory, tables.site_phase),
            upload_all(memory, tables.inputs.occupation)};
}

template <class Memory>
Readout upload_readout(const Plan& plan, Memory& memory) {
    const ReadoutTables tables(*plan.spec, plan.readout);
    Readout readout = plan.readout;
    readout.list_begin = upload_all(memory, tables.list_begin);
    readout.list = upload_all(memory, tables.list);
    readout.occupation = upload_all(memory, tables.occupation);
    readout.modes = upload_all(memory, tables.modes);
    return readout;
}

/// Scratch for `rows` rows.
template <class Real, class Memory>
Sweep<Real> take_sweep(const ProgramSpec& spec, const LevelTable* levels, u32 rows, Memory& memory) {
    const PhotonOrder order(InputColumns(spec).occupation);
    const u32 columns = occupied_modes(spec);
    Sweep<Real> sweep{};
    sweep.levels = levels;
    sweep.photon_column = upload_all(memory, order.column);
    sweep.modes = spec.modes;
    sweep.columns = columns;
    sweep.photons = spec.photons();
    sweep.rows = rows;
    sweep.interference = spec.interference;
    sweep.scale = order.scale;
    const u64 reals = spec.interference ? 2 : 1;
    sweep.weights = memory.template take<Real>(reals * columns * spec.modes * rows);
    sweep.real_column = memory.template take<Real>(u64{spec.modes} * rows);
    for (u32 buffer = 0; buffer < 2; ++buffer) {
        sweep.most_states[buffer] = level_buffer_states(spec, buffer);
        sweep.values[buffer] = memory.template take<Real>(reals * sweep.most_states[buffer] * rows);
    }
    return sweep;
}

/// Probability of a space of so many states that rounding alone may produce.
template <class Real>
double least_kept(const ProgramSpec& spec, u64 states) {
    const double noise = spec.photons() * (sizeof(Real) == sizeof(float) ? 0x1p-23 : 0x1p-52);
    return static_cast<double>(states) * noise * noise;
}

/// A job for tiles of up to `rows` rows; results, ids and the number of rows are for each tile to fill in.
template <class Real, class Memory>
Job<Real> take_job(const Plan& plan, u32 rows, Memory& memory) {
    const ProgramSpec& spec = *plan.spec;
    Job<Real> job{};
    job.readout = upload_readout(plan, memory);
    job.shots = plan.shots;
    job.post_selected = plan.post_selected;
    job.sweep.interference = spec.interference;
    if (plan.closed_form) return job;
    const auto tables = SlosTables::shared(spec.readout.space, spec.modes, spec.photons());
    job.sweep = take_sweep<Real>(spec, upload_levels(*tables, memory), rows, memory);
    job.source = plan.source;
    job.sum_totals = plan.sum_totals;
    job.stored_in_results = plan.stored_in_results;
    job.least_kept = least_kept<Real>(spec, plan.states);
    job.masses.values = plan.masses();
    job.masses.leaves = memory.template take<double>(Masses::leaf_count(job.masses.values) * rows);
    job.masses.branches = memory.template take<double>(Masses::branch_count(job.masses.values) * rows);
    if (plan.stored) job.distribution.values = memory.template take<Real>(plan.readout.tile_states * rows);
    if (plan.tiled()) job.readout.occupation = job.occupied = memory.template take<u8>(plan.occupation_bytes());
    if (plan.counted) job.counts = memory.template take<u32>(plan.states * rows);
    job.partial = memory.template take<double>(u64{plan.readout.outputs} * plan.readout.parts * rows);
    if (plan.readout.parts > 0) job.totals = memory.template take<double>(u64{plan.readout.outputs} * rows);
    return job;
}

}  // namespace photonlink::optics::gpu
