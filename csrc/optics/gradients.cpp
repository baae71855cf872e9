#include "photonlink/optics/gradients.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

#include "photonlink/optics/closed_forms.hpp"
#include "photonlink/optics/gradient_closed_forms.hpp"
#include "photonlink/optics/gradient_network.hpp"
#include "photonlink/optics/gradient_plan.hpp"
#include "photonlink/optics/gradient_readout.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/thread_pool.hpp"

namespace photonlink::optics {
namespace {

/// Rows whose matrix derivatives are added up on their own, whatever the lanes and threads: at least the lanes of any
/// kernel.
constexpr std::size_t kGroup = 16;
constexpr std::size_t kWave = GradientPlan::kWave;

/// One thread's share.
template <class Real>
struct Worker {
    Worker(const ProgramSpec& spec, const GradientNetwork& shared, const ReadoutMap* map, const GradientPlan& plan)
        : network(shared, plan.lanes) {
        if (map == nullptr) {
            closed_form = std::make_unique<ClosedForm>(spec, shared.occupation());
            closed_gradient = std::make_unique<ClosedFormGradient>(spec, shared.occupation());
            values.resize(output_size(spec));
            cotangents.resize(values.size());
            return;
        }
        sweep = std::make_unique<GradientSweep<Real>>(spec, shared.occupation(), plan.lanes, plan.kept_levels);
        readout = std::make_unique<GradientReadout<Real>>(spec, *map, plan.lanes);
    }

    NetworkState network;
    std::unique_ptr<ClosedForm> closed_form;
    std::unique_ptr<ClosedFormGradient> closed_gradient;
    std::vector<double> values;
    std::vector<double> cotangents;
    std::unique_ptr<GradientSweep<Real>> sweep;
    std::unique_ptr<GradientReadout<Real>> readout;
};

template <class Real>
class ReverseSweep final : public Differentiator {
  public:
    ReverseSweep(std::shared_ptr<const ProgramSpec> spec, const GradientOptions& options);

    std::size_t output_size() const override { return outputs_; }
    std::size_t memory_bytes() const override { return plan_.bytes; }
    std::string kernel_profile() const override { return profile_.name; }
    u32 lanes() const override { return plan_.lanes; }
    u32 threads() const override { return static_cast<u32>(workers_.size()); }
    u32 levels() const override { return GradientPlan::levels(*spec_); }
    u32 kept_levels() const override { return plan_.kept_levels; }
    void set_interferometers(const Complex* matrices) override;
    void run(const GradientBatch& batch) override;

  private:
    void check_results(const GradientBatch& batch) const;
    u32 width_for(std::size_t rows) const;
    void run_group(Worker<Real>& worker, const GradientBatch& batch, std::size_t group, Complex* sum) const;
    void run_block(Worker<Real>& worker, const GradientBatch& batch, std::size_t first, u32 rows, u32 width,
                   Complex* sum) const;
    void sweep_block(Worker<Real>& worker, const GradientRows<Real>& rows, u32 width, const double* matrices) const;
    void evaluate_block(Worker<Real>& worker, const GradientRows<Real>& rows, u32 lanes, const double* matrices) const;
    template <class Task>
    void share(std::size_t tasks, const Task& task);

    std::shared_ptr<const ProgramSpec> spec_;
    const KernelProfile& profile_;
    const GradientProfile& gradients_;
    std::size_t outputs_;
    GradientPlan plan_;
    GradientNetwork network_;
    std::unique_ptr<ReadoutMap> map_;  // null for closed forms
    std::vector<std::unique_ptr<Worker<Real>>> workers_;
    std::vector<Complex> sums_;  // per group of a wave
    ThreadPool pool_;
};

template <class Real>
ReverseSweep<Real>::ReverseSweep(std::shared_ptr<const ProgramSpec> spec, const GradientOptions& options)
    : spec_(std::move(spec)),
      profile_(select_kernel_profile()),
      gradients_(gradient_profile(profile_)),
      outputs_(optics::output_size(*spec_)),
      plan_(plan_gradients<Real>(*spec_, profile_, options)),
      network_(*spec_) {
    if (!has_closed_form_gradient(*spec_)) {
        if (!SlosTables::can_number(spec_->readout.space, spec_->modes, spec_->photons()))
            throw ProgramError(
                "the program has more basis states than the 2^32 that can be numbered; use fewer modes "
                "or photons");
        map_ = std::make_unique<ReadoutMap>(*spec_);
    }
    for (u32 t = 0; t < plan_.threads; ++t)
        workers_.push_back(std::make_unique<Worker<Real>>(*spec_, network_, map_.get(), plan_));
}

template <class Real>
void ReverseSweep<Real>::set_interferometers(const Complex* matrices) {
    ProgramSpec changed = *spec_;
    for (std::vector<Complex>& matrix : changed.interferometers) {
        std::copy(matrices, matrices + matrix.size(), matrix.begin());
        matrices += matrix.size();
    }
    check_spec(changed);
    network_.set_interferometers(changed.interferometers);
    spec_ = std::make_shared<const ProgramSpec>(std::move(changed));
}

namespace {

template <class Number>
void check_finite(const Number* numbers, std::size_t rows, std::size_t columns, const char* what) {
    for (std::size_t i = 0; i < rows * columns; ++i)
        if (!std::isfinite(numbers[i]))
            throw ProgramError(std::string(what) + " in row " + std::to_string(i / columns) + ", column " +
                               std::to_string(i % columns) + " is " + std::to_string(numbers[i]) +
                               "; expected a finite number");
}

bool all_finite(const double* numbers, std::size_t count) {
    return numbers == nullptr || std::all_of(numbers, numbers + count, [](double x) { return std::isfinite(x); });
}

}  // namespace

/// A cotangent that is not finite makes derivatives that are not; they are far fewer to look at.
template <class Real>
void ReverseSweep<Real>::check_results(const GradientBatch& batch) const {
    if (batch.cotangents == nullptr) return;
    const auto* const matrices = reinterpret_cast<const double*>(batch.interferometer_gradients);
    if (all_finite(batch.phase_gradients, batch.rows * spec_->phases.size()) &&
        all_finite(matrices, 2 * network_.elements()))
        return;
    check_finite(static_cast<const Real*>(batch.cotangents), batch.rows, outputs_, "cotangent");
}

/// The narrowest kernels that take all rows at once, or the widest affordable.
template <class Real>
u32 ReverseSweep<Real>::width_for(std::size_t rows) const {
    u32 width = plan_.width;
    while (width + 1 < profile_.width_count<Real>() && profile_.widths<Real>()[width + 1].lanes >= rows) ++width;
    return width;
}

/// Calls task(worker, index) for every index, on all threads.
template <class Real>
template <class Task>
void ReverseSweep<Real>::share(std::size_t tasks, const Task& task) {
    std::atomic<std::size_t> next{0};
    const u32 count = static_cast<u32>(std::min(workers_.size(), tasks));
    pool_.run(count, [&](u32 thread) {
        for (std::size_t i = next.fetch_add(1, std::memory_order_relaxed); i < tasks;  // the pool orders all else
             i = next.fetch_add(1, std::memory_order_relaxed))
            task(*workers_[thread], i);
    });
}

template <class Real>
void ReverseSweep<Real>::run(const GradientBatch& batch) {
    check_finite(batch.phases, batch.rows, spec_->phases.size(), "phase");
    const std::size_t elements = network_.elements();
    Complex* const total = batch.cotangents == nullptr ? nullptr : batch.interferometer_gradients;
    if (batch.interferometer_gradients != nullptr) std::fill_n(batch.interferometer_gradients, elements, Complex{0});
    const std::size_t groups = (batch.rows + kGroup - 1) / kGroup;
    for (std::size_t first = 0; first < groups; first += kWave) {
        const std::size_t count = std::min(kWave, groups - first);
        if (total != nullptr) sums_.assign(count * elements, Complex{0});
        share(count, [&](Worker<Real>& worker, std::size_t group) {
            run_group(worker, batch, first + group, total == nullptr ? nullptr : sums_.data() + group * elements);
        });
        if (total == nullptr) continue;
        for (std::size_t group = 0; group < count; ++group)
            for (std::size_t e = 0; e < elements; ++e) total[e] += sums_[group * elements + e];
    }
    check_results(batch);
}

template <class Real>
void ReverseSweep<Real>::run_group(Worker<Real>& worker, const GradientBatch& batch, std::size_t group,
                                   Complex* sum) const {
    const std::size_t end = std::min(batch.rows, (group + 1) * kGroup);
    for (std::size_t first = group * kGroup; first < end;) {
        const u32 width = width_for(end - first);
        const u32 lanes = profile_.widths<Real>()[width].lanes;
        const u32 rows = static_cast<u32>(std::min<std::size_t>(lanes, end - first));
        run_block(worker, batch, first, rows, width, sum);
        first += rows;
    }
}

template <class Real>
void ReverseSweep<Real>::run_block(Worker<Real>& worker, const GradientBatch& batch, std::size_t first, u32 rows,
                                   u32 width, Complex* sum) const {
    const GradientKernels<Real>& kernels = gradients_.widths<Real>()[width];
    const std::size_t phases = spec_->phases.size();
    const double* const matrices = worker.network.propagate(kernels, batch.phases + first * phases, rows);
    GradientRows<Real> at{rows, static_cast<const Real*>(batch.cotangents), static_cast<Real*>(batch.values)};
    if (at.cotangents != nullptr) at.cotangents += first * outputs_;
    if (at.values != nullptr) at.values += first * outputs_;
    if (worker.sweep)
        sweep_block(worker, at, width, matrices);
    else
        evaluate_block(worker, at, kernels.lanes, matrices);
    if (at.cotangents == nullptr) return;
    worker.network.pull_back(kernels, rows,
                             batch.phase_gradients == nullptr ? nullptr : batch.phase_gradients + first * phases, sum);
}

template <class Real>
void ReverseSweep<Real>::sweep_block(Worker<Real>& worker, const GradientRows<Real>& rows, u32 width,
                                     const double* matrices) const {
    const SlosKernels<Real>& kernels = profile_.widths<Real>()[width];
    worker.readout->begin(kernels.lanes, rows);
    worker.sweep->forward(kernels, matrices, [&](const StateTile<Real>& tile) { worker.readout->take(tile); });
    worker.readout->finish();
    if (rows.cotangents == nullptr) return;
    worker.sweep->backward(
        kernels, gradients_.widths<Real>()[width], matrices,
        [&](const StateTile<Real>& tile) { worker.readout->pull_back(tile); }, worker.network.adjoint());
}

template <class Real>
void ReverseSweep<Real>::evaluate_block(Worker<Real>& worker, const GradientRows<Real>& rows, u32 lanes,
                                        const double* matrices) const {
    double* const adjoint = worker.network.adjoint();
    std::fill_n(adjoint, std::size_t{network_.modes()} * network_.columns() * 2 * lanes, 0.0);
    for (u32 row = 0; row < rows.rows; ++row) {
        if (rows.values != nullptr) {
            worker.closed_form->evaluate(matrices + row, matrices + lanes + row, lanes, worker.values.data());
            std::transform(worker.values.begin(), worker.values.end(), rows.values + row * outputs_,
                           [](double value) { return static_cast<Real>(value); });
        }
        if (rows.cotangents == nullptr) continue;
        std::copy_n(rows.cotangents + row * outputs_, outputs_, worker.cotangents.begin());
        worker.closed_gradient->pull_back(matrices + row, matrices + lanes + row, lanes, worker.cotangents.data(),
                                          adjoint + row, adjoint + lanes + row);
    }
}

}  // namespace

std::unique_ptr<Differentiator> Differentiator::create(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                                       const GradientOptions& options) {
    check_differentiable(*spec);
    if (precision == Precision::Float32) return std::make_unique<ReverseSweep<float>>(std::move(spec), options);
    return std::make_unique<ReverseSweep<double>>(std::move(spec), options);
}

}  // namespace photonlink::optics
