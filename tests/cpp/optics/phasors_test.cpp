#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "photonlink/optics/aligned.hpp"
#include "programs.hpp"

namespace photonlink::optics {
namespace {

using test::for_each_profile;

/// Random angles of every size up to the largest permitted one, and those around quarter turns, where one of the two
/// nearly vanishes.
std::vector<double> angles_of_every_size() {
    test::Generator generator(3);
    std::uniform_real_distribution<double> exponent(-30, 20), near(-1e-9, 1e-9);
    std::vector<double> angles{0.0, -0.0, kMostAngle, -kMostAngle};
    for (u32 i = 0; i < 4000; ++i) angles.push_back((i % 2 == 0 ? 1 : -1) * std::exp2(exponent(generator)));
    for (i32 quarter = -2000; quarter <= 2000; ++quarter) angles.push_back(quarter * M_PI_2 + near(generator));
    return angles;
}

template <class Real>
void check_phasors(const SlosKernels<Real>& kernels) {
    std::vector<double> angles = angles_of_every_size();
    while (angles.size() % kernels.lanes != 0) angles.push_back(1);
    AlignedVector<double> phasors(2 * angles.size());
    const u32 sites = static_cast<u32>(angles.size()) / kernels.lanes;
    for (u32 site = 0; site < sites; ++site)
        std::copy_n(angles.data() + site * kernels.lanes, kernels.lanes, phasors.data() + site * 2 * kernels.lanes);
    kernels.phasors(sites, phasors.data());
    for (std::size_t i = 0; i < angles.size(); ++i) {
        const double* const at = phasors.data() + i / kernels.lanes * 2 * kernels.lanes + i % kernels.lanes;
        const long double angle = angles[i];
        ASSERT_NEAR(at[0], static_cast<double>(std::cos(angle)), 3e-16) << angles[i] << " in lanes " << kernels.lanes;
        ASSERT_NEAR(at[kernels.lanes], static_cast<double>(std::sin(angle)), 3e-16) << angles[i];
    }
}

TEST(Phasors, AreCosineAndSineInEveryProfileAndWidth) {
    for_each_profile([&](const std::string&) {
        const KernelProfile& kernels = select_kernel_profile();
        for (u32 i = 0; i < kernels.float32_count; ++i) check_phasors(kernels.float32[i]);
        for (u32 i = 0; i < kernels.float64_count; ++i) check_phasors(kernels.float64[i]);
    });
}

TEST(Phasors, OfHugePhasesAreThoseOfTheirRemainder) {
    const ReadoutSpec readout{ReadoutKind::Probabilities, Space::Fock, Grouping::None, 0};
    const ProgramSpec spec = test::random_program(4, {1, 0, 1, 0}, 1, readout, 8);
    const std::vector<double> huge{1e7, -3e9, 1e15, 1e300};
    std::vector<double> small;
    for (const double phase : huge) small.push_back(std::atan2(std::sin(phase), std::cos(phase)));
    const std::vector<double> expected = test::run<double>(spec, small, 1), got = test::run<double>(spec, huge, 1);
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-15);
}

}  // namespace
}  // namespace photonlink::optics
