// Derivatives of the expectations behind imperfect sources that need no distribution; see noise_closed_form.hpp for the
// formulas, and gradient_closed_forms.hpp for the like without noise.
#pragma once

#include <vector>

#include "photonlink/optics/noise_closed_form.hpp"

namespace photonlink::optics {

class NoisyClosedFormGradient : public NoisyClosedForm {
  public:
    NoisyClosedFormGradient(const ProgramSpec& spec, const NoisePlan& plan);

    static u64 predict_bytes(const ProgramSpec& spec, const NoisePlan& plan);

    /// Derivative of sum(cotangent * value) with respect to the matrix, which evaluate() takes alike; out_re and out_im
    /// are laid out as it.
    void pull_back(const double* re, const double* im, std::size_t stride, const double* cotangent, double* out_re,
                   double* out_im);

  private:
    void pull_back_means(const double* cotangent);
    void pull_back_correlators(const double* cotangent);
    void add_pair(std::size_t i, std::size_t j, double cotangent);
    void pull_back_no_click(u32 mode, double cotangent);
    void slope_away(const SourceMode& source, double weight);

    std::vector<Complex> gradient_;  // modes x columns: what does not go through the weights
    std::vector<double> weight_gradient_;
    std::vector<double> series_by_column_;  // (columns + 1) x terms_: coefficients after each column
    std::vector<double> series_gradient_;
    std::vector<double> slope_;  // of the factor of a column, by its weight
};

}  // namespace photonlink::optics
