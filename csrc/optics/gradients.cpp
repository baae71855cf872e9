#include "photonlink/optics/gradients.hpp"

#include <algorithm>
#include <utility>

#include "gradient_differentiator.hpp"
#include "gradient_noisy.hpp"
#include "gradient_worker.hpp"
#include "noise_adjusted.hpp"
#include "photonlink/optics/noise_simulator.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

template <class Real>
class ReverseSweep final : public BatchDifferentiator<Real, GradientShared<Real>, GradientWorker<Real>> {
  public:
    using Base = BatchDifferentiator<Real, GradientShared<Real>, GradientWorker<Real>>;
    using Base::Base;

  private:
    using Base::shared_;
    using Base::workers_;

    void run_values(const GradientBatch& batch) override;
    bool takes_rows(std::size_t rows) const;
    u32 threads_of_states(const GradientBatch& batch) const;
    void prepare_rows();
};

/// True if vectors over states are faster.
template <class Real>
bool ReverseSweep<Real>::takes_rows(std::size_t rows) const {
    return shared_.rows > 0 && are_few_rows(*shared_.spec, rows);
}

template <class Real>
void ReverseSweep<Real>::prepare_rows() {
    if (workers_.back()->rows_prepared()) return;
    const u32 chunk = shared_.profile.template rows<Real>()->chunk;
    const auto plan = std::make_shared<const RowPlan<Real>>(*shared_.spec, chunk);
    for (const std::unique_ptr<GradientWorker<Real>>& worker : workers_) worker->prepare_rows(plan);
}

/// How many threads pay for the states of a batch's only row; 1 where they cannot be shared.
template <class Real>
u32 ReverseSweep<Real>::threads_of_states(const GradientBatch& batch) const {
    const ReadoutSpec& readout = shared_.spec->readout;
    if (batch.rows != 1 || !is_distribution(readout) || readout.space != Space::Fock || !takes_rows(1)) return 1;
    return this->threads_for(1, kLastLevel);
}

template <class Real>
void ReverseSweep<Real>::run_values(const GradientBatch& batch) {
    const u32 parts = threads_of_states(batch);
    if (takes_rows(std::min(this->value_rows(batch.rows), batch.rows))) prepare_rows();
    if (parts == 1) return Base::run_values(batch);
    this->pool_.run(parts, [&](u32 part) { workers_[part]->run_states(batch, part, parts); });
}

template <class Real>
std::unique_ptr<Differentiator> create_sweep(const std::shared_ptr<const ProgramSpec>& spec,
                                             const GradientOptions& options) {
    const GradientPlan plan = plan_gradients<Real>(*spec, options);
    return std::make_unique<ReverseSweep<Real>>(GradientShared<Real>(spec, plan));
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
        sweep = create_sweep<float>(exact, options);
    else
        sweep = create_sweep<double>(exact, options);
    return has_phase_noise(*spec) ? adjusted_differentiator(std::move(sweep), *spec) : std::move(sweep);
}

}  // namespace photonlink::optics
