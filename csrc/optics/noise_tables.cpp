#include <algorithm>

#include "photonlink/optics/noise_mixture.hpp"
#include "photonlink/optics/noise_readout.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

/// The space in which photons of the shared state interfere: detectors that only click hide bunched states, which are
/// there all the same. Elsewhere what lies outside the space never comes back into it.
Space shared_space(const NoisePlan& plan) { return plan.clicks ? Space::Fock : plan.space; }

u32 most_shared(const ProgramSpec& spec, const NoisePlan& plan) {
    u32 most = 0;
    for (const SourceMode& source : plan.sources) most += source.most_common();
    if (plan.clicks || plan.space == Space::Fock) return most;
    return std::min(most, plan.space == Space::Unbunched ? spec.modes : spec.modes / 2);
}

/// Multiply-adds of the step to `photons` photons.
u64 step_operations(Space space, u32 modes, u32 photons) {
    if (photons == 0) return 0;
    return space == Space::Fock ? saturating_mul(modes, state_count(space, modes, photons - 1))
                                : saturating_mul(photons, state_count(space, modes, photons));
}

u64 step_table_bytes(Space space, u32 modes, u32 photons, const KernelProfile& profile) {
    if (!SlosTables::can_number(space, modes, photons)) return kSaturated;
    const u64 rows =
        profile.row_count == 0 ? 0 : RowTables::predict_bytes(space, modes, photons, profile.row_float64->chunk);
    return saturating_add(SlosTables::predict_bytes(space, modes, photons), rows);
}

/// True if a pattern lies in the space, or may once there are more photons.
bool may_grow_into(Space space, const u8* pattern, u32 modes) {
    if (space != Space::DualRail) return true;
    for (u32 mode = 0; mode < modes; mode += 2)
        if (pattern[mode] + pattern[mode + 1] > 1) return false;
    return true;
}

std::shared_ptr<const RowTables> row_tables(Space space, u32 modes, u32 photons, const KernelProfile& profile) {
    if (profile.row_count == 0) return nullptr;
    return RowTables::shared(space, modes, photons, profile.row_float64->chunk);
}

}  // namespace

u64 mixture_configurations(const NoisePlan& plan) {
    u64 count = 1;
    for (const SourceMode& source : plan.sources) count = saturating_mul(count, source.most_common() + 1);
    return count;
}

/// Level by level of the tree: how many nodes have so many photons in the shared state, and what a node costs.
u64 mixture_operations(const ProgramSpec& spec, const NoisePlan& plan) {
    const Space space = shared_space(plan);
    const u32 most = most_shared(spec, plan);
    u32 from_here = 0;
    for (const SourceMode& source : plan.sources) from_here += source.most();
    std::vector<u64> nodes(most + 1u);
    nodes[0] = 1;
    u64 total = 0;
    for (const SourceMode& source : plan.sources) {
        std::vector<u64> next(nodes.size());
        for (u32 shared = 0; shared <= most; ++shared) {
            if (nodes[shared] == 0) continue;
            u64 cost = 0;
            for (u32 k = 1; k <= std::min(plan.most, shared + from_here); ++k)
                cost = saturating_add(cost, step_operations(plan.space, spec.modes, k));
            cost = saturating_mul(cost, source.most_own() + 1u);
            for (u32 c = 0; c <= source.most_common() && shared + c <= most; ++c) {
                next[shared + c] = saturating_add(next[shared + c], nodes[shared]);
                if (c > 0)  // complex numbers
                    cost = saturating_add(cost, saturating_mul(4, step_operations(space, spec.modes, shared + c)));
            }
            total = saturating_add(total, saturating_mul(nodes[shared], cost));
        }
        nodes = std::move(next);
        from_here -= source.most();
    }
    return total;
}

double mixture_row_ns(const ProgramSpec& spec, const NoisePlan& plan) {
    constexpr double kOperationsPerNs = 8;
    return static_cast<double>(mixture_operations(spec, plan)) / kOperationsPerNs;
}

u64 mixture_table_bytes(const ProgramSpec& spec, const NoisePlan& plan, const KernelProfile& profile) {
    const u32 most = most_shared(spec, plan);
    const u64 shared = SectorPlaces::count(shared_space(plan), spec.modes, most);
    u64 bytes = step_table_bytes(plan.space, spec.modes, plan.most, profile);
    if (plan.clicks) {
        bytes = saturating_add(bytes, step_table_bytes(Space::Fock, spec.modes, most, profile));
        bytes = saturating_add(bytes, saturating_mul(shared, sizeof(u32)));
    }
    return saturating_add(bytes, saturating_mul(shared, sizeof(double)));
}

u64 mixture_sweep_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes) {
    const u32 most = most_shared(spec, plan);
    const u64 detected = SectorPlaces::count(plan.space, spec.modes, plan.most) + SectorPlaces::kStep;
    const u64 light =
        plan.clicks ? saturating_add(state_count(Space::Fock, spec.modes, most), 2 * SectorPlaces::kStep) : 0;
    const u64 shared = SectorPlaces::count(shared_space(plan), spec.modes, most) + (most + 1) * SectorPlaces::kStep;
    u64 parts = 1;
    for (const SourceMode& source : plan.sources) parts += source.most_own() + 1;
    const u64 columns = (3 * plan.sources.size() + 1) * spec.modes;
    const u64 numbers = saturating_add(saturating_mul(detected, parts),
                                       saturating_add(saturating_mul(shared, 2), saturating_add(light, columns)));
    return saturating_mul(numbers, lanes * sizeof(double));
}

void refuse_mixture(const ProgramSpec& spec, const NoisePlan& plan, const std::string& taker, u64 bytes,
                    std::size_t limit, const std::string& remedy) {
    throw ProgramError("the exact distribution of " + std::to_string(spec.photons()) + " noisy photons in " +
                       std::to_string(spec.modes) + " modes mixes " + count_text(mixture_configurations(plan)) +
                       " configurations of the sources over " + count_text(kept_states(spec, plan)) +
                       " detected states, in up to " + count_text(mixture_operations(spec, plan)) +
                       " operations per datapoint; " + taker + " " + count_text(bytes) + " bytes, but the limits are " +
                       std::to_string(limit) + " bytes and " + count_text(kMostMixtureOperations) + " operations; " +
                       remedy);
}

MixtureTables::MixtureTables(const ProgramSpec& spec, const NoisePlan& plan, const KernelProfile& profile)
    : plan_(plan),
      profile_(profile),
      detected_(plan.space, spec.modes, plan.most),
      shared_(shared_space(plan), spec.modes, most_shared(spec, plan)),
      kept_(sector_count(plan.space, spec.modes, plan.least, plan.most)),
      detected_steps_(SlosTables::shared(plan.space, spec.modes, plan.most)),
      shared_steps_(plan.clicks ? SlosTables::shared(Space::Fock, spec.modes, shared_.most()) : detected_steps_),
      detected_rows_(row_tables(plan.space, spec.modes, plan.most, profile)),
      shared_rows_(plan.clicks ? row_tables(Space::Fock, spec.modes, shared_.most(), profile) : detected_rows_) {
    most_from_.assign(plan.sources.size() + 1, 0);
    for (std::size_t input = plan.sources.size(); input-- > 0;)
        most_from_[input] = most_from_[input + 1] + plan.sources[input].most();
    weigh_states();
}

void MixtureTables::weigh_states() {
    const u32 modes = shared_.modes();
    bunching_.assign(shared_.begin(-1), 1.0);
    if (plan_.clicks) seen_.assign(shared_.begin(-1), kNoPlace);
    std::vector<Basis> patterns;
    for (u32 clicks = 0; plan_.clicks && clicks <= detected_.most(); ++clicks)
        patterns.emplace_back(plan_.space, modes, clicks);
    std::vector<u8> pattern(modes);
    for (u32 photons = 0; photons <= shared_.most(); ++photons) {
        u64 place = shared_.begin(photons);
        walk_prefixes(shared_space(plan_), modes, photons, modes, [&](const u8* state, u32) {
            u32 clicks = 0;
            for (u32 mode = 0; mode < modes; ++mode) {
                pattern[mode] = state[mode] > 0 ? 1 : 0;
                clicks += pattern[mode];
                for (u32 n = 2; n <= state[mode]; ++n) bunching_[place] *= n;
            }
            if (clicks < patterns.size() && may_grow_into(plan_.space, pattern.data(), modes))
                seen_[place] = static_cast<u32>(detected_.begin(clicks) + patterns[clicks].rank(pattern.data()));
            ++place;
        });
    }
}

}  // namespace photonlink::optics
