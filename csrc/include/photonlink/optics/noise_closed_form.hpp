// Expectations behind imperfect sources that need no distribution: polynomial work, and every event counts.
#pragma once

#include <cstddef>
#include <vector>

#include "photonlink/optics/noise_plan.hpp"

namespace photonlink::optics {

/// True if NoisyClosedForm covers the readout to about 1e-12.
bool has_noisy_closed_form(const ProgramSpec& spec, const NoisePlan& plan);

class NoisyClosedForm {
  public:
    NoisyClosedForm(const ProgramSpec& spec, const NoisePlan& plan);

    /// `matrix`: modes x columns complex numbers, entry (i, c) at re[(i * columns + c) * 2 * stride], im[...].
    /// `values`: one per output.
    void evaluate(const double* re, const double* im, std::size_t stride, double* values);

  protected:
    struct Moments {
        double photons;  // mean number
        double shared;   // mean number in the shared state
        double pairs;    // mean of n (n - 1)
    };

    /// Takes such a matrix.
    void load(const double* re, const double* im, std::size_t stride);
    /// Coefficients of the series of no_click().
    static std::size_t series_terms(const std::vector<SourceMode>& sources);
    /// What an input adds to the series of no_click(), as a polynomial: coefficients 0 to most_common().
    static void count_away(const SourceMode& source, double weight, std::vector<double>& factor);

    ReadoutKind kind_;
    u32 modes_;
    std::vector<SourceMode> sources_;
    std::vector<Moments> moments_;
    std::vector<double> re_;  // modes x columns
    std::vector<double> im_;
    std::vector<double> weight_;  // |.|^2 of them
    std::size_t terms_;           // series_terms(): scratch has room for them from the start
    std::vector<double> factor_;  // scratch of no_click

  private:
    void correlators(double* values) const;
    double no_click(u32 mode);

    std::vector<double> series_;  // likewise
};

}  // namespace photonlink::optics
