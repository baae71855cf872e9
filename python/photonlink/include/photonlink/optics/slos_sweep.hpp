// Strong linear optical simulation (Heurtel et al., arXiv 2206.10549): the output amplitudes are the coefficients of a
// product of one linear form per photon, so they are built photon by photon, each level from the one before.
#pragma once

#include <memory>

#include "photonlink/optics/slos_tables.hpp"
#include "photonlink/optics/sweep_columns.hpp"

namespace photonlink::optics {

template <class Real>
class SlosSweep {
  public:
    SlosSweep(const ProgramSpec& spec, const std::vector<u32>& occupation, u32 max_lanes,
              SweepResult result = SweepResult::Probabilities);

    /// Scratch, without the tables; saturates.
    static u64 predict_bytes(const ProgramSpec& spec, u32 max_lanes, SweepResult result = SweepResult::Probabilities);

    u64 basis_size() const { return tables_->states(tables_->photons()); }

    /// Results of the `rows` first lanes, for the matrices that Interferometer::compose returned; row r goes to
    /// targets[r], basis_size() probabilities or complex amplitudes (re, im). They are not renormalised: each is that
    /// of the state itself.
    void run(const SlosKernels<Real>& kernels, const double* columns, Real* const* targets, u32 rows);

  private:
    const std::shared_ptr<const SlosTables> tables_;
    const SweepResult result_;
    SweepColumns<Real> columns_;
    AlignedVector<Real> levels_[2];  // amplitudes of the last and the next level, taking turns
    u32 tile_capacity_;              // states
    AlignedVector<Real> tile_;       // results of a few blocks, before they go to their rows
};

}  // namespace photonlink::optics
