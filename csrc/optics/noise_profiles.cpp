#include "noise_profiles.hpp"

#include <stdexcept>
#include <string>

namespace photonlink::optics {

const MixtureProfile& mixture_profile(const KernelProfile& profile) {
#if defined(__x86_64__)
    for (const MixtureProfile* built : {&kAvx512Mixtures, &kAvx2Mixtures, &kBaselineMixtures})
#else
    for (const MixtureProfile* built : {&kBaselineMixtures})
#endif
        if (std::string(built->name) == profile.name) return *built;
    throw std::logic_error("kernel profile " + std::string(profile.name) + " has no kernels for mixtures");
}

}  // namespace photonlink::optics
