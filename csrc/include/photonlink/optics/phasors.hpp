// exp(i phi) of a block of datapoints.
#pragma once

#include "photonlink/optics/circuit_sites.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// cos[W], sin[W] of the phases of sites begin .. end - 1, each in its place, for `rows` datapoints; the last one fills
/// the lanes that are left.
template <class Real>
void load_phasors(const SlosKernels<Real>& kernels, const PhaseSites& sites, const double* phases, u32 rows,
                  double* phasors, u32 begin, u32 end);

}  // namespace photonlink::optics
