// What a differentiator can afford, decided before anything is allocated.
#pragma once

#include <algorithm>

#include "photonlink/optics/gradients.hpp"
#include "photonlink/optics/slos_kernel.hpp"
#include "photonlink/optics/thread_pool.hpp"

namespace photonlink::optics {

struct GradientLayout {
    u32 lanes;  // datapoints that a thread takes side by side
    u32 threads;
    u64 bytes;  // of all threads together
};

/// As many threads as are asked for with the widest kernels that fit, and where none are asked for, fewer before none;
/// bytes(lanes, threads) says what they take. If nothing fits, the last that was tried: its bytes are above the limit.
template <class Real, class Bytes>
GradientLayout choose_gradient_layout(const KernelProfile& profile, const GradientOptions& options,
                                      const Bytes& bytes) {
    const u32 least = std::max(options.threads, 1u);
    GradientLayout layout{0, usable_threads(options.threads), 0};
    for (;; --layout.threads) {
        for (u32 width = 0; width < profile.width_count<Real>(); ++width) {
            layout.lanes = profile.widths<Real>()[width].lanes;
            layout.bytes = bytes(layout.lanes, layout.threads);
            if (layout.bytes <= options.memory_limit_bytes) return layout;
        }
        if (layout.threads <= least) return layout;
    }
}

struct GradientPlan {
    GradientLayout layout;
    u32 kept_levels;  // photon numbers whose amplitudes are kept
    u32 rows;         // datapoints with vectors over their states, for values alone; 0 = none

    /// Photon numbers whose amplitudes the way back needs; 0 for closed forms.
    static u32 levels(const ProgramSpec& spec);
};

/// A layout with as many levels kept as fit; what is left may take rows. Throws ProgramError if nothing fits.
template <class Real>
GradientPlan plan_gradients(const ProgramSpec& spec, const GradientOptions& options);

}  // namespace photonlink::optics
