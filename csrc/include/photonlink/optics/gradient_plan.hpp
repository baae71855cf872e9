// What a differentiator can afford, decided before anything is allocated.
#pragma once

#include "photonlink/optics/gradients.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

struct GradientPlan {
    u32 width;        // index into the profile's widths
    u32 lanes;        // of those kernels
    u32 kept_levels;  // photon numbers whose amplitudes are kept
    u32 threads;
    u32 rows;   // datapoints with vectors over their states, for values alone; 0 = none
    u64 bytes;  // of all threads together

    /// Photon numbers whose amplitudes the way back needs; 0 for closed forms.
    static u32 levels(const ProgramSpec& spec);
};

/// The widest kernels that fit the memory limit, with as many levels kept as fit; what is left may take rows. Throws
/// ProgramError if nothing fits.
template <class Real>
GradientPlan plan_gradients(const ProgramSpec& spec, const KernelProfile& profile, const GradientOptions& options);

}  // namespace photonlink::optics
