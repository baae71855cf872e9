// Which lanes a simulator takes: the widest, and half of those where parents come from a cache that cores share.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "optics/slos_layout.hpp"

namespace photonlink::optics {
namespace {

ProgramSpec program(u32 modes, u32 photons) {
    ProgramSpec spec;
    spec.modes = modes;
    spec.input.assign(modes, 0);
    std::fill_n(spec.input.begin(), photons, 1);
    spec.readout.space = Space::Fock;
    return spec;
}

template <class Real>
u32 lanes_of(const KernelProfile& profile, u32 modes, u32 photons, bool distribution = true) {
    return choose_layout<Real>(program(modes, photons), profile, {distribution, false}, 1, ~u64{0}).lanes;
}

TEST(Layout, ParentsInASharedCacheHalveLanesOf64Bytes) {
    for (const KernelProfile* profile : kernel_profiles()) {
        const u32 floats = profile->widths<float>()[0].lanes, doubles = profile->widths<double>()[0].lanes;
        const u32 share = profile->name == std::string("avx512") ? 2 : 1;
        EXPECT_EQ(lanes_of<float>(*profile, 12, 6), floats) << profile->name;
        EXPECT_EQ(lanes_of<float>(*profile, 15, 7), floats) << profile->name << ", 5 MB of parents";
        EXPECT_EQ(lanes_of<float>(*profile, 14, 8), floats / share) << profile->name << ", 10 MB";
        EXPECT_EQ(lanes_of<double>(*profile, 14, 8), doubles / share) << profile->name;
        EXPECT_EQ(lanes_of<float>(*profile, 20, 8, false), floats) << profile->name << ": closed forms have no parents";
    }
}

}  // namespace
}  // namespace photonlink::optics
