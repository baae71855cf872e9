#include "photonlink/optics/machine_peak.hpp"

#include <algorithm>

#include "photonlink/optics/slos_kernel.hpp"
#include "photonlink/platform.hpp"

namespace photonlink::optics {
namespace {

template <class Real>
double best_rate(void (*multiply_adds)(u64, Real, Real*), u32 round_flops) {
    constexpr u64 kRounds = 200'000;
    constexpr u32 kRepeats = 40;
    alignas(64) Real result[16];
    double best = 0;
    for (u32 repeat = 0; repeat < kRepeats; ++repeat) {
        const u64 started = platform::clock_ns();
        multiply_adds(kRounds, Real(0.5), result);
        const u64 ended = platform::clock_ns();
        best =
            std::max(best, static_cast<double>(kRounds * round_flops) / (static_cast<double>(ended - started) * 1e-9));
    }
    return best;
}

}  // namespace

double multiply_add_peak(Precision precision) {
    const KernelProfile& profile = select_kernel_profile();
    return precision == Precision::Float32 ? best_rate(profile.multiply_adds32, profile.round_flops32)
                                           : best_rate(profile.multiply_adds64, profile.round_flops64);
}

}  // namespace photonlink::optics
