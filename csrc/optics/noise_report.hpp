// How a row of a noisy simulation reaches the caller.
#pragma once

#include <cstddef>

#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

/// The report that a row fills: the caller's, or `scratch`; emptied, with `outputs` observables.
RowReport& fresh_report(const SimulationBatch& batch, std::size_t row, std::size_t outputs, RowReport& scratch);

/// Copies observables and kept fraction to where the caller wants them.
void publish(const SimulationBatch& batch, std::size_t row, const RowReport& report, Precision precision);

}  // namespace photonlink::optics
