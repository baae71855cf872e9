// From mixtures to the rows of single datapoints: distributions over the kept states.
#pragma once

#include "photonlink/optics/noise_mixture.hpp"

namespace photonlink::optics {

/// Evaluates the mixtures of `rows` datapoints, whose columns Interferometer::compose returned for the lanes of this
/// width, and writes what is kept of each to targets[row], not renormalised.
void mixture_rows(MixtureSweep& sweep, const MixtureTables& tables, u32 width, const double* columns, u32 rows,
                  double* const* targets);

/// The kept states of the first lanes of a mixture, which are their rows; zeros if there is none.
void take_rows(const MixtureTables& tables, const double* mixture, u32 lanes, u32 rows, double* const* targets);

/// Divides what is kept by its sum, and returns the sum. As without noise, what rounding leaves on states that cannot
/// occur is no probability: the row is then 0, as is what is returned. `photons`: of the input.
double renormalise_row(const MixtureTables& tables, u32 photons, double* row);

}  // namespace photonlink::optics
