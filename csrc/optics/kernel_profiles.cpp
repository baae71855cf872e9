#include "kernel_profiles.hpp"

#include <cstdlib>
#include <string>

#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

#if defined(__x86_64__)
constexpr const KernelProfile* kProfiles[] = {&kAvx512Profile, &kAvx2Profile, &kBaselineProfile};
#else
constexpr const KernelProfile* kProfiles[] = {&kBaselineProfile};
#endif

std::string supported_names() {
    std::string names;
    for (const KernelProfile* profile : kProfiles)
        if (profile->supported()) names += (names.empty() ? "" : ", ") + std::string(profile->name);
    return names;
}

}  // namespace

KernelProfiles kernel_profiles() { return {std::begin(kProfiles), std::end(kProfiles)}; }

const KernelProfile& select_kernel_profile() {
    const char* wanted = std::getenv("PHOTONLINK_SIMD");
    for (const KernelProfile* profile : kProfiles) {
        const bool named = wanted == nullptr || *wanted == '\0' || std::string(wanted) == profile->name;
        if (named && profile->supported()) return *profile;
    }
    throw ProgramError("environment variable PHOTONLINK_SIMD is \"" + std::string(wanted == nullptr ? "" : wanted) +
                       "\", but this machine can run: " + supported_names() + ". Unset it to take the fastest.");
}

}  // namespace photonlink::optics
