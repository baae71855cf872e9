// The exact distribution behind imperfect sources. Each input mode delivers some photons in the shared state, which
// interfere, and some in states of their own, each of which leaves through mode i with probability |V_ip|^2. A
// distribution is a polynomial in one variable per mode, and a photon of its own from input p is a factor
// L_p = sum_i |V_ip|^2 x_i. So the mixture is
//     sum over c of P_c * product over p of g_p(c_p),   g_p(c) = sum_d weight_p(c, d) L_p^d,
// where P_c comes from the interference of c_p photons from each p. The sum is evaluated as a tree, input by input:
// amplitudes grow on the way down, so that configurations share their common part, and every node multiplies what its
// children add up to by its own factor, so that equal remainders are merged before they cost anything.
//
// A factor of a photon of its own is a SLOS step with real weights, and a photon in the shared state one with complex
// weights, so both take the tables of the noiseless simulator; see slos_tables.hpp and row_tables.hpp.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "photonlink/optics/interferometer.hpp"
#include "photonlink/optics/noise_basis.hpp"
#include "photonlink/optics/noise_kernel.hpp"
#include "photonlink/optics/noise_plan.hpp"
#include "photonlink/optics/row_tables.hpp"

namespace photonlink::optics {

/// What a mixture of one program needs beside its matrices; shared by all threads.
class MixtureTables {
  public:
    MixtureTables(const ProgramSpec& spec, const NoisePlan& plan, const KernelProfile& profile);

    const NoisePlan& plan() const { return plan_; }
    const KernelProfile& profile() const { return profile_; }
    /// Detected states.
    const SectorPlaces& detected() const { return detected_; }
    /// States of photons in the shared state, before the detectors.
    const SectorPlaces& shared() const { return shared_; }
    /// States of kept events.
    u64 kept() const { return kept_; }
    /// Largest number of photons from the inputs `first`..
    u32 most_from(std::size_t first) const { return most_from_[first]; }

    /// Products of the factorials of the states of shared(), by place.
    const double* bunching() const { return bunching_.data(); }
    /// Places in detected(), or kNoPlace, of what detectors that click see of states of shared(), by place.
    const u32* seen() const { return seen_.data(); }

    const SlosTables& detected_steps() const { return *detected_steps_; }
    const SlosTables& shared_steps() const { return *shared_steps_; }
    /// Null where the profile does not compute with vectors over states.
    const RowTables* detected_rows() const { return detected_rows_.get(); }
    const RowTables* shared_rows() const { return shared_rows_.get(); }

  private:
    void weigh_states();

    NoisePlan plan_;
    const KernelProfile& profile_;
    SectorPlaces detected_;
    SectorPlaces shared_;
    u64 kept_;
    AlignedVector<double> bunching_;
    std::vector<u32> seen_;
    std::vector<u32> most_from_;
    std::shared_ptr<const SlosTables> detected_steps_, shared_steps_;
    std::shared_ptr<const RowTables> detected_rows_, shared_rows_;
};

/// Predictions, which saturate: nothing is built for them.
u64 mixture_configurations(const NoisePlan& plan);                       // different c
u64 mixture_operations(const ProgramSpec& spec, const NoisePlan& plan);  // multiply-adds of a datapoint, at most
u64 mixture_table_bytes(const ProgramSpec& spec, const NoisePlan& plan, const KernelProfile& profile);
u64 mixture_sweep_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes);

/// Evaluates the mixtures of some datapoints side by side, or that of one with vectors over its states: bit by bit the
/// same.
class MixtureSweep {
  public:
    MixtureSweep(const MixtureTables& tables, u32 max_lanes);

    /// `columns`: what Interferometer::compose returned for `composed_lanes` datapoints, of which the profile's kernels
    /// of this width take the first ones. The result holds a lane array per place of the detected states, of which
    /// those of the kept ones are meaningful; they are not renormalised. Null if no event can be kept.
    const double* run(u32 width, const double* columns, u32 composed_lanes);
    /// The same for the first datapoint alone. The profile must compute with vectors over states.
    const double* run_states(const double* columns, u32 composed_lanes);

  private:
    /// Lane arrays by place of detected states; only the sectors `least` to `most` are meaningful.
    struct Part {
        const double* values;
        i64 least;
        i64 most;
    };

    /// The same, to be written.
    struct Sum {
        double* values;
        i64 least;
        i64 most;
    };

    const double* start(const double* columns, u32 composed_lanes);
    Part visit(std::size_t input, u32 shared, u32 pending);
    void add_children(std::size_t input, u32 shared, u32 pending, const Part& all);
    Part leaf(u32 shared);
    void add_photon(std::size_t input, u32 shared);
    u64 stride(u32 shared) const;
    void clear(double* values, i64 least, i64 most) const;
    void accumulate(const Part& part, double weight, const Sum& sum, bool first) const;
    void multiply(std::size_t input, const double* from, double* to, i64 least, i64 most) const;

    const MixtureTables& tables_;
    const MixtureProfile& profile_;
    const RowKernels<double>* rows_ = nullptr;  // of one datapoint, while it is computed with vectors over its states
    const SlosKernels<double>* kernels_ = nullptr;
    const MixtureKernels* mixtures_ = nullptr;
    u32 lanes_ = 1;
    u32 modes_;
    std::size_t inputs_;
    AlignedVector<double> columns_;                          // inputs x modes lane arrays: re, im
    AlignedVector<double> last_column_;                      // modes lane arrays: that of the last input, made real
    AlignedVector<double> alone_;                            // inputs x modes lane arrays: |.|^2
    std::vector<AlignedVector<double>> amplitudes_;          // by photons in the shared state
    std::vector<std::vector<AlignedVector<double>>> parts_;  // by input, and by power of L_p that is still to come
    AlignedVector<double> light_;                            // probabilities of photons in the shared state
    AlignedVector<double> leaf_;                             // what detectors that click see of them
};

}  // namespace photonlink::optics
