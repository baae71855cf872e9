#include "noise_rows.hpp"

#include <algorithm>
#include <limits>

#include "batch_split.hpp"
#include "lane_rows.hpp"
#include "photonlink/optics/readout.hpp"

namespace photonlink::optics {
namespace {

/// Datapoints that one thread takes faster with vectors over their states, one after the other, than side by side in
/// lanes that would be mostly idle.
constexpr u32 kFewRows = 2;

}  // namespace

void mixture_rows(MixtureSweep& sweep, const MixtureTables& tables, u32 width, const double* columns, u32 rows,
                  double* const* targets) {
    const u32 lanes = tables.profile().widths<double>()[width].lanes;
    if (rows > kFewRows || tables.detected_rows() == nullptr)
        return take_rows(tables, sweep.run(width, columns, lanes), lanes, rows, targets);
    for (u32 row = 0; row < rows; ++row) take_rows(tables, sweep.run_states(columns + row, lanes), 1, 1, targets + row);
}

void take_rows(const MixtureTables& tables, const double* mixture, u32 lanes, u32 rows, double* const* targets) {
    const SectorPlaces& detected = tables.detected();
    const KernelProfile& profile = tables.profile();
    const u32 width = kernel_width<double>(profile, lanes, lanes);
    if (mixture == nullptr) {
        for (u32 row = 0; row < rows; ++row) std::fill_n(targets[row], tables.kept(), 0.0);
        return;
    }
    u64 first = 0;
    for (u32 photons = detected.most() + 1; photons-- > tables.plan().least;) {
        const double* const from = mixture + detected.begin(photons) * lanes;
        const u32 states = static_cast<u32>(detected.states(photons));
        if (rows == lanes)
            profile.widths<double>()[width].scatter_rows(from, states, targets, first);
        else
            scatter(from, lanes, states, targets, rows, first);
        first += states;
    }
}

double renormalise_row(const MixtureTables& tables, u32 photons, double* row) {
    const std::size_t states = tables.kept();
    const double rounding = photons * std::numeric_limits<double>::epsilon();
    const double kept = striped_sum(row, states);
    const bool possible = kept > tables.plan().enough * static_cast<double>(states) * rounding * rounding;
    const double scale = possible ? 1 / kept : 0.0;
    for (std::size_t s = 0; s < states; ++s) row[s] *= scale;
    return possible ? kept : 0.0;
}

}  // namespace photonlink::optics
