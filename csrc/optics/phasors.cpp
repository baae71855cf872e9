#include "photonlink/optics/phasors.hpp"

#include <algorithm>
#include <cmath>

namespace photonlink::optics {
namespace {

/// To at most half a turn, where kernels would lose digits.
void reduce_angles(u32 lanes, std::size_t sites, double* phasors) {
    for (std::size_t site = 0; site < sites; ++site)
        for (double* angle = phasors + site * 2 * lanes; angle < phasors + (site * 2 + 1) * lanes; ++angle)
            if (std::abs(*angle) > kMostAngle) *angle = std::atan2(std::sin(*angle), std::cos(*angle));
}

}  // namespace

template <class Real>
void load_phasors(const SlosKernels<Real>& kernels, const PhaseSites& sites, const double* phases, u32 rows,
                  double* phasors, u32 begin, u32 end) {
    const u32 lanes = kernels.lanes;
    const std::size_t count = sites.mode.size();
    bool large = false;
    for (std::size_t site = begin; site < end; ++site) {
        double* const phasor = phasors + site * 2 * lanes;
        const double* const column = phases + sites.phase[site];
        for (u32 row = 0; row < rows; ++row) {
            phasor[row] = column[row * count];
            large |= std::abs(phasor[row]) > kMostAngle;
        }
        std::fill(phasor + rows, phasor + lanes, phasor[rows - 1]);
    }
    double* const loaded = phasors + std::size_t{begin} * 2 * lanes;
    if (large) reduce_angles(lanes, end - begin, loaded);
    kernels.phasors(end - begin, loaded);
}

template void load_phasors<float>(const SlosKernels<float>&, const PhaseSites&, const double*, u32, double*, u32, u32);
template void load_phasors<double>(const SlosKernels<double>&, const PhaseSites&, const double*, u32, double*, u32,
                                   u32);

}  // namespace photonlink::optics
