#include "photonlink/optics/gradients.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "batch_split.hpp"
#include "gradient_worker.hpp"
#include "noise_adjusted.hpp"
#include "photonlink/optics/noise_plan.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/thread_pool.hpp"

namespace photonlink::optics {
namespace {

/// Rows whose matrix derivatives are added up on their own, whatever the lanes and threads: at least the lanes of any
/// kernel.
constexpr std::size_t kGroup = 16;
constexpr std::size_t kWave = GradientPlan::kWave;

/// How much longer derivatives take than values, roughly.
constexpr double kBackward = 4;

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
    void check_results(const GradientBatch& batch) const;

    GradientShared<Real> shared_;
    double row_ns_;
    std::vector<std::unique_ptr<GradientWorker<Real>>> workers_;
    std::vector<Complex> sums_;  // per group of a wave
    ThreadPool pool_;
};

template <class Real>
ReverseSweep<Real>::ReverseSweep(std::shared_ptr<const ProgramSpec> spec, const GradientOptions& options)
    : shared_(std::move(spec), options), row_ns_(estimated_row_ns(*shared_.spec, shared_.map != nullptr)) {
    for (u32 t = 0; t < shared_.plan.threads; ++t) workers_.push_back(std::make_unique<GradientWorker<Real>>(shared_));
}

template <class Real>
void ReverseSweep<Real>::set_interferometers(const Complex* matrices) {
    ProgramSpec changed = *shared_.spec;
    for (std::vector<Complex>& matrix : changed.interferometers) {
        std::copy(matrices, matrices + matrix.size(), matrix.begin());
        matrices += matrix.size();
    }
    check_spec(changed);
    shared_.network.set_interferometers(changed.interferometers);
    shared_.spec = std::make_shared<const ProgramSpec>(std::move(changed));
}

/// A cotangent that is not finite makes derivatives that are not; they are far fewer to look at.
template <class Real>
void ReverseSweep<Real>::check_results(const GradientBatch& batch) const {
    const auto* const matrices = reinterpret_cast<const double*>(batch.interferometer_gradients);
    if (all_finite(batch.phase_gradients, batch.rows * shared_.spec->phases.size()) &&
        all_finite(matrices, 2 * shared_.network.elements()))
        return;
    check_finite(static_cast<const Real*>(batch.cotangents), batch.rows, shared_.outputs, "cotangent");
}

template <class Real>
u32 ReverseSweep<Real>::threads_that_pay(double row_ns, std::size_t rows) const {
    return threads_worth(row_ns * static_cast<double>(rows), shared_.plan.threads);
}

template <class Real>
void ReverseSweep<Real>::run(const GradientBatch& batch) {
    check_finite(batch.phases, batch.rows, shared_.spec->phases.size(), "phase");
    if (batch.interferometer_gradients != nullptr)
        std::fill_n(batch.interferometer_gradients, shared_.network.elements(), Complex{0});
    if (batch.cotangents != nullptr) return run_derivatives(batch);
    if (batch.values != nullptr) run_values(batch);
}

template <class Real>
void ReverseSweep<Real>::run_derivatives(const GradientBatch& batch) {
    const std::size_t elements = shared_.network.elements();
    Complex* const total = batch.interferometer_gradients;
    const std::size_t groups = (batch.rows + kGroup - 1) / kGroup;
    const u32 threads = threads_that_pay(kBackward * row_ns_, batch.rows);
    for (std::size_t first = 0; first < groups; first += kWave) {
        const std::size_t count = std::min(kWave, groups - first);
        if (total != nullptr) sums_.assign(count * elements, Complex{0});
        pool_.share(threads, count, [&](u32 thread, std::size_t group) {
            const std::size_t row = (first + group) * kGroup;
            workers_[thread]->run(batch, row, std::min(kGroup, batch.rows - row),
                                  total == nullptr ? nullptr : sums_.data() + group * elements);
        });
        if (total == nullptr) continue;
        for (std::size_t group = 0; group < count; ++group)
            for (std::size_t e = 0; e < elements; ++e) total[e] += sums_[group * elements + e];
    }
    check_results(batch);
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
    std::shared_ptr<const ProgramSpec> exact = differentiable_program(spec);
    std::unique_ptr<Differentiator> sweep;
    if (precision == Precision::Float32)
        sweep = std::make_unique<ReverseSweep<float>>(std::move(exact), options);
    else
        sweep = std::make_unique<ReverseSweep<double>>(std::move(exact), options);
    return has_phase_noise(*spec) ? adjusted_differentiator(std::move(sweep), *spec) : std::move(sweep);
}

}  // namespace photonlink::optics
