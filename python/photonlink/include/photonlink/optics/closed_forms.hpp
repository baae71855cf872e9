// Readouts of the full Fock space that need no distribution: polynomial work where the basis grows exponentially.
#pragma once

#include <vector>

#include "photonlink/optics/program.hpp"

namespace photonlink::optics {

/// True if `evaluate` covers the spec's readout to about 1e-12.
bool has_closed_form(const ProgramSpec& spec);

/// Evaluates a readout for which has_closed_form() holds.
class ClosedForm {
  public:
    /// `occupation`: photons of each occupied input mode, ascending.
    ClosedForm(const ProgramSpec& spec, const std::vector<u32>& occupation);

    /// `matrix`: modes x columns complex numbers, entry (i, c) at re[(i * columns + c) * 2 * stride], im[...].
    /// `values`: one per output.
    void evaluate(const double* re, const double* im, std::size_t stride, double* values);

  private:
    void mode_expectations(double* values) const;
    void correlators(double* values) const;
    double no_click(u32 mode);

    ReadoutKind kind_;
    bool interference_;
    u32 modes_;
    std::vector<u32> occupation_;
    std::vector<double> re_;  // modes x columns
    std::vector<double> im_;
    std::vector<double> weight_;  // |.|^2 of them
    std::vector<double> series_;  // scratch of no_click
};

}  // namespace photonlink::optics
