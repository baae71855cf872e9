#include "gradient_profiles.hpp"

#include <stdexcept>
#include <string>

namespace photonlink::optics {

const GradientProfile& gradient_profile(const KernelProfile& profile) {
#if defined(__x86_64__)
    for (const GradientProfile* built : {&kAvx512Gradients, &kAvx2Gradients, &kBaselineGradients})
#else
    for (const GradientProfile* built : {&kBaselineGradients})
#endif
        if (std::string(built->name) == profile.name) return *built;
    throw std::logic_error("kernel profile " + std::string(profile.name) + " has no gradient kernels");
}

}  // namespace photonlink::optics
