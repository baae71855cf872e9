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

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "photonlink/optics/aligned.hpp"
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

/// Multiply-adds per datapoint above which a mixture is refused: some minutes of one core.
inline constexpr u64 kMostMixtureOperations = u64{1} << 38;

/// Predictions, which saturate: nothing is built for them.
u64 mixture_configurations(const NoisePlan& plan);                       // different c
u64 mixture_operations(const ProgramSpec& spec, const NoisePlan& plan);  // multiply-adds of a datapoint, at most
double mixture_row_ns(const ProgramSpec& spec, const NoisePlan& plan);   // of one core, roughly
u64 mixture_table_bytes(const ProgramSpec& spec, const NoisePlan& plan, const KernelProfile& profile);
u64 mixture_sweep_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes);

/// Throws ProgramError with the size of a mixture that takes too much. `taker`: what `bytes` are for, "it takes";
/// `remedy`: what to do.
[[noreturn]] void refuse_mixture(const ProgramSpec& spec, const NoisePlan& plan, const std::string& taker, u64 bytes,
                                 std::size_t limit, const std::string& remedy);

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

  protected:
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

    /// A sum over the photons of the inputs `input`.., beside `shared` photons in the shared state from the inputs
    /// before it, which may add up to `pending` photons in states of their own.
    struct Node {
        std::size_t input;
        u32 shared;
        u32 pending;
        i64 photons;  // at most
        i64 least;    // sectors from which events may be kept; none if least > most
        i64 most;
    };

    Node node(std::size_t input, u32 shared, u32 pending) const;
    /// With `common` more photons in the shared state, from the node's input.
    Node child(const Node& at, u32 common) const;
    /// How many more there may be.
    u32 most_common(const Node& at) const;
    /// Of the node's sums (one per power of L), that which goes with the power `own`.
    Sum power(const Node& at, std::size_t own, std::vector<AlignedVector<double>>& sums) const;
    /// Whether the input's column is that which was made real.
    bool is_real(std::size_t input) const { return input + 1 == inputs_; }
    const double* column(std::size_t input) const;
    void add_photon(std::size_t input, u32 shared);
    /// Adds what the child with `common` photons amounts to, times `scale`, to the node's sums; a bit of `begun` per
    /// sum that has something in it.
    void add_child(const Node& at, u32 common, const Part& part, double scale, u64& begun);
    void clear_others(const Node& at, u64 begun);
    Part leaf(u32 shared);
    void multiply(const Node& at, std::size_t own);
    /// visit(level, parents, children, stays) for the steps by which L takes the sectors `least` to `most` to those of
    /// one photon more: the level, where the lane arrays of parents and children begin, and whether those that are
    /// among the children before stay, at detectors that click.
    template <class Visit>
    void for_steps(i64 least, i64 most, Visit&& visit) const;
    u64 stride(u32 shared) const;
    void clear(double* values, i64 least, i64 most) const;
    void accumulate(const Part& part, double weight, const Sum& sum, bool first) const;

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

  private:
    const double* start(const double* columns, u32 composed_lanes);
    Part visit(const Node& at);
    void add_children(const Node& at);
};

template <class Visit>
void MixtureSweep::for_steps(i64 least, i64 most, Visit&& visit) const {
    const SectorPlaces& detected = tables_.detected();
    for (i64 sector = least; sector <= std::min(most, i64{detected.most()} - 1); ++sector)
        visit(static_cast<u32>(sector) + 1, detected.begin(sector) * lanes_, detected.begin(sector + 1) * lanes_,
              tables_.plan().clicks && sector < most);
}

}  // namespace photonlink::optics
