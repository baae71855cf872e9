#include "photonlink/optics/noise_mixture.hpp"

#include <algorithm>

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

/// Lane arrays of distributions that a sweep holds.
u64 part_count(const NoisePlan& plan) {
    u64 parts = plan.clicks ? 1 : 0;
    for (const SourceMode& source : plan.sources) parts += source.most_own() + 1;
    return parts;
}

}  // namespace

u64 mixture_configurations(const NoisePlan& plan) {
    u64 count = 1;
    for (const SourceMode& source : plan.sources) count = saturating_mul(count, source.most_common() + 1);
    return count;
}

u64 mixture_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes) {
    const u64 detected = SectorBasis::count(plan.space, spec.modes, 0, plan.most);
    const u64 shared = SectorBasis::count(shared_space(plan), spec.modes, 0, most_shared(spec, plan));
    u64 bytes = SectorBasis::predict_bytes(plan.space, spec.modes, plan.most);
    if (plan.clicks) {
        bytes = saturating_add(bytes, SectorBasis::predict_bytes(Space::Fock, spec.modes, most_shared(spec, plan)));
        bytes = saturating_add(bytes, saturating_mul(shared, sizeof(u32)));
    }
    bytes = saturating_add(bytes, saturating_mul(shared, sizeof(double)));
    const u64 numbers = saturating_add(saturating_mul(detected, part_count(plan) + (plan.clicks ? 0 : 1)),
                                       saturating_add(saturating_mul(shared, 2), 3 * plan.sources.size() * spec.modes));
    return saturating_add(bytes, saturating_mul(numbers, lanes * sizeof(double)));
}

u64 mixture_operations(const ProgramSpec& spec, const NoisePlan& plan) {
    u64 own = 0;
    for (const SourceMode& source : plan.sources) own = std::max<u64>(own, source.most_own());
    const u64 detected = SectorBasis::count(plan.space, spec.modes, 0, plan.most);
    const u64 shared = state_count(shared_space(plan), spec.modes, most_shared(spec, plan));
    const u64 per_node =
        saturating_mul(saturating_add(saturating_mul(detected, own), saturating_mul(shared, 4)), spec.modes);
    return saturating_mul(saturating_mul(mixture_configurations(plan), 2), per_node);  // a tree of as many leaves
}

MixtureTables::MixtureTables(const ProgramSpec& spec, const NoisePlan& plan)
    : plan_(plan), detected_(std::make_shared<SectorBasis>(plan.space, spec.modes, plan.most, plan.clicks)) {
    const u32 most = most_shared(spec, plan);
    shared_ = plan.clicks ? std::make_shared<SectorBasis>(Space::Fock, spec.modes, most, false) : detected_;
    bunching_.assign(shared_->begin(-1), 1.0);
    // Both bases grow photon by photon, so a state's product of factorials and what detectors see follow from those of
    // any state with one photon less.
    if (plan.clicks) seen_.assign(shared_->begin(-1), SectorBasis::kNone);
    if (plan.clicks) seen_[shared_->begin(0)] = detected_->begin(0);
    std::vector<u8> occupied(spec.modes);
    for (i64 photons = 0; photons < i64{shared_->most()}; ++photons) {
        u32 index = shared_->begin(photons);
        walk_prefixes(shared_->space(), spec.modes, static_cast<u32>(photons), spec.modes, [&](const u8* state, u32) {
            for (u32 mode = 0; mode < spec.modes; ++mode) {
                const u32 next = shared_->with_photon(index)[mode];
                if (next == SectorBasis::kNone) continue;
                bunching_[next] = bunching_[index] * (state[mode] + 1);
                if (plan.clicks && seen_[index] != SectorBasis::kNone)
                    seen_[next] = detected_->with_photon(seen_[index])[mode];
            }
            ++index;
        });
    }
    most_from_.assign(plan.sources.size() + 1, 0);
    for (std::size_t input = plan.sources.size(); input-- > 0;)
        most_from_[input] = most_from_[input + 1] + plan.sources[input].most();
}

template <u32 Lanes>
MixtureSweep<Lanes>::MixtureSweep(const MixtureTables& tables)
    : tables_(tables), modes_(tables.detected().modes()), inputs_(tables.plan().sources.size()) {
    const u64 states = tables.detected().begin(-1);
    column_.resize(inputs_ * modes_ * 2 * Lanes);
    alone_.resize(inputs_ * modes_ * Lanes);
    u32 most_shared = 0;
    for (const SourceMode& source : tables.plan().sources) {
        parts_.emplace_back(source.most_own() + 1u, AlignedVector<double>(states * Lanes));
        most_shared += source.most_common();
    }
    const SectorBasis& shared = tables.shared();
    for (i64 photons = 0; photons <= i64{std::min(most_shared, shared.most())}; ++photons)
        amplitudes_.emplace_back(u64{shared.end(photons) - shared.begin(photons)} * 2 * Lanes);
    std::fill(amplitudes_[0].begin(), amplitudes_[0].begin() + Lanes, 1.0);
    leaf_.resize(states * Lanes);
}

template <u32 Lanes>
void MixtureSweep<Lanes>::load(const double* columns) {
    for (u32 mode = 0; mode < modes_; ++mode)
        for (std::size_t input = 0; input < inputs_; ++input) {
            const double* const from = columns + (mode * inputs_ + input) * 2 * Lanes;
            double* const to = column_.data() + (input * modes_ + mode) * 2 * Lanes;
            double* const alone = alone_.data() + (input * modes_ + mode) * Lanes;
            std::copy(from, from + 2 * Lanes, to);
            for (u32 l = 0; l < Lanes; ++l) alone[l] = from[l] * from[l] + from[Lanes + l] * from[Lanes + l];
        }
}

template <u32 Lanes>
const double* MixtureSweep<Lanes>::run(const double* columns) {
    load(columns);
    const Part all = visit(0, 0, 0);
    return all.values;
}

/// The sum over the photons of the inputs `input`.., beside `shared` photons in the shared state from the inputs before
/// it, which may add up to `pending` photons in states of their own.
template <u32 Lanes>
typename MixtureSweep<Lanes>::Part MixtureSweep<Lanes>::visit(std::size_t input, u32 shared, u32 pending) {
    const NoisePlan& plan = tables_.plan();
    const i64 least = plan.least > pending ? i64{plan.least} - pending : 0;
    const i64 photons = i64{shared} + tables_.most_from(input);
    const i64 most = std::min(photons, i64{plan.most});
    if (least > most) return {nullptr, 0, 0};
    if (input == inputs_) return leaf(shared);

    const SourceMode& source = plan.sources[input];
    std::vector<AlignedVector<double>>& sums = parts_[input];
    const i64 powers = source.most_own();
    const i64 lowest = std::max<i64>(least - powers, 0);
    const SectorBasis& detected = tables_.detected();
    for (AlignedVector<double>& sum : sums)
        std::fill(sum.begin() + u64{detected.begin(most)} * Lanes, sum.begin() + u64{detected.end(lowest)} * Lanes,
                  0.0);
    double scale = 1;  // of the input state |c>: 1 / c!
    for (u32 common = 0; common <= source.most_common() && shared + common < amplitudes_.size(); ++common) {
        if (common > 0) add_photon(input, shared + common - 1);
        if (common > 0) scale /= common;
        const Part part = visit(input + 1, shared + common, pending + source.most_own_beside(common));
        for (u32 own = 0; part.values != nullptr && own <= powers; ++own)
            if (source.weight(common, own) > 0)
                accumulate(part, source.weight(common, own) * scale, std::max<i64>(least - own, 0), sums[own].data());
    }
    for (i64 power = powers; power > 0; --power)
        multiply(input, sums[power].data(), sums[power - 1].data(), std::max<i64>(least - power, 0),
                 std::min(photons - power, most));
    return {sums[0].data(), least, most};
}

/// What the detectors see of the photons in the shared state.
template <u32 Lanes>
typename MixtureSweep<Lanes>::Part MixtureSweep<Lanes>::leaf(u32 shared) {
    const SectorBasis& detected = tables_.detected();
    const SectorBasis& states = tables_.shared();
    const bool clicks = tables_.plan().clicks;
    const i64 most = std::min(shared, detected.most());
    const i64 least = clicks ? std::min<i64>(shared, 1) : i64{shared};
    if (clicks)
        std::fill(leaf_.begin() + u64{detected.begin(most)} * Lanes, leaf_.begin() + u64{detected.end(least)} * Lanes,
                  0.0);
    const double* at = amplitudes_[shared].data();
    for (u32 state = states.begin(shared); state < states.end(shared); ++state, at += 2 * Lanes) {
        const u32 seen = tables_.seen(state);
        if (seen == SectorBasis::kNone) continue;
        double* const to = leaf_.data() + u64{seen} * Lanes;
        const double bunching = tables_.bunching(state);
        for (u32 l = 0; l < Lanes; ++l) {
            const double probability = (at[l] * at[l] + at[Lanes + l] * at[Lanes + l]) * bunching;
            to[l] = clicks ? to[l] + probability : probability;
        }
    }
    return {leaf_.data(), least, most};
}

/// Amplitudes of `shared` + 1 photons from those of `shared`.
template <u32 Lanes>
void MixtureSweep<Lanes>::add_photon(std::size_t input, u32 shared) {
    const SectorBasis& states = tables_.shared();
    const u32 first = states.begin(i64{shared} + 1);
    AlignedVector<double>& next = amplitudes_[shared + 1];
    std::fill(next.begin(), next.end(), 0.0);
    const double* from = amplitudes_[shared].data();
    const double* const column = column_.data() + input * modes_ * 2 * Lanes;
    for (u32 state = states.begin(shared); state < states.end(shared); ++state, from += 2 * Lanes) {
        const u32* const with_photon = states.with_photon(state);
        for (u32 mode = 0; mode < modes_; ++mode) {
            if (with_photon[mode] == SectorBasis::kNone) continue;
            const double* const v = column + u64{mode} * 2 * Lanes;
            double* const to = next.data() + u64{with_photon[mode] - first} * 2 * Lanes;
            for (u32 l = 0; l < Lanes; ++l) {
                to[l] += v[l] * from[l] - v[Lanes + l] * from[Lanes + l];
                to[Lanes + l] += v[l] * from[Lanes + l] + v[Lanes + l] * from[l];
            }
        }
    }
}

template <u32 Lanes>
void MixtureSweep<Lanes>::accumulate(const Part& part, double weight, i64 least, double* sum) const {
    if (part.most < std::max(least, part.least)) return;
    const SectorBasis& detected = tables_.detected();
    const u64 end = u64{detected.end(std::max(least, part.least))} * Lanes;
    for (u64 i = u64{detected.begin(part.most)} * Lanes; i < end; ++i) sum[i] += weight * part.values[i];
}

/// to += L_p * from, for the sectors `most` to `least` of `from`.
template <u32 Lanes>
void MixtureSweep<Lanes>::multiply(std::size_t input, const double* from, double* to, i64 least, i64 most) const {
    if (most < least) return;
    const SectorBasis& detected = tables_.detected();
    const double* const alone = alone_.data() + input * modes_ * Lanes;
    for (u32 state = detected.begin(most); state < detected.end(least); ++state) {
        const u32* const with_photon = detected.with_photon(state);
        const double* const x = from + u64{state} * Lanes;
        for (u32 mode = 0; mode < modes_; ++mode) {
            if (with_photon[mode] == SectorBasis::kNone) continue;
            double* const y = to + u64{with_photon[mode]} * Lanes;
            const double* const w = alone + u64{mode} * Lanes;
            for (u32 l = 0; l < Lanes; ++l) y[l] += w[l] * x[l];
        }
    }
}

template class MixtureSweep<1>;
template class MixtureSweep<2>;
template class MixtureSweep<4>;
template class MixtureSweep<8>;

}  // namespace photonlink::optics
