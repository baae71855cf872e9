#include "photonlink/optics/gradient_plan.hpp"

#include <algorithm>

#include "gradient_batch.hpp"
#include "gradient_noisy.hpp"
#include "photonlink/optics/gradient_closed_forms.hpp"
#include "photonlink/optics/gradient_network.hpp"
#include "photonlink/optics/gradient_values.hpp"
#include "photonlink/optics/noise_simulator.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/thread_pool.hpp"

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
    const u64 bytes = saturating_add(plan.bytes, row_bytes(spec, kernels, plan.threads));
    if (kernels.rows > plan.lanes || bytes > limit) return;
    plan.rows = kernels.rows;
    plan.bytes = bytes;
}

}  // namespace

u32 GradientPlan::levels(const ProgramSpec& spec) { return has_closed_form_gradient(spec) ? 0 : spec.photons() - 1; }

template <class Real>
GradientPlan plan_gradients(const ProgramSpec& spec, const KernelProfile& profile, const GradientOptions& options) {
    GradientPlan plan{};
    const u32 least = options.threads == 0 ? 1 : options.threads;
    for (plan.threads = usable_threads(options.threads);; --plan.threads) {
        for (plan.width = 0; plan.width < profile.width_count<Real>(); ++plan.width) {
            plan.lanes = profile.widths<Real>()[plan.width].lanes;
            for (plan.kept_levels = GradientPlan::levels(spec);; --plan.kept_levels) {
                plan.bytes = bytes_needed<Real>(spec, plan.lanes, plan.kept_levels, plan.threads);
                if (plan.bytes <= options.memory_limit_bytes) {
                    add_rows<Real>(spec, profile, options.memory_limit_bytes, plan);
                    return plan;
                }
                if (plan.kept_levels == 0) break;
            }
        }
        if (plan.threads <= least) break;
    }
    throw ProgramError(
        "derivatives of " + std::to_string(spec.photons()) + " photons in " + std::to_string(spec.modes) +
        " modes need " + (plan.bytes == kSaturated ? "more than 2^64" : std::to_string(plan.bytes)) + " bytes with " +
        std::to_string(plan.threads) + " thread(s), but the limit is " + std::to_string(options.memory_limit_bytes) +
        " bytes; use fewer threads, photons or modes, a smaller space, or raise the limit");
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

template GradientPlan plan_gradients<float>(const ProgramSpec&, const KernelProfile&, const GradientOptions&);
template GradientPlan plan_gradients<double>(const ProgramSpec&, const KernelProfile&, const GradientOptions&);

}  // namespace photonlink::optics
