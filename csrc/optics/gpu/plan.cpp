#include "photonlink/optics/gpu/plan.hpp"

#include <algorithm>

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/closed_forms.hpp"
#include "photonlink/optics/noise_simulator.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics::gpu {
namespace {

constexpr u64 kStatesPerPart = 64;
constexpr u64 kMostParts = 4096;      // one thread adds up an output's parts
constexpr u64 kMostSums = 64 * 1024;  // parts of all outputs: enough for every thread of a GPU

u32 parts_of(u64 outputs, u64 states_per_output) {
    const u64 wanted = (states_per_output + kStatesPerPart - 1) / kStatesPerPart;
    const u64 most = std::min(kMostParts, std::max<u64>(1, kMostSums / outputs));
    return static_cast<u32>(std::clamp<u64>(wanted, 1, most));
}

Gather gather_of(const ReadoutSpec& readout) {
    switch (readout.kind) {
        case ReadoutKind::Probabilities:
            if (readout.grouping == Grouping::None) return Gather::States;
            return readout.grouping == Grouping::Lex ? Gather::LexGroups : Gather::ModGroups;
        case ReadoutKind::Samples:
            return Gather::States;  // without outputs
        case ReadoutKind::ClickPatterns:
            return readout.space == Space::Fock ? Gather::Lists : Gather::States;
        default:
            return Gather::Occupation;
    }
}

u64 sum_of(std::initializer_list<u64> terms) {
    u64 sum = 0;
    for (const u64 term : terms) sum = saturating_add(sum, term);
    return sum;
}

}  // namespace

void check_noiseless(const ProgramSpec& spec) {
    check_spec(spec);
    if (is_noisy(spec))
        throw ProgramError(
            "the GPU simulator executes programs without noise, and this one has some; use target 'sim'");
}

void check_gpu_program(const ProgramSpec& spec, u32 shots) {
    check_noiseless(spec);
    if (shots == 0 && spec.readout.kind == ReadoutKind::Samples)
        throw ProgramError("a samples readout has no exact result; ask for shots");
    if (shots == 0 && has_closed_form(spec)) return;
    check_numbered(spec);
}

Plan::Plan(const ProgramSpec& program, Precision real, u32 kept_samples, u64 most_states)
    : spec(&program),
      precision(real),
      shots(kept_samples),
      closed_form(kept_samples == 0 && has_closed_form(program)),
      post_selected(program.readout.space != Space::Fock),
      counted(kept_samples > 0 && program.readout.kind != ReadoutKind::Samples),
      states(state_count(program.readout.space, program.modes, program.photons())) {
    plan_readout(most_states);
    if (!closed_form) plan_tasks();
}

void Plan::plan_readout(u64 most_states) {
    readout.gather = gather_of(spec->readout);
    readout.clicks = spec->readout.kind == ReadoutKind::ClickProbabilities;
    readout.outputs = static_cast<u32>(output_size(*spec));
    readout.states = states;
    readout.bucket = (states + readout.outputs - 1) / std::max<u64>(readout.outputs, 1);
    readout.tile_states = readout.gather == Gather::Occupation && shots == 0 ? std::min(states, most_states) : states;
    readout.parts = closed_form || readout.gather == Gather::States ? 0 : 1;
    if (readout.gather == Gather::LexGroups || readout.gather == Gather::ModGroups)
        readout.parts = parts_of(readout.outputs, readout.bucket);
    if (readout.gather == Gather::Occupation && !closed_form) readout.parts = parts_of(readout.outputs, states);
}

void Plan::add(TaskKind kind, StateTile tile) {
    tasks.push_back({kind, 0, static_cast<u32>(tile.first), static_cast<u32>(tile.states)});
}

/// What becomes of the last level where its probabilities are stored only to be summed up.
void Plan::add_tiles() {
    for (u64 first = 0; first < states; first += readout.tile_states) {
        const StateTile tile{first, std::min(readout.tile_states, states - first)};
        add(TaskKind::Store, tile);
        if (tiled()) add(TaskKind::Occupy, tile);
        if (weighed) add(TaskKind::Leaves, tile);
        add(TaskKind::Parts, tile);
    }
}

/// What becomes of the leaves.
void Plan::add_sums() {
    add(TaskKind::Branches);
    add(TaskKind::RunUp);
}

void Plan::plan_tasks() {
    const bool single = readout.gather == Gather::States;
    for (u32 k = 1; k < spec->photons(); ++k)
        tasks.push_back({TaskKind::Level, k, 0, static_cast<u32>(state_count(spec->readout.space, spec->modes, k))});
    stored_in_results = single && shots == 0;
    stored = shots > 0 || readout.gather == Gather::Occupation;
    source = shots > 0 ? Source::Counts : stored ? Source::Distribution : Source::Sweep;
    sum_totals = !stored && !single;
    weighed = post_selected || shots > 0;
    const StateTile all{0, states};
    if (source == Source::Distribution) {
        add_tiles();
    } else {
        if (stored || stored_in_results) add(TaskKind::Store, all);
        if (weighed && !sum_totals) add(TaskKind::Leaves, all);
    }
    if (weighed && !sum_totals) add_sums();
    if (counted) add(TaskKind::ClearCounts);
    if (shots > 0) add(TaskKind::Draw);
    if (!single && source != Source::Distribution) add(TaskKind::Parts, all);
    if (!single) add(TaskKind::Totals);
    if (weighed && sum_totals) {
        add(TaskKind::Leaves, {0, readout.outputs});
        add_sums();
    }
    if (!single || weighed) add(TaskKind::Publish);
}

u64 Plan::masses() const { return !weighed ? 0 : sum_totals ? readout.outputs : states; }

u64 Plan::occupation_bytes() const { return saturating_mul(readout.tile_states, spec->modes); }

u64 Plan::readout_bytes() const {
    if (readout.gather == Gather::Lists)
        return saturating_add(saturating_mul(states, sizeof(u32)), (readout.outputs + u64{1}) * sizeof(u32));
    if (readout.gather != Gather::Occupation) return 0;
    return saturating_add(readout.outputs * sizeof(OutputModes), closed_form ? 0 : occupation_bytes());
}

u64 Plan::table_bytes() const {
    const u64 modes = spec->modes, matrices = spec->interferometers.size();
    const u64 circuit = matrices * modes * modes * sizeof(Complex64) +
                        (matrices * modes + spec->phases.size() + 2 * modes + 1) * sizeof(u32);
    if (closed_form) return saturating_add(circuit, readout_bytes());
    return sum_of(
        {circuit, readout_bytes(), SlosTables::predict_bytes(spec->readout.space, spec->modes, spec->photons()),
         predict_level_bytes(spec->readout.space, spec->modes, spec->photons()), tasks.size() * sizeof(Task)});
}

u64 Plan::row_bytes() const {
    const u64 real = precision == Precision::Float32 ? sizeof(float) : sizeof(double);
    const u64 elements = u64{spec->modes} * occupied_modes(*spec);
    const u64 composing = spec->phases.size() * sizeof(double) + 2 * elements * sizeof(Complex64) + sizeof(u32);
    if (closed_form) return composing;
    const u64 value = spec->interference ? 2 * real : real;
    const u64 levels = saturating_add(level_buffer_states(*spec, 0), level_buffer_states(*spec, 1));
    const u64 sums =
        readout.parts == 0 ? 0 : saturating_mul(readout.outputs, (readout.parts + u64{1}) * sizeof(double));
    return sum_of({composing, saturating_mul(levels, value), elements * value, spec->modes * real,
                   (Masses::leaf_count(masses()) + Masses::branch_count(masses())) * sizeof(double),
                   stored ? saturating_mul(readout.tile_states, real) : 0,
                   counted ? saturating_mul(states, sizeof(u32)) : 0, sums});
}

CircuitTables::CircuitTables(const ProgramSpec& spec) : inputs(spec) {
    for (u32 i = 0; i < spec.modes; ++i)
        for (const u32 mode : inputs.modes) {
            const Complex element = spec.interferometers[0][std::size_t{i} * spec.modes + mode];
            first.push_back({element.real(), element.imag()});
        }
    for (std::size_t layer = 1; layer < spec.interferometers.size(); ++layer)
        for (const Complex element : spec.interferometers[layer]) matrices.push_back({element.real(), element.imag()});
    site_begin.push_back(0);
    for (u32 layer = 0; layer + 1 < spec.interferometers.size(); ++layer)
        for (u32 mode = 0; mode < spec.modes; ++mode) {
            for (u32 phase = 0; phase < spec.phases.size(); ++phase)
                if (spec.phases[phase].layer == layer && spec.phases[phase].mode == mode) site_phase.push_back(phase);
            site_begin.push_back(static_cast<u32>(site_phase.size()));
        }
}

namespace {

std::vector<OutputModes> output_modes(const ProgramSpec& spec) {
    std::vector<OutputModes> modes;
    for (u32 i = 0; i < spec.modes; ++i) {
        if (spec.readout.kind != ReadoutKind::Correlators) modes.push_back({i, kNoMode});
        for (u32 j = i + 1; spec.readout.kind == ReadoutKind::Correlators && j < spec.modes; ++j)
            modes.push_back({i, j});
    }
    return modes;
}

}  // namespace

ReadoutTables::ReadoutTables(const ProgramSpec& spec, const Readout& readout) {
    if (readout.gather == Gather::Occupation) modes = output_modes(spec);
    const bool lists = readout.gather == Gather::Lists;
    const bool occupied =
        readout.gather == Gather::Occupation && readout.tile_states == readout.states && readout.parts > 0;
    if (!lists && !occupied) return;
    std::vector<u32> pattern;
    if (occupied) occupation.resize(readout.states * spec.modes);
    u64 index = 0;
    walk_prefixes(spec.readout.space, spec.modes, spec.photons(), spec.modes, [&](const u8* state, u32) {
        if (lists) pattern.push_back(static_cast<u32>(click_pattern_rank(spec.modes, spec.photons(), state)));
        for (u32 mode = 0; occupied && mode < spec.modes; ++mode)
            occupation[mode * readout.states + index] = state[mode];
        ++index;
    });
    if (!lists) return;
    list_begin.assign(readout.outputs + 1u, 0);
    for (const u32 output : pattern) ++list_begin[output + 1u];
    for (u32 output = 0; output < readout.outputs; ++output) list_begin[output + 1u] += list_begin[output];
    list.resize(pattern.size());
    std::vector<u32> next(list_begin.begin(), list_begin.end() - 1);
    for (u32 state = 0; state < pattern.size(); ++state) list[next[pattern[state]]++] = state;
}

}  // namespace photonlink::optics::gpu
