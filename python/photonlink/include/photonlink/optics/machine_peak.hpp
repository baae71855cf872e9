// The bare limit that the simulator's kernels are compared with in benchmarks.
#pragma once

#include "photonlink/optics/program.hpp"

namespace photonlink::optics {

/// Flops per second of one core that does nothing but multiply-adds with the vectors of the SIMD profile in use, the
/// best of several measurements of some milliseconds. A multiply-add counts as two.
double multiply_add_peak(Precision precision);

}  // namespace photonlink::optics
