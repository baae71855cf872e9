#include "batch_split.hpp"

#include <algorithm>

#include "photonlink/optics/circuit_sites.hpp"
#include "photonlink/optics/readout.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

double estimated_row_ns(const ProgramSpec& spec, bool distribution) {
    constexpr double kMultiplyAddsPerNs = 20;
    double multiply_adds =
        4.0 * spec.modes * spec.modes * occupied_modes(spec) * static_cast<double>(spec.interferometers.size());
    for (u32 k = 1; distribution && k <= spec.photons(); ++k)
        multiply_adds += 4.0 * k * static_cast<double>(state_count(spec.readout.space, spec.modes, k));
    return multiply_adds / kMultiplyAddsPerNs;
}

std::size_t block_rows(std::size_t rows, u32 threads, std::size_t most) {
    if (threads == 1) return most;
    std::size_t block = most;
    while (block > 1 && block * threads > rows) block /= 2;
    return block;
}

StateRange part_of_states(u64 states, u32 part, u32 parts) {
    const u64 tiles = (states + kTileStates - 1) / kTileStates;
    const u64 first = tiles * part / parts * kTileStates;
    return {first, std::min(tiles * (part + 1) / parts * kTileStates, states) - first};
}

template <class Real>
u32 kernel_width(const KernelProfile& profile, std::size_t rows, u32 max_lanes) {
    const SlosKernels<Real>* const widths = profile.widths<Real>();
    u32 width = 0;
    while (widths[width].lanes > max_lanes) ++width;
    while (width + 1 < profile.width_count<Real>() && widths[width + 1].lanes >= rows) ++width;
    return width;
}

bool are_few_rows(const ProgramSpec& spec, std::size_t rows) {
    constexpr std::size_t kFewRows = 6;
    constexpr std::size_t kFewRowsOfSmallSpace = 2;
    constexpr u64 kSmallSpace = 512;  // states: vectors over them are mostly idle, too
    const u64 states = state_count(spec.readout.space, spec.modes, spec.photons());
    return rows <= (states < kSmallSpace ? kFewRowsOfSmallSpace : kFewRows);
}

template u32 kernel_width<float>(const KernelProfile&, std::size_t, u32);
template u32 kernel_width<double>(const KernelProfile&, std::size_t, u32);

}  // namespace photonlink::optics
