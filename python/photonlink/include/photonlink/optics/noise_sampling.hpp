// Samples behind imperfect sources without any distribution: what the sources deliver is drawn first, given that enough
// photons arrive; then where these photons leave.
#pragma once

#include <vector>

#include "photonlink/optics/clifford.hpp"
#include "photonlink/optics/noise_basis.hpp"
#include "photonlink/optics/noise_plan.hpp"

namespace photonlink::optics {

/// Draws events of one datapoint at a time. Holds its scratch.
class SourceSampler {
  public:
    /// plan.enough must not be 0.
    SourceSampler(const ProgramSpec& spec, const NoisePlan& plan, const KernelProfile& profile);

    static u64 predict_bytes(const ProgramSpec& spec, const NoisePlan& plan);

    /// Takes modes x columns complex numbers as Interferometer::compose returns them for one lane.
    void load(const double* columns);

    /// What the detectors show of an event in which enough photons arrive, as occupation numbers of all modes: a
    /// function of (seed, datapoint id, shot, attempt) alone. Returns whether the event is kept.
    bool draw(u64 seed, u64 id, u32 shot, u32 attempt, u8* state);

    /// Position of a kept state among all of them.
    u64 position(const u8* state) const { return order_.rank(state); }

  private:
    struct Delivery {
        u32 shared;
        u32 own;
        double cumulative;  // weight of this and all before
    };
    class Uniforms;

    const Delivery& deliver(std::size_t input, u32 needed, double uniform) const;
    u32 leave(std::size_t input, double uniform) const;

    NoisePlan plan_;
    u32 modes_;
    u32 blocks_;                                                  // of two uniforms that an attempt may take
    std::vector<std::vector<std::vector<Delivery>>> deliveries_;  // by input, and by photons that are still needed
    std::vector<double> cumulative_;  // inputs x modes, of the photons in states of their own
    SectorOrder order_;
    CliffordSampler clifford_;
    std::vector<u32> shared_;    // columns of the photons in the shared state
    std::vector<u32> own_;       // of the others
    std::vector<double> draws_;  // uniforms for clifford_
};

}  // namespace photonlink::optics
