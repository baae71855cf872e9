#include "photonlink/optics/gradient_plan.hpp"

#include <algorithm>

#include "gradient_batch.hpp"
#include "gradient_noisy.hpp"
#include "photonlink/optics/gradient_closed_forms.hpp"
#include "photonlink/optics/gradient_network.hpp"
#include "photonlink/optics/gradient_values.hpp"
#include "photonlink/optics/noise_simulator.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

template <class Real>
u64 bytes_needed(const ProgramSpec& spec, u32 lanes, u32 kept_levels, u32 threads) {
    u64 worker = NetworkState::predict_bytes(spec, lanes);
    u64 shared = GradientNetwork::predict_bytes(spec) + GroupSums::predict_bytes(spec);
    if (has_closed_form_gradient(spec)) {
        worker += ClosedFormGradient::predict_bytes(spec) + output_size(spec) * 2 * sizeof(double);
    } else {
        worker = saturating_add(worker, GradientSweep<Real>::predict_bytes(spec, lanes, kept_levels));
        worker = saturating_add(worker, GradientReadout<Real>::predict_bytes(spec, lanes));
        shared = saturating_add(shared, SlosTables::predict_bytes(spec.readout.space, spec.modes, spec.photons()));
        shared = saturating_add(shared, ReadoutMap::predict_bytes(spec));
    }
    return saturating_add(shared, saturating_mul(worker, threads));
}

/// What values of few rows take besides.
template <class Real>
u64 row_bytes(const ProgramSpec& spec, const RowKernels<Real>& kernels, u32 threads) {
    return saturating_add(RowPlan<Real>::predict_bytes(spec, kernels.chunk),
                          saturating_mul(RowValues<Real>::predict_bytes(spec, kernels.chunk, kernels.rows), threads));
}

template <class Real>
void add_rows(const ProgramSpec& spec, const KernelProfile& profile, u64 limit, GradientPlan& plan) {
    if (profile.row_count == 0 || has_closed_form_gradient(spec)) return;
    const RowKernels<Real>& kernels = profile.rows<Real>()[0];
    const u64 bytes = saturating_add(plan.layout.bytes, row_bytes(spec, kernels, plan.layout.threads));
    if (kernels.rows > plan.layout.lanes || bytes > limit) return;
    plan.rows = kernels.rows;
    plan.layout.bytes = bytes;
}

}  // namespace

u32 GradientPlan::levels(const ProgramSpec& spec) { return has_closed_form_gradient(spec) ? 0 : spec.photons() - 1; }

template <class Real>
GradientPlan plan_gradients(const ProgramSpec& spec, const GradientOptions& options) {
    const KernelProfile& profile = select_kernel_profile();
    const u64 limit = options.memory_limit_bytes;
    GradientPlan plan{};
    plan.layout = choose_gradient_layout<Real>(profile, options, [&](u32 lanes, u32 threads) {
        for (plan.kept_levels = GradientPlan::levels(spec);; --plan.kept_levels) {
            const u64 bytes = bytes_needed<Real>(spec, lanes, plan.kept_levels, threads);
            if (bytes <= limit || plan.kept_levels == 0) return bytes;
        }
    });
    const u64 bytes = plan.layout.bytes;
    if (bytes > limit)
        throw ProgramError(
            "derivatives of " + std::to_string(spec.photons()) + " photons in " + std::to_string(spec.modes) +
            " modes need " + (bytes == kSaturated ? "more than 2^64" : std::to_string(bytes)) + " bytes with " +
            std::to_string(plan.layout.threads) + " thread(s), but the limit is " + std::to_string(limit) +
            " bytes; use fewer threads, photons or modes, a smaller space, or raise the limit");
    add_rows<Real>(spec, profile, limit, plan);
    return plan;
}

std::size_t predict_gradient_bytes(const ProgramSpec& spec, Precision precision, u32 threads) {
    const std::shared_ptr<const ProgramSpec> ideal = is_noisy(spec) ? ideal_program(spec) : nullptr;
    if (is_noisy(spec) && !ideal) return predict_noisy_gradient_bytes(spec, threads);
    const ProgramSpec& exact = ideal ? *ideal : spec;
    return precision == Precision::Float32 ? bytes_needed<float>(exact, 1, 0, threads)
                                           : bytes_needed<double>(exact, 1, 0, threads);
}

u32 phase_degree(const ProgramSpec& spec) {
    check_spec(spec);
    if (spec.noise.phase_imprecision > 0)
        throw ProgramError("phases are rounded to a grid of " + std::to_string(spec.noise.phase_imprecision) +
                           " radians, so that exact shifts cannot be set; remove the phase imprecision");
    if (has_source_noise(spec)) {
        u32 most = 0;
        for (const SourceMode& source : plan_noise(spec).sources) most += source.most();
        return most;
    }
    const bool every_event = spec.readout.space == Space::Fock;
    if (every_event && spec.readout.kind == ReadoutKind::ModeExpectations) return 1;
    if (every_event && spec.readout.kind == ReadoutKind::Correlators) return std::min(2u, spec.photons());
    return spec.photons();
}

template GradientPlan plan_gradients<float>(const ProgramSpec&, const GradientOptions&);
template GradientPlan plan_gradients<double>(const ProgramSpec&, const GradientOptions&);

}  // namespace photonlink::optics
