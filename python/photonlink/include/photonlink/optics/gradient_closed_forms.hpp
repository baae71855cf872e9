// Derivatives of the readouts that need no distribution; see closed_forms.hpp for the formulas.
#pragma once

#include <vector>

#include "photonlink/optics/program.hpp"

namespace photonlink::optics {

/// True if ClosedFormGradient covers the spec's readout.
bool has_closed_form_gradient(const ProgramSpec& spec);

class ClosedFormGradient {
  public:
    /// `occupation`: photons of each occupied input mode, ascending.
    ClosedFormGradient(const ProgramSpec& spec, const std::vector<u32>& occupation);

    static u64 predict_bytes(const ProgramSpec& spec);

    /// Derivative of sum(cotangent * value) with respect to the matrix, which is modes x columns complex numbers with
    /// entry (i, c) at re[(i * columns + c) * 2 * stride], im[...]; out_re and out_im are laid out alike.
    void pull_back(const double* re, const double* im, std::size_t stride, const double* cotangent, double* out_re,
                   double* out_im);

  private:
    void mode_expectations(const double* cotangent);
    void correlators(const double* cotangent);
    void click_probabilities(const double* cotangent);
    void no_click(const double* weights, double cotangent, double* weight_gradients);
    void no_click_distinguishable(const double* weights, double cotangent, double* weight_gradients) const;

    ReadoutKind kind_;
    bool interference_;
    u32 modes_;
    std::vector<u32> occupation_;
    std::vector<Complex> matrix_;    // modes x columns
    std::vector<Complex> gradient_;  // what does not go through the weights
    std::vector<double> weight_;     // |.|^2 of the matrix
    std::vector<double> weight_gradient_;
    std::vector<double> pairs_;   // modes x modes: the cotangents of correlators, symmetric
    std::vector<double> series_;  // (columns + 1) x (photons + 1): coefficients after each column
    std::vector<double> series_gradient_;
};

}  // namespace photonlink::optics
