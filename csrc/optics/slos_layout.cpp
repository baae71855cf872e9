#include "slos_layout.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "batch_split.hpp"
#include "photonlink/optics/readout.hpp"
#include "photonlink/optics/row_sweep.hpp"
#include "photonlink/optics/sampling.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/slos_sweep.hpp"
#include "slos_worker.hpp"

namespace photonlink::optics {
namespace {

u64 basis_states(const ProgramSpec& spec) { return state_count(spec.readout.space, spec.modes, spec.photons()); }

/// Of the last level but one, which the last level reads all over.
template <class Real>
u64 level_bytes(const ProgramSpec& spec, u32 lanes) {
    const u64 states = state_count(spec.readout.space, spec.modes, spec.photons() - 1);
    return saturating_mul(states, 2 * lanes * sizeof(Real));
}

/// Whether datapoints side by side are worth their memory. They stay faster than vectors over states, but by less and
/// less, 1.2 times at 18 modes and 9 photons; and whoever asks for one datapoint waits until the memory is laid out.
template <class Real>
bool lanes_are_affordable(const ProgramSpec& spec, const KernelProfile& profile) {
    constexpr u64 kMostLevelBytes = u64{128} << 20;  // of a thread
    return level_bytes<Real>(spec, profile.widths<Real>()[0].lanes) <= kMostLevelBytes;
}

/// The widest lanes that pay. Where parents come from a cache that cores share, half as many datapoints at a time read
/// them sooner again; multiply-adds do not suffer, since vectors of 64 bytes mostly take two turns.
template <class Real>
u32 best_lanes(const ProgramSpec& spec, const KernelProfile& profile, const SlosNeeds& needs) {
    constexpr u64 kCacheShareBytes = u64{8} << 20;
    const SlosKernels<Real>* const widths = profile.widths<Real>();
    const bool far_parents = needs.distribution && level_bytes<Real>(spec, widths[0].lanes) > kCacheShareBytes;
    return widths[far_parents && widths[0].lanes * sizeof(Real) == 64 ? 1 : 0].lanes;
}

/// All layouts, fastest first. Narrow lanes are slower than vectors over states, and come only where there are none.
template <class Real>
std::vector<SlosLayout> layouts(const ProgramSpec& spec, const KernelProfile& profile, const SlosNeeds& needs,
                                u32 threads) {
    const u32 counts = needs.distribution ? profile.row_count : 0;
    const RowKernels<Real>* rows = profile.rows<Real>();
    if (needs.sampled && counts > 0) rows += counts - 1;  // prefix sums are kept for one datapoint at a time
    const SlosKernels<Real>* const widths = profile.widths<Real>();
    std::vector<SlosLayout> found;
    const bool lanes = counts == 0 || lanes_are_affordable<Real>(spec, profile);
    for (u32 t = threads; t > 0; --t) {
        if (lanes) found.push_back({best_lanes<Real>(spec, profile, needs), counts > 0 ? rows[0].rows : 0, t});
        for (u32 i = 1; i + 1 < profile.width_count<Real>() && counts == 0; ++i)
            found.push_back({widths[i].lanes, 0, t});
        for (u32 i = 0; i < (needs.sampled ? std::min(counts, 1u) : counts); ++i) found.push_back({0, rows[i].rows, t});
    }
    found.push_back({1, 0, 1});
    return found;
}

/// What could be asked for instead, if anything.
std::string alternative(const ProgramSpec& spec) {
    if (spec.readout.space == Space::Fock && spec.readout.kind != ReadoutKind::Samples)
        return "use fewer photons or modes, the unbunched space, mode expectations or correlators (which need no "
               "distribution in the fock space when exact), shots= (the fock space is then sampled without listing "
               "its states), or raise the limit";
    return "use fewer photons or modes, a smaller space, or raise the limit";
}

[[noreturn]] void refuse_memory(const ProgramSpec& spec, u64 bytes, u64 limit) {
    throw ProgramError("simulating " + std::to_string(spec.photons()) + " photons in " + std::to_string(spec.modes) +
                       " modes needs " + count_text(bytes) + " bytes (" + count_text(basis_states(spec)) +
                       " basis states in the " + space_name(spec.readout.space) + " space), but the limit is " +
                       std::to_string(limit) + " bytes; " + alternative(spec));
}

}  // namespace

template <class Real>
u64 layout_bytes(const ProgramSpec& spec, const KernelProfile& profile, const SlosNeeds& needs,
                 const SlosLayout& layout) {
    u64 worker = saturating_add(Interferometer::predict_bytes(spec, layout.composed_lanes()),
                                saturating_mul(output_size(spec), 2 * sizeof(double)));
    u64 shared = 0;
    if (needs.distribution) {
        const u64 states = basis_states(spec);
        shared = saturating_add(SlosTables::predict_bytes(spec.readout.space, spec.modes, spec.photons()),
                                ReadoutMap::predict_bytes(spec));
        if (layout.lanes > 0) {
            worker = saturating_add(worker, SlosSweep<Real>::predict_bytes(spec, layout.lanes));
            const u64 stored = is_distribution(spec.readout) && !needs.sampled ? 1 : layout.lanes;
            worker = saturating_add(worker, saturating_mul(states, stored * sizeof(Real)));
        }
        if (layout.rows > 0) {
            const u32 chunk = profile.rows<Real>()->chunk;
            shared = saturating_add(shared, RowPlan<Real>::predict_bytes(spec, chunk));
            worker = saturating_add(worker, RowSweep<Real>::predict_bytes(spec, chunk, layout.rows));
            worker = saturating_add(worker, SweepColumns<Real>::predict_bytes(spec, layout.rows));
        }
        if (needs.sampled) worker = saturating_add(worker, Sampler::predict_bytes(states));
        worker = saturating_add(worker, layout.rows * kTileStates * sizeof(Real));
    }
    return saturating_add(shared, saturating_mul(worker, layout.threads));
}

template <class Real>
SlosLayout choose_layout(const ProgramSpec& spec, const KernelProfile& profile, const SlosNeeds& needs, u32 threads,
                         u64 limit) {
    for (const SlosLayout& layout : layouts<Real>(spec, profile, needs, threads))
        if (layout_bytes<Real>(spec, profile, needs, layout) <= limit) return layout;
    refuse_memory(spec, least_layout_bytes<Real>(spec, profile, needs), limit);
}

template <class Real>
u64 least_layout_bytes(const ProgramSpec& spec, const KernelProfile& profile, const SlosNeeds& needs) {
    u64 least = kSaturated;
    for (const SlosLayout& layout : layouts<Real>(spec, profile, needs, 1))
        least = std::min(least, layout_bytes<Real>(spec, profile, needs, layout));
    return least;
}

template u64 layout_bytes<float>(const ProgramSpec&, const KernelProfile&, const SlosNeeds&, const SlosLayout&);
template u64 layout_bytes<double>(const ProgramSpec&, const KernelProfile&, const SlosNeeds&, const SlosLayout&);
template SlosLayout choose_layout<float>(const ProgramSpec&, const KernelProfile&, const SlosNeeds&, u32, u64);
template SlosLayout choose_layout<double>(const ProgramSpec&, const KernelProfile&, const SlosNeeds&, u32, u64);
template u64 least_layout_bytes<float>(const ProgramSpec&, const KernelProfile&, const SlosNeeds&);
template u64 least_layout_bytes<double>(const ProgramSpec&, const KernelProfile&, const SlosNeeds&);

}  // namespace photonlink::optics
