// Derivatives with respect to the columns by which a sweep multiplies, collected photon by photon.
#pragma once

#include "photonlink/optics/sweep_columns.hpp"

namespace photonlink::optics {

template <class Real>
class ColumnGradients {
  public:
    ColumnGradients(const ProgramSpec& spec, const std::vector<u32>& occupation, u32 max_lanes);

    static u64 predict_bytes(const ProgramSpec& spec, u32 max_lanes);

    /// Forgets all derivatives.
    void clear(u32 lanes);

    /// One lane array per mode, complex or real as the sweep's amplitudes, for a part of the derivative with respect to
    /// any column: zero at first and after each add().
    Real* part() { return part_.data(); }
    /// Adds that part, in double precision, to the derivative with respect to a column of the composed matrices.
    void add(u32 input_column);

    /// The derivative with respect to the composed matrices themselves, modes x columns lane arrays. `real_column` is
    /// the one that SweepColumns made real by a phase per output mode.
    void pull_back(const double* matrices, u32 real_column, double* adjoint) const;

  private:
    u32 modes_;
    u32 columns_;
    u32 lanes_ = 0;
    bool interference_;
    AlignedVector<Real> part_;
    AlignedVector<double> sums_;  // columns x modes lane arrays
};

}  // namespace photonlink::optics
