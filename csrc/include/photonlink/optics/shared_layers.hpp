// The first layers of a deep network, composed once for datapoints that agree in their phases: those of a parameter
// shift differ in one phase each, and where data come in late, everything before is the same.
#pragma once

#include <vector>

#include "photonlink/optics/circuit_sites.hpp"
#include "photonlink/optics/program.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// Remembers the columns behind each of the layers that were composed last. With a single lane, so that whatever the
/// lanes of the rest, bits are those of the whole.
class SharedLayers {
  public:
    /// `sites` belongs to the owner.
    SharedLayers(const ProgramSpec& spec, u32 columns, const PhaseSites& sites);
    SharedLayers(const SharedLayers&) = delete;
    SharedLayers& operator=(const SharedLayers&) = delete;

    static u64 predict_bytes(const ProgramSpec& spec);

    /// How many layers, from the first on, have the same phases in all rows; 0 in a network of few layers, where
    /// looking costs more than it saves. `phases` is rows x sites.
    u32 count(const double* phases, u32 rows) const;

    /// modes x columns complex numbers: what leaves the interferometer behind the first `layers` layers, at least one,
    /// with the phases of the first row. `first` are the columns of the first interferometer, `matrices` the others.
    const double* columns(u32 layers, const double* phases, const double* first, const double* matrices);

  private:
    bool agrees(u32 layer, const double* phases) const;
    void compose(u32 layer, const double* phases, const double* before, const double* matrices);
    double* stage(u32 layer) { return stages_.data() + std::size_t{layer - 1} * modes_ * columns_ * 2; }

    const PhaseSites& sites_;
    const SlosKernels<double>& single_;  // of one lane
    u32 modes_, columns_, layers_;
    u32 known_ = 0;               // layers whose stages are there
    std::vector<double> phases_;  // that they were composed with
    std::vector<double> stages_;  // behind layers 1, 2, ...
    std::vector<double> phasors_, scratch_;
};

}  // namespace photonlink::optics
