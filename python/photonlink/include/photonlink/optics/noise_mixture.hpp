// The exact distribution behind imperfect sources. Each input mode delivers some photons in the shared state, which
// interfere, and some in states of their own, each of which leaves through mode i with probability |V_ip|^2. A
// distribution is a polynomial in one variable per mode, and a photon of its own from input p is a factor
// L_p = sum_i |V_ip|^2 x_i. So the mixture is
//     sum over c of P_c * product over p of g_p(c_p),   g_p(c) = sum_d weight_p(c, d) L_p^d,
// where P_c comes from the interference of c_p photons from each p. The sum is evaluated as a tree, input by input:
// amplitudes grow on the way down, so that configurations share their common part, and every node multiplies what its
// children add up to by its own factor, so that equal remainders are merged before they cost anything.
#pragma once

#include <memory>
#include <vector>

#include "photonlink/optics/interferometer.hpp"
#include "photonlink/optics/noise_basis.hpp"
#include "photonlink/optics/noise_plan.hpp"

namespace photonlink::optics {

/// What a mixture of one program needs beside its matrices; shared by all lane widths.
class MixtureTables {
  public:
    explicit MixtureTables(const ProgramSpec& spec, const NoisePlan& plan);

    const NoisePlan& plan() const { return plan_; }
    /// Detected states; those of kept events are the first kept() ones.
    const SectorBasis& detected() const { return *detected_; }
    /// States of photons in the shared state, before the detectors.
    const SectorBasis& shared() const { return *shared_; }
    u32 kept() const { return detected_->end(plan_.least); }
    /// The detected state of a state of shared(), or SectorBasis::kNone.
    u32 seen(u32 state) const { return seen_.empty() ? state : seen_[state]; }
    /// Product of the factorials of a state of shared().
    double bunching(u32 state) const { return bunching_[state]; }
    /// Largest number of photons from the inputs `first`..
    u32 most_from(std::size_t first) const { return most_from_[first]; }

  private:
    NoisePlan plan_;
    std::shared_ptr<const SectorBasis> detected_;
    std::shared_ptr<const SectorBasis> shared_;
    std::vector<u32> seen_;
    std::vector<double> bunching_;
    std::vector<u32> most_from_;
};

/// Predictions, which saturate: nothing is built for them.
u64 mixture_configurations(const NoisePlan& plan);                             // different c
u64 mixture_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes);  // tables and scratch
u64 mixture_operations(const ProgramSpec& spec, const NoisePlan& plan);        // multiply-adds of a datapoint, at most

/// Evaluates the mixture for `Lanes` datapoints side by side.
template <u32 Lanes>
class MixtureSweep {
  public:
    explicit MixtureSweep(const MixtureTables& tables);

    /// `columns`: what Interferometer::compose returned. The result holds a lane array per detected state, of which
    /// the kept ones are meaningful; they are not renormalised. Null if no event can be kept.
    const double* run(const double* columns);

  private:
    /// Lane arrays by detected state; only the sectors `least` to `most` are meaningful.
    struct Part {
        const double* values;
        i64 least;
        i64 most;
    };

    void load(const double* columns);
    Part visit(std::size_t input, u32 shared, u32 pending);
    Part leaf(u32 shared);
    void add_photon(std::size_t input, u32 shared);
    void accumulate(const Part& part, double weight, i64 least, double* sum) const;
    void multiply(std::size_t input, const double* from, double* to, i64 least, i64 most) const;

    const MixtureTables& tables_;
    u32 modes_;
    std::size_t inputs_;
    AlignedVector<double> column_;                           // inputs x modes: re, im
    AlignedVector<double> alone_;                            // inputs x modes: |.|^2
    std::vector<AlignedVector<double>> amplitudes_;          // by photons in the shared state: re, im
    std::vector<std::vector<AlignedVector<double>>> parts_;  // by input, and by power of L_p that is still to come
    AlignedVector<double> leaf_;
};

}  // namespace photonlink::optics
