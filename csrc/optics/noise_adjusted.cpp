#include "noise_adjusted.hpp"

#include <cmath>
#include <utility>

#include "photonlink/optics/noise_simulator.hpp"

namespace photonlink::optics {
namespace {

/// Phases of requests as they are set.
class ExecutedPhases {
  public:
    explicit ExecutedPhases(const ProgramSpec& spec)
        : noise_(spec.noise), precise_(!has_phase_noise(spec)), sites_(spec.phases.size()) {
        noise_.phase_errors.resize(sites_, 0.0);
    }

    const double* of(const double* phases, std::size_t rows) {
        if (precise_) return phases;
        phases_.resize(rows * sites_);
        for (std::size_t i = 0; i < phases_.size(); ++i)
            phases_[i] = executed_phase(noise_, phases[i], noise_.phase_errors[i % sites_]);
        return phases_.data();
    }

  private:
    NoiseSpec noise_;
    bool precise_;
    std::size_t sites_;
    std::vector<double> phases_;
};

class AdjustedSimulator final : public Simulator {
  public:
    AdjustedSimulator(std::unique_ptr<Simulator> inner, const ProgramSpec& spec, double kept_scale)
        : inner_(std::move(inner)), executed_(spec), kept_scale_(kept_scale) {}

    std::size_t output_size() const override { return inner_->output_size(); }
    std::size_t basis_size() const override { return inner_->basis_size(); }
    std::size_t preferred_batch() const override { return inner_->preferred_batch(); }
    std::size_t memory_bytes() const override { return inner_->memory_bytes(); }
    std::string kernel_profile() const override { return inner_->kernel_profile(); }
    u32 threads() const override { return inner_->threads(); }
    const char* sampler() const override { return inner_->sampler(); }

    void run(const SimulationBatch& batch) override {
        SimulationBatch adjusted = batch;
        adjusted.phases = executed_.of(batch.phases, batch.rows);
        inner_->run(adjusted);
        for (std::size_t row = 0; row < batch.rows; ++row) {
            if (batch.reports != nullptr) batch.reports[row].kept_fraction *= kept_scale_;
            if (batch.kept_fractions != nullptr) batch.kept_fractions[row] *= kept_scale_;
        }
    }

  private:
    std::unique_ptr<Simulator> inner_;
    ExecutedPhases executed_;
    double kept_scale_;
};

class AdjustedDifferentiator final : public Differentiator {
  public:
    AdjustedDifferentiator(std::unique_ptr<Differentiator> inner, const ProgramSpec& spec)
        : inner_(std::move(inner)), executed_(spec) {}

    std::size_t output_size() const override { return inner_->output_size(); }
    std::size_t memory_bytes() const override { return inner_->memory_bytes(); }
    std::string kernel_profile() const override { return inner_->kernel_profile(); }
    u32 lanes() const override { return inner_->lanes(); }
    u32 threads() const override { return inner_->threads(); }
    u32 levels() const override { return inner_->levels(); }
    u32 kept_levels() const override { return inner_->kept_levels(); }
    void set_interferometers(const Complex* matrices) override { inner_->set_interferometers(matrices); }

    void run(const GradientBatch& batch) override {
        GradientBatch adjusted = batch;
        adjusted.phases = executed_.of(batch.phases, batch.rows);
        inner_->run(adjusted);
    }

  private:
    std::unique_ptr<Differentiator> inner_;
    ExecutedPhases executed_;
};

}  // namespace

double executed_phase(const NoiseSpec& noise, double phase, double error) {
    constexpr double kTurn = 6.283185307179586476925;
    double reduced = std::fmod(phase, kTurn);  // what is not finite stays so, and is refused
    if (reduced < 0) reduced += kTurn;
    const double shifted = reduced + error;
    const double grid = noise.phase_imprecision;
    return grid > 0 ? grid * std::nearbyint(shifted / grid) : shifted;
}

std::unique_ptr<Simulator> adjusted_simulator(std::unique_ptr<Simulator> inner, const ProgramSpec& spec,
                                              double kept_scale) {
    return std::make_unique<AdjustedSimulator>(std::move(inner), spec, kept_scale);
}

std::unique_ptr<Differentiator> adjusted_differentiator(std::unique_ptr<Differentiator> inner,
                                                        const ProgramSpec& spec) {
    return std::make_unique<AdjustedDifferentiator>(std::move(inner), spec);
}

}  // namespace photonlink::optics
