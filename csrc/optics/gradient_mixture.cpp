#include "photonlink/optics/gradient_mixture.hpp"

#include <algorithm>

namespace photonlink::optics {

u64 MixtureGradientSweep::predict_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes) {
    // Each of the sums, amplitudes and weights of the way forward has derivatives of the same size.
    const u64 sweep = mixture_sweep_bytes(spec, plan, lanes);
    return saturating_add(saturating_mul(sweep, 2), ColumnGradients<double>::predict_bytes(spec, lanes));
}

MixtureGradientSweep::MixtureGradientSweep(const ProgramSpec& spec, const std::vector<u32>& occupation,
                                           const MixtureTables& tables, u32 max_lanes)
    : MixtureSweep(tables, max_lanes),
      gradient_profile_(gradient_profile(tables.profile())),
      columns_gradient_(spec, occupation, max_lanes) {
    for (const std::vector<AlignedVector<double>>& sums : parts_) adjoints_.push_back(sums);
    adjoints_.emplace_back(1, leaf_);
    for (const AlignedVector<double>& amplitudes : amplitudes_) amplitude_adjoints_.push_back(amplitudes);
    alone_gradient_.resize(alone_.size());
}

void MixtureGradientSweep::backward(u32 width, const double* columns, double* adjoint) {
    gradients_ = gradient_profile_.float64 + width;
    mixture_gradients_ = gradient_profile_.mixtures + width;
    columns_gradient_.clear(lanes_);
    std::fill(alone_gradient_.begin(), alone_gradient_.end(), 0.0);
    clear_amplitudes(0);  // of no photons: everything adds to it, and nothing comes of it
    back(node(0, 0, 0));
    columns_gradient_.pull_back(columns, static_cast<u32>(inputs_) - 1, adjoint);
    add_weights(columns, adjoint);
}

/// Given the derivatives with respect to the node's sum. Returns that sum.
MixtureSweep::Part MixtureGradientSweep::back(const Node& at) {
    if (at.input == inputs_) return back_leaf(at);
    const std::size_t powers = parts_[at.input].size();
    for (std::size_t own = 1; own < powers; ++own) pull_back_power(at, own);
    back_children(at);
    for (std::size_t own = powers; --own > 0;) {
        add_column(at, own);
        multiply(at, own);
    }
    return {parts_[at.input][0].data(), at.least, at.most};
}

/// From the child with most photons in the shared state to that with none: so the derivatives with respect to the
/// amplitudes of c photons have come together, from the child with c and from the step to c + 1, when the step to c is
/// taken back. Amplitudes are there until then, since a child changes only those of more photons than it has itself.
void MixtureGradientSweep::back_children(const Node& at) {
    const u32 most = most_common(at);
    double scale = 1;
    for (u32 common = 1; common <= most; ++common) {
        add_photon(at.input, at.shared + common);
        scale /= common;
    }
    if (most > 0) clear_amplitudes(at.shared + most);
    u64 begun = 0;
    for (u32 common = most + 1; common-- > 0;) {
        const Node next = child(at, common);
        if (load_child(at, common, next, scale)) add_child(at, common, back(next), scale, begun);
        if (common == 0) break;
        if (common > 1) clear_amplitudes(at.shared + common - 1);
        back_photon(at.input, at.shared + common);
        scale *= common;
    }
    clear_others(at, begun);
}

/// The derivatives with respect to the sum of a child, from those of its parent's sums. False if it adds to none.
bool MixtureGradientSweep::load_child(const Node& at, u32 common, const Node& child, double scale) {
    if (child.least > child.most) return false;
    const SourceMode& source = tables_.plan().sources[at.input];
    bool begun = false;
    for (u32 own = 0; own < adjoints_[at.input].size(); ++own) {
        if (!(source.weight(common, own) > 0)) continue;
        const Sum from = power(at, own, adjoints_[at.input]);
        accumulate({from.values, from.least, from.most}, source.weight(common, own) * scale,
                   {adjoints_[child.input][0].data(), child.least, child.most}, !begun);
        begun = true;
    }
    return begun;
}

MixtureSweep::Part MixtureGradientSweep::back_leaf(const Node& at) {
    const Part part = leaf(at.shared);
    const SectorPlaces& states = tables_.shared();
    double* const cotangents = adjoints_[inputs_][0].data();
    clear(cotangents, part.least, at.least - 1);  // seen, and not kept
    const bool clicks = tables_.plan().clicks;
    const u64 first = states.begin(at.shared);
    mixture_gradients_->amplitudes(states.states(at.shared), tables_.bunching() + first,
                                   clicks ? tables_.seen() + first : nullptr,
                                   clicks ? cotangents : cotangents + tables_.detected().begin(at.shared) * lanes_,
                                   amplitudes_[at.shared].data(), amplitude_adjoints_[at.shared].data());
    return part;
}

/// Through the step from one photon less to `shared` photons in the shared state.
void MixtureGradientSweep::back_photon(std::size_t input, u32 shared) {
    const LevelView level = tables_.shared_steps().level(shared);
    const auto back = is_real(input) ? gradients_->back_real_column : gradients_->back;
    back(level, 0, level.block_count, column(input), amplitudes_[shared - 1].data(), amplitude_adjoints_[shared].data(),
         amplitude_adjoints_[shared - 1].data(), columns_gradient_.part());
    columns_gradient_.add(static_cast<u32>(input));
}

void MixtureGradientSweep::clear_amplitudes(u32 shared) {
    AlignedVector<double>& adjoints = amplitude_adjoints_[shared];
    std::fill_n(adjoints.begin(), 2 * tables_.shared().states(shared) * lanes_, 0.0);
}

/// Derivatives with respect to the sum that goes with the power `own` of L, from those of the power below, to which L
/// times that sum is added.
void MixtureGradientSweep::pull_back_power(const Node& at, std::size_t own) {
    const double* const column = alone_.data() + at.input * modes_ * lanes_;
    const double* const to = adjoints_[at.input][own - 1].data();
    const Sum from = power(at, own, adjoints_[at.input]);
    clear(from.values, from.least, from.most);
    for_steps(from.least, from.most, [&](u32 level, u64 parents, u64 children, bool stays) {
        const LevelView view = tables_.detected_steps().level(level);
        if (stays)
            mixture_gradients_->pull_back_clicks(view, column, to + children, from.values + parents,
                                                 from.values + children);
        else
            mixture_gradients_->pull_back(view, column, to + children, from.values + parents);
    });
}

/// Derivatives with respect to L itself, where multiply() takes the same step.
void MixtureGradientSweep::add_column(const Node& at, std::size_t own) {
    double* const column = alone_gradient_.data() + at.input * modes_ * lanes_;
    const double* const to = adjoints_[at.input][own - 1].data();
    const Sum from = power(at, own, parts_[at.input]);
    for_steps(from.least, from.most, [&](u32 level, u64 parents, u64 children, bool stays) {
        const LevelView view = tables_.detected_steps().level(level);
        if (stays)
            mixture_gradients_->column_clicks(view, to + children, from.values + parents, from.values + children,
                                              column);
        else
            mixture_gradients_->column(view, to + children, from.values + parents, column);
    });
}

/// The weights are |V|^2.
void MixtureGradientSweep::add_weights(const double* columns, double* adjoint) const {
    for (u32 mode = 0; mode < modes_; ++mode)
        for (std::size_t input = 0; input < inputs_; ++input) {
            const double* const gradient = alone_gradient_.data() + (input * modes_ + mode) * lanes_;
            for (u32 part = 0; part < 2; ++part, columns += lanes_, adjoint += lanes_)
                for (u32 lane = 0; lane < lanes_; ++lane) adjoint[lane] += 2 * gradient[lane] * columns[lane];
        }
}

}  // namespace photonlink::optics
