#include "photonlink/optics/gradients.hpp"

#include <algorithm>
#include <utility>

#include "batch_split.hpp"
#include "gradient_batch.hpp"
#include "gradient_noisy.hpp"
#include "gradient_worker.hpp"
#include "noise_adjusted.hpp"
#include "photonlink/optics/noise_simulator.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/thread_pool.hpp"

namespace photonlink::optics {
namespace {

template <class Real>
class ReverseSweep final : public Differentiator {
  public:
    ReverseSweep(std::shared_ptr<const ProgramSpec> spec, const GradientOptions& options);

    std::size_t output_size() const override { return shared_.outputs; }
    std::size_t memory_bytes() const override { return shared_.plan.bytes; }
    std::string kernel_profile() const override { return shared_.profile.name; }
    u32 lanes() const override { return shared_.plan.lanes; }
    u32 threads() const override { return shared_.plan.threads; }
    u32 levels() const override { return GradientPlan::levels(*shared_.spec); }
    u32 kept_levels() const override { return shared_.plan.kept_levels; }
    void set_interferometers(const Complex* matrices) override;
    void run(const GradientBatch& batch) override;

  private:
    u32 threads_that_pay(double row_ns, std::size_t rows) const;
    bool takes_rows(std::size_t rows) const;
    u32 threads_of_states(const GradientBatch& batch) const;
    void prepare_rows();
    void run_values(const GradientBatch& batch);
    void run_derivatives(const GradientBatch& batch);

    GradientShared<Real> shared_;
    double row_ns_;
    std::vector<std::unique_ptr<GradientWorker<Real>>> workers_;
    GroupSums sums_;
    ThreadPool pool_;
};

template <class Real>
ReverseSweep<Real>::ReverseSweep(std::shared_ptr<const ProgramSpec> spec, const GradientOptions& options)
    : shared_(std::move(spec), options), row_ns_(estimated_row_ns(*shared_.spec, shared_.map != nullptr)) {
    for (u32 t = 0; t < shared_.plan.threads; ++t) workers_.push_back(std::make_unique<GradientWorker<Real>>(shared_));
}

template <class Real>
void ReverseSweep<Real>::set_interferometers(const Complex* matrices) {
    shared_.spec = with_interferometers(*shared_.spec, matrices);
    shared_.network.set_interferometers(shared_.spec->interferometers);
}

template <class Real>
u32 ReverseSweep<Real>::threads_that_pay(double row_ns, std::size_t rows) const {
    return threads_worth(row_ns * static_cast<double>(rows), shared_.plan.threads);
}

template <class Real>
void ReverseSweep<Real>::run(const GradientBatch& batch) {
    begin_batch(*shared_.spec, batch);
    if (batch.cotangents != nullptr) return run_derivatives(batch);
    if (batch.values != nullptr) run_values(batch);
}

template <class Real>
void ReverseSweep<Real>::run_derivatives(const GradientBatch& batch) {
    sums_.run(pool_, threads_that_pay(kBackward * row_ns_, batch.rows), batch, shared_.network.elements(),
              [&](u32 thread, std::size_t first, std::size_t rows, Complex* sum) {
                  workers_[thread]->run(batch, first, rows, sum);
              });
    check_derivatives<Real>(*shared_.spec, batch, shared_.outputs);
}

/// True if vectors over states are faster.
template <class Real>
bool ReverseSweep<Real>::takes_rows(std::size_t rows) const {
    return shared_.plan.rows > 0 && are_few_rows(*shared_.spec, rows);
}

template <class Real>
void ReverseSweep<Real>::prepare_rows() {
    const u32 chunk = shared_.profile.template rows<Real>()->chunk;
    const auto plan = std::make_shared<const RowPlan<Real>>(*shared_.spec, chunk);
    for (const std::unique_ptr<GradientWorker<Real>>& worker : workers_) worker->prepare_rows(plan);
}

/// How many threads pay for the states of a batch's only row; 1 where they cannot be shared.
template <class Real>
u32 ReverseSweep<Real>::threads_of_states(const GradientBatch& batch) const {
    const ReadoutSpec& readout = shared_.spec->readout;
    if (batch.rows != 1 || !is_distribution(readout) || readout.space != Space::Fock || !takes_rows(1)) return 1;
    return threads_that_pay(kLastLevel * row_ns_, 1);
}

template <class Real>
void ReverseSweep<Real>::run_values(const GradientBatch& batch) {
    if (const u32 parts = threads_of_states(batch); parts > 1) {
        if (!workers_.back()->rows_prepared()) prepare_rows();
        return pool_.run(parts, [&](u32 part) { workers_[part]->run_states(batch, part, parts); });
    }
    const u32 threads = threads_that_pay(row_ns_, batch.rows);
    const std::size_t block = block_rows(batch.rows, threads, shared_.plan.lanes);
    if (takes_rows(std::min(block, batch.rows)) && !workers_.back()->rows_prepared()) prepare_rows();
    pool_.share(threads, (batch.rows + block - 1) / block, [&](u32 thread, std::size_t index) {
        GradientWorker<Real>& worker = *workers_[thread];
        const std::size_t first = index * block, rows = std::min(block, batch.rows - first);
        if (worker.rows_prepared() && takes_rows(rows)) return worker.run_rows(batch, first, rows);
        worker.run(batch, first, rows, nullptr);
    });
}

}  // namespace

std::unique_ptr<Differentiator> Differentiator::create(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                                       const GradientOptions& options) {
    check_differentiable(*spec);
    std::shared_ptr<const ProgramSpec> exact = is_noisy(*spec) ? ideal_program(*spec) : spec;
    std::unique_ptr<Differentiator> sweep;
    if (!exact)
        sweep = create_noisy_differentiator(spec, precision, options);
    else if (precision == Precision::Float32)
        sweep = std::make_unique<ReverseSweep<float>>(std::move(exact), options);
    else
        sweep = std::make_unique<ReverseSweep<double>>(std::move(exact), options);
    return has_phase_noise(*spec) ? adjusted_differentiator(std::move(sweep), *spec) : std::move(sweep);
}

}  // namespace photonlink::optics
