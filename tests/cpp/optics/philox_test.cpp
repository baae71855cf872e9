#include "photonlink/optics/philox.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

namespace photonlink::optics {
namespace {

void expect_block(PhiloxBlock counter, u32 key0, u32 key1, std::vector<u32> expected) {
    const PhiloxBlock block = philox4x32_10(counter, key0, key1);
    EXPECT_EQ(std::vector<u32>(block.word, block.word + 4), expected);
}

// Known answers published with the Random123 library (kat_vectors, philox4x32 10).
TEST(Philox, GivesThePublishedAnswers) {
    expect_block({{0, 0, 0, 0}}, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    expect_block({{~0u, ~0u, ~0u, ~0u}}, ~0u, ~0u, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    expect_block({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
                 {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST(Philox, UniformsDependOnEveryPartOfTheirKey) {
    double base[2], other[2];
    sampling_uniforms(1, 2, 3, base);
    const u64 high = u64{1} << 40;
    for (const auto& [seed, id, pair] :
         {std::tuple<u64, u64, u32>{1 + high, 2, 3}, {2, 2, 3}, {1, 2 + high, 3}, {1, 3, 3}, {1, 2, 4}}) {
        sampling_uniforms(seed, id, pair, other);
        EXPECT_NE(base[0], other[0]);
        EXPECT_NE(base[1], other[1]);
    }
}

TEST(Philox, UniformsFillTheUnitInterval) {
    double sum = 0, squares = 0, smallest = 1, largest = 0;
    constexpr u32 kPairs = 50000;
    for (u32 pair = 0; pair < kPairs; ++pair) {
        double uniforms[2];
        sampling_uniforms(11, 5, pair, uniforms);
        for (const double u : uniforms) {
            sum += u;
            squares += u * u;
            smallest = std::min(smallest, u);
            largest = std::max(largest, u);
        }
    }
    EXPECT_GE(smallest, 0.0);
    EXPECT_LT(smallest, 1e-3);
    EXPECT_LT(largest, 1.0);
    EXPECT_GT(largest, 1 - 1e-3);
    EXPECT_NEAR(sum / (2 * kPairs), 0.5, 5 * 0.2887 / std::sqrt(2.0 * kPairs));
    EXPECT_NEAR(squares / (2 * kPairs), 1.0 / 3, 5 * 0.2982 / std::sqrt(2.0 * kPairs));
}

}  // namespace
}  // namespace photonlink::optics
