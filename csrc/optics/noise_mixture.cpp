#include "photonlink/optics/noise_mixture.hpp"

#include <algorithm>

namespace photonlink::optics {

MixtureSweep::MixtureSweep(const MixtureTables& tables, u32 max_lanes)
    : tables_(tables),
      profile_(mixture_profile(tables.profile())),
      modes_(tables.detected().modes()),
      inputs_(tables.plan().sources.size()) {
    // Vectors over states may be read beyond the last one.
    const u64 places = tables.detected().begin(-1) + SectorPlaces::kStep;
    columns_.resize(inputs_ * modes_ * 2 * max_lanes);
    last_column_.resize(std::size_t{modes_} * max_lanes);
    alone_.resize(inputs_ * modes_ * max_lanes);
    for (const SourceMode& source : tables.plan().sources)
        parts_.emplace_back(source.most_own() + 1u, AlignedVector<double>(places * max_lanes));
    const u32 most = tables.shared().most();
    for (u32 photons = 0; photons <= most; ++photons) amplitudes_.emplace_back(2 * stride(photons) * max_lanes);
    leaf_.resize(places * max_lanes);
    if (tables.plan().clicks) light_.resize(stride(most) * max_lanes);
}

/// Places for the states of so many photons in the shared state, and one more vector.
u64 MixtureSweep::stride(u32 shared) const {
    const SectorPlaces& places = tables_.shared();
    return places.end(shared) - places.begin(shared) + SectorPlaces::kStep;
}

const double* MixtureSweep::run(u32 width, const double* columns, u32 composed_lanes) {
    rows_ = nullptr;
    kernels_ = tables_.profile().widths<double>() + width;
    mixtures_ = profile_.widths + width;
    return start(columns, composed_lanes);
}

const double* MixtureSweep::run_states(const double* columns, u32 composed_lanes) {
    const KernelProfile& profile = tables_.profile();
    const u32 single = profile.width_count<double>() - 1;
    rows_ = profile.rows<double>() + profile.row_count - 1;
    kernels_ = profile.widths<double>() + single;
    mixtures_ = profile_.widths + single;
    return start(columns, composed_lanes);
}

/// Detectors do not see the phase of an output mode: that which makes the column of the last input real halves the work
/// of most nodes of the tree.
const double* MixtureSweep::start(const double* columns, u32 composed_lanes) {
    lanes_ = kernels_->lanes;
    const u32 inputs = static_cast<u32>(inputs_);
    LoadView<double> view{modes_, inputs, inputs - 1, composed_lanes,  lanes_,
                          true,   true,   columns,    columns_.data(), last_column_.data()};
    kernels_->load_columns(view);
    AlignedVector<double>& vacuum = amplitudes_[0];
    std::fill(vacuum.begin(), vacuum.end(), 0.0);
    std::fill(vacuum.begin(), vacuum.begin() + lanes_, 1.0);
    for (std::size_t i = 0; i < inputs_ * modes_; ++i) {
        const double* const at = columns_.data() + i * 2 * lanes_;
        for (u32 l = 0; l < lanes_; ++l) alone_[i * lanes_ + l] = at[l] * at[l] + at[lanes_ + l] * at[lanes_ + l];
    }
    return visit(0, 0, 0).values;
}

/// The sum over the photons of the inputs `input`.., beside `shared` photons in the shared state from the inputs before
/// it, which may add up to `pending` photons in states of their own.
MixtureSweep::Part MixtureSweep::visit(std::size_t input, u32 shared, u32 pending) {
    const NoisePlan& plan = tables_.plan();
    const i64 least = plan.least > pending ? i64{plan.least} - pending : 0;
    const i64 photons = i64{shared} + tables_.most_from(input);
    const i64 most = std::min(photons, i64{plan.most});
    if (least > most) return {nullptr, 0, 0};
    if (input == inputs_) return leaf(shared);

    std::vector<AlignedVector<double>>& sums = parts_[input];
    const i64 powers = plan.sources[input].most_own();
    add_children(input, shared, pending, {nullptr, least, photons});
    for (i64 power = powers; power > 0; --power)
        multiply(input, sums[static_cast<std::size_t>(power)].data(), sums[static_cast<std::size_t>(power) - 1].data(),
                 std::max<i64>(least - power, 0), std::min(photons - power, most));
    return {sums[0].data(), least, most};
}

/// What the inputs behind `input` amount to, for each number of photons that it sends in the shared state, added up for
/// each power of L that goes with it. `all`: the sectors of the whole.
void MixtureSweep::add_children(std::size_t input, u32 shared, u32 pending, const Part& all) {
    const SourceMode& source = tables_.plan().sources[input];
    std::vector<AlignedVector<double>>& sums = parts_[input];
    const i64 most = i64{tables_.detected().most()};
    u64 begun = 0;     // powers with something in their sums
    double scale = 1;  // of the input state |c>: 1 / c!
    for (u32 common = 0; common <= source.most_common() && shared + common <= tables_.shared().most(); ++common) {
        if (common > 0) add_photon(input, shared + common);
        if (common > 0) scale /= common;
        const Part part = visit(input + 1, shared + common, pending + source.most_own_beside(common));
        for (u32 own = 0; part.values != nullptr && own < sums.size(); ++own) {
            if (!(source.weight(common, own) > 0)) continue;
            const i64 least = std::max<i64>(all.least - own, 0);
            accumulate(part, source.weight(common, own) * scale,
                       {sums[own].data(), least, std::min(all.most - own, most)}, (begun >> own & 1) == 0);
            begun |= u64{1} << own;
        }
    }
    for (u32 own = 0; own < sums.size(); ++own)
        if ((begun >> own & 1) == 0)
            clear(sums[own].data(), std::max<i64>(all.least - own, 0), std::min(all.most - own, most));
}

/// What the detectors see of the photons in the shared state.
MixtureSweep::Part MixtureSweep::leaf(u32 shared) {
    const SectorPlaces& detected = tables_.detected();
    const SectorPlaces& states = tables_.shared();
    const bool clicks = tables_.plan().clicks;
    const double* const amplitudes = amplitudes_[shared].data();
    const double* const weights = tables_.bunching() + states.begin(shared);
    double* const light = clicks ? light_.data() : leaf_.data() + detected.begin(shared) * lanes_;
    if (rows_ != nullptr)
        profile_.rows->probabilities(states.states(shared), weights, amplitudes, stride(shared), light);
    else
        mixtures_->probabilities(states.states(shared), weights, amplitudes, light);
    if (!clicks) return {leaf_.data(), i64{shared}, i64{shared}};
    const i64 least = std::min<i64>(shared, 1), most = std::min(shared, detected.most());
    clear(leaf_.data(), least, most);
    mixtures_->add_at(states.states(shared), tables_.seen() + states.begin(shared), light, leaf_.data());
    return {leaf_.data(), least, most};
}

/// Amplitudes of `shared` photons from those of one less.
void MixtureSweep::add_photon(std::size_t input, u32 shared) {
    const bool real = input + 1 == inputs_;
    const double* const column = real ? last_column_.data() : columns_.data() + input * modes_ * 2 * lanes_;
    const double* const from = amplitudes_[shared - 1].data();
    double* const to = amplitudes_[shared].data();
    if (rows_ != nullptr) {
        const auto step = real ? rows_->step_real_column : rows_->step;
        step(tables_.shared_rows()->level(shared), column, from, stride(shared - 1), to, stride(shared));
    } else {
        const auto step = real ? kernels_->step_real_column : kernels_->step;
        step(tables_.shared_steps().level(shared), column, from, to);
    }
}

void MixtureSweep::clear(double* values, i64 least, i64 most) const {
    if (most < least) return;
    const SectorPlaces& detected = tables_.detected();
    std::fill(values + detected.begin(most) * lanes_, values + detected.end(least) * lanes_, 0.0);
}

/// Adds the sectors that both have; `first`: to nothing.
void MixtureSweep::accumulate(const Part& part, double weight, const Sum& sum, bool first) const {
    const i64 least = std::max(sum.least, part.least), most = std::min(sum.most, part.most);
    if (most < least) {
        if (first) clear(sum.values, sum.least, sum.most);
        return;
    }
    const u64 begin = tables_.detected().begin(most) * lanes_, end = tables_.detected().end(least) * lanes_;
    const auto add = first ? profile_.scale : profile_.accumulate;
    add(end - begin, weight, part.values + begin, sum.values + begin);
    if (!first) return;
    clear(sum.values, most + 1, sum.most);
    clear(sum.values, sum.least, least - 1);
}

/// to += L_p * from, for the sectors `most` to `least` of `from`.
void MixtureSweep::multiply(std::size_t input, const double* from, double* to, i64 least, i64 most) const {
    const SectorPlaces& detected = tables_.detected();
    const double* const column = alone_.data() + input * modes_ * lanes_;
    for (i64 sector = least; sector <= std::min(most, i64{detected.most()} - 1); ++sector) {
        const u32 level = static_cast<u32>(sector) + 1;
        const double* const parents = from + detected.begin(sector) * lanes_;
        const u64 children = detected.begin(sector + 1) * lanes_;
        // With clicks what is already there stays in its sector, unless there is nothing.
        const bool stays = tables_.plan().clicks && sector < most;
        if (rows_ != nullptr) {
            const RowView view = tables_.detected_rows()->level(level);
            if (stays)
                profile_.rows->multiply_clicks(view, column, parents, from + children, to + children);
            else
                profile_.rows->multiply(view, column, parents, to + children);
        } else {
            const LevelView view = tables_.detected_steps().level(level);
            if (stays)
                mixtures_->multiply_clicks(view, column, parents, from + children, to + children);
            else
                mixtures_->multiply(view, column, parents, to + children);
        }
    }
}

}  // namespace photonlink::optics
