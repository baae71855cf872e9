// In which order a sweep adds its photons.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::optics {

/// Photons of the fullest mode come last: every level of that column then has real weights, if any may be real.
struct PhotonOrder {
    /// `occupation`: photons of each occupied input mode.
    explicit PhotonOrder(const std::vector<u32>& occupation) {
        std::vector<u32> order(occupation.size());
        std::iota(order.begin(), order.end(), 0u);
        std::stable_sort(order.begin(), order.end(), [&](u32 a, u32 b) { return occupation[a] < occupation[b]; });
        for (const u32 mode : order)
            for (u32 n = 1; n <= occupation[mode]; ++n) {
                column.push_back(mode);
                scale /= n;
            }
    }

    std::vector<u32> column;  // of each photon
    double scale = 1;         // 1 / product of the factorials of the occupation
};

}  // namespace photonlink::optics
