#include "gradient_noisy.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "batch_split.hpp"
#include "gradient_batch.hpp"
#include "gradient_noisy_worker.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

struct Layout {
    u32 lanes;
    u32 threads;
    u64 bytes;  // of all threads together
};

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

/// As many threads as are asked for with the widest kernels that fit; where none are asked for, fewer come before none.
Layout choose_layout(const ProgramSpec& spec, const NoisePlan& plan, const GradientOptions& options) {
    const KernelProfile& profile = select_kernel_profile();
    const u32 least = options.threads == 0 ? 1 : options.threads;
    if (!is_affordable(spec, plan)) refuse(spec, plan, layout_bytes(spec, plan, 1, least), options.memory_limit_bytes);
    Layout layout{1, usable_threads(options.threads), 0};
    for (;; --layout.threads) {
        for (u32 width = 0; width < profile.width_count<double>(); ++width) {
            layout.lanes = profile.widths<double>()[width].lanes;
            layout.bytes = layout_bytes(spec, plan, layout.lanes, layout.threads);
            if (layout.bytes <= options.memory_limit_bytes) return layout;
        }
        if (layout.threads <= least) refuse(spec, plan, layout.bytes, options.memory_limit_bytes);
    }
}

template <class Real>
class NoisyReverse final : public Differentiator {
  public:
    NoisyReverse(std::shared_ptr<const ProgramSpec> spec, const Layout& layout);

    std::size_t output_size() const override { return shared_.outputs; }
    std::size_t memory_bytes() const override { return layout_.bytes; }
    std::string kernel_profile() const override { return shared_.profile.name; }
    u32 lanes() const override { return layout_.lanes; }
    u32 threads() const override { return layout_.threads; }
    u32 levels() const override { return shared_.tables == nullptr ? 0 : shared_.tables->shared().most(); }
    u32 kept_levels() const override { return levels(); }
    void set_interferometers(const Complex* matrices) override;
    void run(const GradientBatch& batch) override;

  private:
    void run_values(const GradientBatch& batch);
    u32 threads_that_pay(double row_ns, std::size_t rows) const {
        return threads_worth(row_ns * static_cast<double>(rows), layout_.threads);
    }

    Layout layout_;
    NoisyGradientShared shared_;
    double row_ns_;
    std::vector<std::unique_ptr<NoisyGradientWorker<Real>>> workers_;
    GroupSums sums_;
    ThreadPool pool_;
};

template <class Real>
NoisyReverse<Real>::NoisyReverse(std::shared_ptr<const ProgramSpec> spec, const Layout& layout)
    : layout_(layout), shared_(std::move(spec), layout.lanes), row_ns_(estimated_row_ns(*shared_.spec, false)) {
    if (shared_.tables != nullptr) row_ns_ += mixture_row_ns(*shared_.spec, shared_.plan);
    for (u32 t = 0; t < layout.threads; ++t) workers_.push_back(std::make_unique<NoisyGradientWorker<Real>>(shared_));
}

template <class Real>
void NoisyReverse<Real>::set_interferometers(const Complex* matrices) {
    shared_.spec = with_interferometers(*shared_.spec, matrices);
    shared_.network.set_interferometers(shared_.spec->interferometers);
}

template <class Real>
void NoisyReverse<Real>::run(const GradientBatch& batch) {
    begin_batch(*shared_.spec, batch);
    if (batch.cotangents == nullptr) return run_values(batch);
    sums_.run(pool_, threads_that_pay(kBackward * row_ns_, batch.rows), batch, shared_.network.elements(),
              [&](u32 thread, std::size_t first, std::size_t rows, Complex* sum) {
                  workers_[thread]->run(batch, first, rows, sum);
              });
    if (shared_.plan.enough > 0)
        check_derivatives<Real>(*shared_.spec, batch, shared_.outputs);
    else  // no event is kept: derivatives are zero, whatever the cotangents
        check_cotangents<Real>(batch, shared_.outputs);
}

template <class Real>
void NoisyReverse<Real>::run_values(const GradientBatch& batch) {
    if (batch.values == nullptr) return;
    const u32 threads = threads_that_pay(row_ns_, batch.rows);
    const std::size_t block = block_rows(batch.rows, threads, layout_.lanes);
    pool_.share(threads, (batch.rows + block - 1) / block, [&](u32 thread, std::size_t index) {
        const std::size_t first = index * block;
        workers_[thread]->run(batch, first, std::min(block, batch.rows - first), nullptr);
    });
}

}  // namespace

std::unique_ptr<Differentiator> create_noisy_differentiator(std::shared_ptr<const ProgramSpec> spec,
                                                            Precision precision, const GradientOptions& options) {
    const Layout layout = choose_layout(*spec, plan_noise(*spec), options);
    if (precision == Precision::Float32) return std::make_unique<NoisyReverse<float>>(std::move(spec), layout);
    return std::make_unique<NoisyReverse<double>>(std::move(spec), layout);
}

std::size_t predict_noisy_gradient_bytes(const ProgramSpec& spec, u32 threads) {
    return layout_bytes(spec, plan_noise(spec), 1, threads);
}

}  // namespace photonlink::optics
