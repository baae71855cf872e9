// exp(i phi) of a block of datapoints.
#pragma once

#include "photonlink/optics/circuit_sites.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// cos[W], sin[W] of each site's phase, for `rows` datapoints; the last one fills the lanes that are left.
template <class Real>
void load_phasors(const SlosKernels<Real>& kernels, const PhaseSites& sites, const double* phases, u32 rows,
                  double* phasors);

}  // namespace photonlink::optics
