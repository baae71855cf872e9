#include "gradient_noisy.hpp"

#include <algorithm>
#include <utility>

#include "gradient_differentiator.hpp"
#include "gradient_noisy_worker.hpp"

namespace photonlink::optics {
namespace {

u64 layout_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes, u32 threads) {
    const u64 worker = NoisyGradientWorker<double>::predict_bytes(spec, plan, lanes);
    u64 shared = GradientNetwork::predict_bytes(spec) + GroupSums::predict_bytes(spec);
    if (!has_noisy_closed_form(spec, plan)) {
        shared = saturating_add(shared, mixture_table_bytes(spec, plan, select_kernel_profile()));
        shared = saturating_add(shared, SectorReadout::predict_bytes(spec, plan));
    }
    return saturating_add(shared, saturating_mul(worker, threads));
}

bool is_affordable(const ProgramSpec& spec, const NoisePlan& plan) {
    return has_noisy_closed_form(spec, plan) || mixture_operations(spec, plan) <= kMostMixtureOperations;
}

[[noreturn]] void refuse(const ProgramSpec& spec, const NoisePlan& plan, u64 bytes, std::size_t limit) {
    refuse_mixture(spec, plan, "derivatives take", bytes, limit,
                   "use fewer threads, photons or modes or a smaller space, raise the limit, or shift the phases of a "
                   "session (parameter shift), with shots if its distribution is too much, too");
}

GradientLayout choose_layout(const ProgramSpec& spec, const NoisePlan& plan, const GradientOptions& options) {
    const std::size_t limit = options.memory_limit_bytes;
    if (!is_affordable(spec, plan))
        refuse(spec, plan, layout_bytes(spec, plan, 1, std::max(options.threads, 1u)), limit);
    const GradientLayout layout = choose_gradient_layout<double>(
        select_kernel_profile(), options,
        [&](u32 lanes, u32 threads) { return layout_bytes(spec, plan, lanes, threads); });
    if (layout.bytes > limit) refuse(spec, plan, layout.bytes, limit);
    return layout;
}

template <class Real>
using NoisyReverse = BatchDifferentiator<Real, NoisyGradientShared, NoisyGradientWorker<Real>>;

}  // namespace

std::unique_ptr<Differentiator> create_noisy_differentiator(const std::shared_ptr<const ProgramSpec>& spec,
                                                            Precision precision, const GradientOptions& options) {
    NoisePlan plan = plan_noise(*spec);
    const GradientLayout layout = choose_layout(*spec, plan, options);
    NoisyGradientShared shared(spec, std::move(plan), layout);
    if (precision == Precision::Float32) return std::make_unique<NoisyReverse<float>>(std::move(shared));
    return std::make_unique<NoisyReverse<double>>(std::move(shared));
}

std::size_t predict_noisy_gradient_bytes(const ProgramSpec& spec, u32 threads) {
    return layout_bytes(spec, plan_noise(spec), 1, threads);
}

}  // namespace photonlink::optics
