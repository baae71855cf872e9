#include "noise_adjusted.hpp"

#include <cmath>
#include <utility>

namespace photonlink::optics {
namespace {

constexpr double kTurn = 6.283185307179586476925;

class AdjustedSimulator final : public Simulator {
  public:
    AdjustedSimulator(std::unique_ptr<Simulator> inner, const ProgramSpec& spec, double kept_scale)
        : inner_(std::move(inner)),
          grid_(spec.noise.phase_imprecision),
          errors_(spec.noise.phase_errors),
          kept_scale_(kept_scale),
          sites_(spec.phases.size()) {
        errors_.resize(sites_, 0.0);
    }

    std::size_t output_size() const override { return inner_->output_size(); }
    std::size_t basis_size() const override { return inner_->basis_size(); }
    std::size_t preferred_batch() const override { return inner_->preferred_batch(); }
    std::size_t memory_bytes() const override { return inner_->memory_bytes(); }
    std::string kernel_profile() const override { return inner_->kernel_profile(); }
    u32 threads() const override { return inner_->threads(); }
    const char* sampler() const override { return inner_->sampler(); }

    void run(const SimulationBatch& batch) override {
        phases_.resize(batch.rows * sites_);
        for (std::size_t i = 0; i < phases_.size(); ++i) phases_[i] = executed(batch.phases[i], errors_[i % sites_]);
        SimulationBatch adjusted = batch;
        adjusted.phases = phases_.data();
        inner_->run(adjusted);
        for (std::size_t row = 0; row < batch.rows; ++row) {
            if (batch.reports != nullptr) batch.reports[row].kept_fraction *= kept_scale_;
            if (batch.kept_fractions != nullptr) batch.kept_fractions[row] *= kept_scale_;
        }
    }

  private:
    double executed(double phase, double error) const {
        double reduced = std::fmod(phase, kTurn);  // what is not finite stays so, and is refused
        if (reduced < 0) reduced += kTurn;
        const double shifted = reduced + error;
        return grid_ > 0 ? grid_ * std::nearbyint(shifted / grid_) : shifted;
    }

    std::unique_ptr<Simulator> inner_;
    double grid_;
    std::vector<double> errors_;
    double kept_scale_;
    std::size_t sites_;
    std::vector<double> phases_;
};

}  // namespace

std::unique_ptr<Simulator> adjusted_simulator(std::unique_ptr<Simulator> inner, const ProgramSpec& spec,
                                              double kept_scale) {
    return std::make_unique<AdjustedSimulator>(std::move(inner), spec, kept_scale);
}

}  // namespace photonlink::optics
