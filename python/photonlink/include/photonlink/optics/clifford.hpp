// Samples of n photons without their distribution: the algorithm of Clifford and Clifford, "The classical complexity of
// boson sampling", SODA 2018 (arXiv 1706.01260). Photon by photon, each in a mode drawn from its distribution given the
// modes of those before it; that takes permanents up to n x n instead of a basis of binomial(m + n - 1, n) states.
#pragma once

#include <vector>

#include "photonlink/optics/program.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// Post-selection gives up on a sample after so many attempts: a space that keeps less than one event in thousands is
/// no practical one, and the wait must end.
inline constexpr u32 kMostAttempts = 20'000;

/// Draws samples of one datapoint at a time. Holds its scratch.
class CliffordSampler {
  public:
    /// `occupation`: photons of each occupied input mode, ascending.
    CliffordSampler(const ProgramSpec& spec, const std::vector<u32>& occupation, const KernelProfile& profile);

    static u64 predict_bytes(const ProgramSpec& spec);

    /// Takes modes x columns complex numbers as Interferometer::compose returns them for one lane.
    void load(const double* columns);

    /// Occupation numbers of all modes: a function of (seed, datapoint id, shot, attempt) alone. Attempts of a shot are
    /// independent, for callers that reject some.
    void draw(u64 seed, u64 id, u32 shot, u32 attempt, u8* state);

    /// Draws other photons from now on: the column of each, of which there are no more than the program has photons.
    void send(const std::vector<u32>& photon_column);

    /// The same from two uniforms per photon.
    void draw(const double* uniforms, u8* state);

  private:
    void shuffle_photons(const double* uniforms);
    void weigh_modes(u32 photons);
    u32 pick_mode(double uniform) const;

    u32 modes_;
    u32 photons_;
    bool interference_;
    void (*minors_)(u32, const double*, double*);
    std::vector<u32> photon_column_;  // column of each photon of the input
    std::vector<double> re_, im_;     // columns x modes
    std::vector<u32> order_;          // photon_column_, shuffled
    std::vector<u32> rows_;           // modes of the photons drawn so far
    std::vector<double> matrix_;      // their rows, as minors_ takes them
    std::vector<double> minors_out_;  // re, im of each minor
    std::vector<double> weight_;      // per mode
    std::vector<double> amplitude_re_, amplitude_im_;
    std::vector<double> uniforms_;
};

}  // namespace photonlink::optics
