// From derivatives with respect to a readout's outputs to those with respect to the last level's amplitudes. Readouts
// of a distribution are linear maps, outside the full Fock space divided by the probability of the space. Portable.
#pragma once

#include "photonlink/optics/gpu/readout.hpp"
#include "photonlink/optics/gpu/vjp_closed_forms.hpp"
#include "photonlink/optics/gpu/vjp_sweep.hpp"

namespace photonlink::optics::gpu {

template <class Real>
struct VjpReadout {
    Readout readout;
    bool pairs;              // of Gather::Occupation and closed forms: correlators
    const LevelTable* last;  // level
    const u32* output_of;    // per state, of Gather::Lists
    const Real* cotangents;  // rows x outputs
    bool renormalised;
    double least_kept;  // a smaller probability of the space may be rounding alone
    double* moments;    // [2][row]: the space's probability, and the sum of probability * state_cotangent()
};

/// What a state adds to sum(cotangent * mode-wise output) per unit of its probability. Readouts that are not closed
/// forms ask which modes hold photons, not how many: those through which the state has parents.
template <class Real>
PHL_HD double occupation_cotangent(const VjpReadout<Real>& at, u32 modes, const Real* cotangents, u64 state) {
    const OccupiedModes occupied(*at.last, locate(*at.last, static_cast<u32>(state)));
    double sum = 0;
    for (u32 i = 0; i < occupied.count(); ++i) {
        if (!at.pairs) sum += static_cast<double>(cotangents[occupied[i]]);
        for (u32 j = i + 1; at.pairs && j < occupied.count(); ++j)
            sum += pair_cotangent(cotangents, modes, occupied[i], occupied[j]);
    }
    return sum;
}

/// The same for every readout: the transposed map.
template <class Real>
PHL_HD double state_cotangent(const VjpReadout<Real>& at, u32 modes, u64 state, u32 row) {
    const Readout& readout = at.readout;
    const Real* const cotangents = at.cotangents + u64{row} * readout.outputs;
    switch (readout.gather) {
        case Gather::LexGroups:
            return static_cast<double>(cotangents[state / readout.bucket]);
        case Gather::ModGroups:
            return static_cast<double>(cotangents[state % readout.outputs]);
        case Gather::Lists:
            return static_cast<double>(cotangents[at.output_of[state]]);
        case Gather::Occupation:
            return occupation_cotangent(at, modes, cotangents, state);
        default:
            return static_cast<double>(cotangents[state]);
    }
}

/// Both moments of chunks of states into `parts`, [chunk][2][row].
template <class Real, class Mass>
PHL_HD void sum_moments(const VjpReadout<Real>& at, u32 modes, u32 rows, double* parts, const Mass& mass, u64 first,
                        u64 stride) {
    const u64 states = at.readout.states;
    for (Pairs pair(first, stride, rows); pair.state < chunks_of(states); pair.next()) {
        const u64 begin = pair.state * kChunkStates;
        const u64 end = begin + kChunkStates < states ? begin + kChunkStates : states;
        double kept = 0, mean = 0;
        for (u64 state = begin; state < end; ++state) {
            const double probability = static_cast<double>(mass(state, pair.row));
            kept += probability;
            mean += probability * state_cotangent(at, modes, state, pair.row);
        }
        double* const to = parts + pair.state * 2 * rows + pair.row;
        to[0] = kept;
        to[rows] = mean;
    }
}

/// Derivative with respect to a state's probability: the value is probability / kept, and kept has derivatives too.
template <class Real>
PHL_HD double probability_gradient(const VjpReadout<Real>& at, u32 modes, u32 rows, u64 state, u32 row) {
    const double cotangent = state_cotangent(at, modes, state, row);
    if (!at.renormalised) return cotangent;
    const double kept = at.moments[row], scale = kept <= at.least_kept ? 0.0 : 1.0 / kept;
    return (cotangent - at.moments[rows + row] * scale) * scale;
}

/// Replaces the last level's amplitudes by the derivatives with respect to them; the probability is |amplitude|^2 *
/// weight.
template <class Real>
PHL_HD void pull_back_probabilities(const VjpReadout<Real>& at, const Sweep<Real>& sweep, Pair<Real>* last, u64 first,
                                    u64 stride) {
    const LevelTable level = sweep.levels[sweep.photons];
    for (Pairs pair(first, stride, sweep.rows); pair.state < level.states; pair.next()) {
        const u32 state = static_cast<u32>(pair.state);
        const double weight = 2.0 * factorials(level, locate(level, state)) * sweep.scale;
        const Real factor =
            static_cast<Real>(weight * probability_gradient(at, sweep.modes, sweep.rows, state, pair.row));
        Pair<Real>& amplitude = last[pair.state * sweep.rows + pair.row];
        amplitude = {factor * amplitude.re, factor * amplitude.im};
    }
}

/// Without interference the last level's values are the probabilities.
template <class Real>
PHL_HD void pull_back_probabilities(const VjpReadout<Real>& at, const Sweep<Real>& sweep, Real* last, u64 first,
                                    u64 stride) {
    for (Pairs pair(first, stride, sweep.rows); pair.state < at.readout.states; pair.next())
        last[pair.state * sweep.rows + pair.row] =
            static_cast<Real>(probability_gradient(at, sweep.modes, sweep.rows, pair.state, pair.row));
}

}  // namespace photonlink::optics::gpu
