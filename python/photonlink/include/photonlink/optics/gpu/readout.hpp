// From a distribution to what a datapoint returns, each output a sum over its states. Sums are cut into parts by the
// program alone, each part is summed in ascending order of states, by one thread per tile of states, and the parts in
// ascending order: no result depends on the batch, on the tiles or on the launch. Portable; see readout.hpp one folder
// up for the CPU's.
#pragma once

#include "photonlink/optics/gpu/closed_forms.hpp"

namespace photonlink::optics::gpu {

/// Which states an output sums up.
enum class Gather : u8 {
    States,      // one each: nothing to sum up
    LexGroups,   // `bucket` consecutive ones
    ModGroups,   // every outputs-th
    Lists,       // those of a list, in ascending order
    Occupation,  // all of them, by the photons in the output's modes
};

struct Readout {
    Gather gather;
    bool clicks;  // of Gather::Occupation: whether there are photons, not how many
    u32 outputs;
    u32 parts;  // of each output's sum
    u64 states;
    u64 tile_states;  // whose probabilities and occupations are in memory at a time
    u64 bucket;
    const u32* list_begin;     // outputs + 1 entries
    const u32* list;           // states
    const u8* occupation;      // [mode][state of the tile]
    const OutputModes* modes;  // per output, also of closed forms
};

/// What state `place` of the tile counts in an output of Gather::Occupation.
PHL_HD double occupation_of(const Readout& readout, u32 mode, u64 place) {
    const u32 photons = readout.occupation[mode * readout.tile_states + place];
    return readout.clicks ? (photons != 0 ? 1.0 : 0.0) : photons;
}

PHL_HD double state_factor(const Readout& readout, const OutputModes& modes, u64 place) {
    const double factor = occupation_of(readout, modes.first, place);
    return modes.second == kNoMode ? factor : factor * occupation_of(readout, modes.second, place);
}

/// States first, first + step.. below end.
struct Stretch {
    u64 first;
    u64 step;
    u64 end;
};

/// What of part `part` of the states of `output` lies in the tile; only Gather::Occupation has more than one tile.
/// Neighbouring parts, or of ModGroups outputs, take neighbouring states.
PHL_HD Stretch stretch_of(const Readout& readout, u32 output, u32 part, const StateTile& tile) {
    switch (readout.gather) {
        case Gather::LexGroups: {
            const u64 begin = output * readout.bucket, end = begin + readout.bucket;
            return {begin + part, readout.parts, end < readout.states ? end : readout.states};
        }
        case Gather::ModGroups:
            return {output + u64{part} * readout.outputs, u64{readout.parts} * readout.outputs, readout.states};
        case Gather::Lists:
            return {readout.list_begin[output], 1, readout.list_begin[output + 1]};
        default: {
            const u64 before = tile.first % readout.parts;  // parts that have had their turn
            const u64 wait = part >= before ? part - before : part + readout.parts - before;
            return {tile.first + wait, readout.parts, tile.first + tile.states};
        }
    }
}

/// One part, from what earlier tiles made of it on: `mass(state)` is a state's probability, or how often it was drawn.
template <class Mass>
PHL_HD double sum_part(const Readout& readout, u32 output, u32 part, const StateTile& tile, double sum,
                       const Mass& mass) {
    const Stretch stretch = stretch_of(readout, output, part, tile);
    for (u64 s = stretch.first; s < stretch.end; s += stretch.step) {
        const u64 state = readout.gather == Gather::Lists ? readout.list[s] : s;
        const double value = mass(state);
        sum += readout.gather == Gather::Occupation
                   ? value * state_factor(readout, readout.modes[output], state - tile.first)
                   : value;
    }
    return sum;
}

/// All parts of a tile into `partial`, [output][part][row], where those of the tiles before it are; `mass(state, row)`.
template <class Mass>
PHL_HD void sum_parts(const Readout& readout, u32 rows, double* partial, const StateTile& tile, const Mass& mass,
                      u64 first, u64 stride) {
    const u64 sums = u64{readout.outputs} * readout.parts;
    const bool outputs_innermost = readout.gather == Gather::ModGroups;
    for (Pairs at(first, stride, rows); at.state < sums; at.next()) {
        const u32 output = static_cast<u32>(outputs_innermost ? at.state % readout.outputs : at.state / readout.parts);
        const u32 part = static_cast<u32>(outputs_innermost ? at.state / readout.outputs : at.state % readout.parts);
        const u32 row = at.row;
        double& sum = partial[(u64{output} * readout.parts + part) * rows + row];
        sum = sum_part(readout, output, part, tile, tile.first == 0 ? 0.0 : sum,
                       [&](u64 state) { return static_cast<double>(mass(state, row)); });
    }
}

/// The parts of each output, into `totals`, [output][row].
PHL_HD void add_parts(const Readout& readout, u32 rows, const double* partial, double* totals, u64 first, u64 stride) {
    for (Pairs at(first, stride, rows); at.state < readout.outputs; at.next()) {
        const double* const parts = partial + at.state * readout.parts * rows + at.row;
        double sum = 0;
        for (u32 part = 0; part < readout.parts; ++part) sum += parts[u64{part} * rows];
        totals[at.state * rows + at.row] = sum;
    }
}

}  // namespace photonlink::optics::gpu
