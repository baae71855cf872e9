// The linear part: one matrix per datapoint, V = F_L diag(exp(i phi_L)) ... F_0[:, s], for the occupied input columns s
// only, always in double precision.
#pragma once

#include <vector>

#include "photonlink/optics/aligned.hpp"
#include "photonlink/optics/circuit_sites.hpp"
#include "photonlink/optics/program.hpp"
#include "photonlink/optics/shared_layers.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

class Interferometer {
  public:
    explicit Interferometer(const ProgramSpec& spec, u32 max_lanes);

    static u64 predict_bytes(const ProgramSpec& spec, u32 max_lanes);

    u32 modes() const { return modes_; }
    u32 columns() const { return static_cast<u32>(inputs_.modes.size()); }
    const std::vector<u32>& occupation() const { return inputs_.occupation; }

    /// Composes the matrices of `rows` datapoints (1..lanes; the last one fills the lanes that are left). `phases` is
    /// rows x spec.phases.size(). Returns modes x columns lane arrays: entry (i, c) of lane l has its real part at
    /// [((i * columns + c) * 2) * lanes + l] and its imaginary part `lanes` further.
    template <class Real>
    const double* compose(const SlosKernels<Real>& kernels, const double* phases, u32 rows);

  private:
    u32 modes_;
    u32 layers_;
    InputColumns inputs_;
    PhaseSites sites_;
    std::vector<double> first_;
    std::vector<double> matrices_;
    SharedLayers shared_;
    AlignedVector<double> phasors_;
    AlignedVector<double> columns_out_;
    AlignedVector<double> columns_scratch_;
};

}  // namespace photonlink::optics
