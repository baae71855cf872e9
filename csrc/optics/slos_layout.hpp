// How a noiseless simulator is laid out in memory, chosen before anything is allocated.
#pragma once

#include "photonlink/optics/program.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// What every simulation of one kind needs to be known about.
struct SlosNeeds {
    bool distribution;  // false: a closed form gives the readout
    bool sampled;
};

struct SlosLayout {
    u32 lanes = 0;  // datapoints in the lanes of vectors, at most; 0 = none
    u32 rows = 0;   // datapoints with vectors over their states, at most; 0 = none
    u32 threads = 1;

    /// Lanes that interferometers are composed in, at most; not every profile can compose two.
    u32 composed_lanes() const { return std::max(lanes, rows > 1 ? 4u : 1u); }
};

/// Tables and scratch of the layout, an upper bound; saturates.
template <class Real>
u64 layout_bytes(const ProgramSpec& spec, const KernelProfile& profile, const SlosNeeds& needs,
                 const SlosLayout& layout);

/// The fastest layout with at most `threads` threads that fits `limit`; throws ProgramError if none does.
template <class Real>
SlosLayout choose_layout(const ProgramSpec& spec, const KernelProfile& profile, const SlosNeeds& needs, u32 threads,
                         u64 limit);

/// Bytes of the smallest layout; saturates.
template <class Real>
u64 least_layout_bytes(const ProgramSpec& spec, const KernelProfile& profile, const SlosNeeds& needs);

}  // namespace photonlink::optics
