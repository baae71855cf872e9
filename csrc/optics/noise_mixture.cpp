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
    for (const SourceMode& source : tables.plan().sources) {
        parts_.emplace_back(source.most_own() + 1u);
        for (AlignedVector<double>& sum : parts_.back()) sum.resize(places * max_lanes);
    }
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
    return visit(node(0, 0, 0)).values;
}

MixtureSweep::Node MixtureSweep::node(std::size_t input, u32 shared, u32 pending) const {
    const NoisePlan& plan = tables_.plan();
    const i64 photons = i64{shared} + tables_.most_from(input);
    return {input,
            shared,
            pending,
            photons,
            std::max<i64>(i64{plan.least} - pending, 0),
            std::min(photons, i64{plan.most})};
}

MixtureSweep::Node MixtureSweep::child(const Node& at, u32 common) const {
    return node(at.input + 1, at.shared + common,
                at.pending + tables_.plan().sources[at.input].most_own_beside(common));
}

u32 MixtureSweep::most_common(const Node& at) const {
    return std::min(tables_.plan().sources[at.input].most_common(), tables_.shared().most() - at.shared);
}

MixtureSweep::Sum MixtureSweep::power(const Node& at, std::size_t own, std::vector<AlignedVector<double>>& sums) const {
    const i64 photons = static_cast<i64>(own);
    return {sums[own].data(), std::max<i64>(at.least - photons, 0),
            std::min(at.photons - photons, i64{tables_.detected().most()})};
}

MixtureSweep::Part MixtureSweep::visit(const Node& at) {
    if (at.least > at.most) return {nullptr, 0, 0};
    if (at.input == inputs_) return leaf(at.shared);
    add_children(at);
    for (std::size_t own = parts_[at.input].size(); --own > 0;) multiply(at, own);
    return {parts_[at.input][0].data(), at.least, at.most};
}

/// What the inputs behind the node's amount to, for each number of photons that it sends in the shared state, added up
/// for each power of L that goes with it.
void MixtureSweep::add_children(const Node& at) {
    u64 begun = 0;
    double scale = 1;  // of the input state |c>: 1 / c!
    for (u32 common = 0; common <= most_common(at); ++common) {
        if (common > 0) add_photon(at.input, at.shared + common);
        if (common > 0) scale /= common;
        add_child(at, common, visit(child(at, common)), scale, begun);
    }
    clear_others(at, begun);
}

void MixtureSweep::add_child(const Node& at, u32 common, const Part& part, double scale, u64& begun) {
    const SourceMode& source = tables_.plan().sources[at.input];
    std::vector<AlignedVector<double>>& sums = parts_[at.input];
    for (u32 own = 0; part.values != nullptr && own < sums.size(); ++own) {
        if (!(source.weight(common, own) > 0)) continue;
        accumulate(part, source.weight(common, own) * scale, power(at, own, sums), (begun >> own & 1) == 0);
        begun |= u64{1} << own;
    }
}

void MixtureSweep::clear_others(const Node& at, u64 begun) {
    for (std::size_t own = 0; own < parts_[at.input].size(); ++own) {
        if ((begun >> own & 1) != 0) continue;
        const Sum sum = power(at, own, parts_[at.input]);
        clear(sum.values, sum.least, sum.most);
    }
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

const double* MixtureSweep::column(std::size_t input) const {
    return is_real(input) ? last_column_.data() : columns_.data() + input * modes_ * 2 * lanes_;
}

/// Amplitudes of `shared` photons from those of one less.
void MixtureSweep::add_photon(std::size_t input, u32 shared) {
    const double* const from = amplitudes_[shared - 1].data();
    double* const to = amplitudes_[shared].data();
    if (rows_ != nullptr) {
        const auto step = is_real(input) ? rows_->step_real_column : rows_->step;
        step(tables_.shared_rows()->level(shared), column(input), from, stride(shared - 1), to, stride(shared));
    } else {
        const auto step = is_real(input) ? kernels_->step_real_column : kernels_->step;
        step(tables_.shared_steps().level(shared), column(input), from, to);
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

/// The sum that goes with the power below += L times that which goes with the power `own`.
void MixtureSweep::multiply(const Node& at, std::size_t own) {
    const double* const column = alone_.data() + at.input * modes_ * lanes_;
    const Sum sum = power(at, own, parts_[at.input]);
    const double* const from = sum.values;
    double* const to = parts_[at.input][own - 1].data();
    for_steps(sum.least, sum.most, [&](u32 level, u64 parents, u64 children, bool stays) {
        if (rows_ != nullptr) {
            const RowView view = tables_.detected_rows()->level(level);
            if (stays)
                profile_.rows->multiply_clicks(view, column, from + parents, from + children, to + children);
            else
                profile_.rows->multiply(view, column, from + parents, to + children);
        } else {
            const LevelView view = tables_.detected_steps().level(level);
            if (stays)
                mixtures_->multiply_clicks(view, column, from + parents, from + children, to + children);
            else
                mixtures_->multiply(view, column, from + parents, to + children);
        }
    });
}

}  // namespace photonlink::optics
