// Kernels that are no part of KernelProfile are built once per SIMD profile, too, and found by its name.
#include <cstddef>
#include <stdexcept>
#include <string>

#include "gradient_profiles.hpp"
#include "noise_profiles.hpp"

namespace photonlink::optics {
namespace {

const GradientProfile* const kGradients[] = {
#if defined(__x86_64__)
    &kAvx512Gradients, &kAvx2Gradients,
#endif
    &kBaselineGradients};

const MixtureProfile* const kMixtures[] = {
#if defined(__x86_64__)
    &kAvx512Mixtures, &kAvx2Mixtures,
#endif
    &kBaselineMixtures};

template <class Build, std::size_t Count>
const Build& build_of(const KernelProfile& profile, const Build* const (&builds)[Count], const char* kernels) {
    for (const Build* built : builds)
        if (std::string(built->name) == profile.name) return *built;
    throw std::logic_error("kernel profile " + std::string(profile.name) + " has no " + kernels);
}

}  // namespace

const GradientProfile& gradient_profile(const KernelProfile& profile) {
    return build_of(profile, kGradients, "gradient kernels");
}

const MixtureProfile& mixture_profile(const KernelProfile& profile) {
    return build_of(profile, kMixtures, "kernels for mixtures");
}

}  // namespace photonlink::optics
