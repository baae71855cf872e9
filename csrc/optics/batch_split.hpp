// How a batch is cut up for threads and vectors, and what a datapoint costs: one rule for everything that sweeps.
#pragma once

#include <algorithm>
#include <cstddef>

#include "photonlink/optics/program.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// Nanoseconds of one core per datapoint without its samples, roughly: what decides how many threads pay.
/// `distribution`: whether the readout needs one, or a closed form gives it.
double estimated_row_ns(const ProgramSpec& spec, bool distribution);

/// Datapoints per block of a batch: `most`, which a worker takes side by side, but so few that every thread gets some.
std::size_t block_rows(std::size_t rows, u32 threads, std::size_t most);

/// Which of the profile's kernels: the narrowest that take all rows at once, or the widest of at most `max_lanes`.
template <class Real>
u32 kernel_width(const KernelProfile& profile, std::size_t rows, u32 max_lanes);

/// Calls run(first_row, rows, width) for all of the rows first .. first + rows - 1: as many side by side as such
/// kernels take, of at most `max_lanes`.
template <class Real, class Run>
void for_lane_blocks(const KernelProfile& profile, std::size_t first, std::size_t rows, u32 max_lanes, const Run& run) {
    for (const std::size_t end = first + rows; first < end;) {
        const u32 width = kernel_width<Real>(profile, end - first, max_lanes);
        const u32 lanes = profile.widths<Real>()[width].lanes;
        const u32 count = static_cast<u32>(std::min<std::size_t>(lanes, end - first));
        run(first, count, width);
        first += count;
    }
}

/// Share of a distribution's work, roughly, that threads can have in parts: its last level. Each computes the levels
/// before for itself: handing them over costs as much as it saves unless the cores share a cache.
inline constexpr double kLastLevel = 0.5;

struct StateRange {
    u64 first;
    u64 count;
};

/// One of `parts` parts of so many states, in whole tiles of kTileStates.
StateRange part_of_states(u64 states, u32 part, u32 parts);

/// True if so many datapoints are faster with vectors over their states (see row_sweep.hpp) than side by side in lanes,
/// which would be mostly idle.
bool are_few_rows(const ProgramSpec& spec, std::size_t rows);

}  // namespace photonlink::optics
