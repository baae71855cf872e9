#include "photonlink/optics/basis.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>

namespace photonlink::optics {
namespace {

std::vector<std::vector<u8>> rows_of(const std::vector<u8>& flat, u32 modes) {
    std::vector<std::vector<u8>> rows;
    for (std::size_t at = 0; at < flat.size(); at += modes)
        rows.emplace_back(flat.begin() + at, flat.begin() + at + modes);
    return rows;
}

/// Every tuple of occupation numbers up to `photons`, filtered: slow, and independent of the walker.
std::vector<std::vector<u8>> all_states(Space space, u32 modes, u32 photons) {
    std::vector<std::vector<u8>> states;
    std::vector<u8> state(modes, 0);
    for (;;) {
        u32 total = 0, largest = 0, largest_pair = 0;
        for (u32 i = 0; i < modes; ++i) {
            total += state[i];
            largest = std::max<u32>(largest, state[i]);
            if (i % 2 == 1) largest_pair = std::max<u32>(largest_pair, state[i] + state[i - 1]);
        }
        const bool member = total == photons && (space == Space::Fock || largest <= 1) &&
                            (space != Space::DualRail || largest_pair <= 1);
        if (member) states.push_back(state);
        u32 i = 0;
        while (i < modes && state[i] == photons) state[i++] = 0;
        if (i == modes) break;
        ++state[i];
    }
    std::sort(states.rbegin(), states.rend());
    return states;
}

class Bases : public testing::TestWithParam<std::tuple<Space, u32, u32>> {};

TEST_P(Bases, AreDescendingLexicographicAndRankedInThatOrder) {
    const auto [space, modes, photons] = GetParam();
    const auto expected = all_states(space, modes, photons);
    EXPECT_EQ(state_count(space, modes, photons), expected.size());
    EXPECT_EQ(rows_of(basis_states(space, modes, photons), modes), expected);
    const Basis basis(space, modes, photons);
    std::vector<u8> state(modes);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(basis.rank(expected[i].data()), i);
        basis.unrank(i, state.data());
        EXPECT_EQ(state, expected[i]);
    }
}

TEST_P(Bases, GiveManyStatesAtOnceInAnyOrder) {
    const auto [space, modes, photons] = GetParam();
    const auto expected = all_states(space, modes, photons);
    if (expected.empty()) return;
    const Basis basis(space, modes, photons);
    std::mt19937 random(modes * 10 + photons);
    std::vector<u32> ranks(60);
    for (u32& rank : ranks) rank = static_cast<u32>(random() % expected.size());
    std::sort(ranks.begin() + 20, ranks.end());  // repeated ones among them
    std::vector<u8> states(ranks.size() * modes);
    basis.unrank(ranks.data(), ranks.size(), states.data());
    const auto rows = rows_of(states, modes);
    for (std::size_t i = 0; i < ranks.size(); ++i) EXPECT_EQ(rows[i], expected[ranks[i]]) << "rank " << ranks[i];
}

INSTANTIATE_TEST_SUITE_P(Small, Bases,
                         testing::Combine(testing::Values(Space::Fock, Space::Unbunched), testing::Range(1u, 8u),
                                          testing::Range(1u, 5u)));
INSTANTIATE_TEST_SUITE_P(Pairs, Bases,
                         testing::Combine(testing::Values(Space::DualRail), testing::Values(2u, 4u, 6u, 8u),
                                          testing::Range(1u, 5u)));

TEST(Basis, CountsKnownSizes) {
    EXPECT_EQ(state_count(Space::Fock, 12, 6), 12376u);
    EXPECT_EQ(state_count(Space::Fock, 16, 8), 490314u);
    EXPECT_EQ(state_count(Space::Unbunched, 20, 10), 184756u);
    EXPECT_EQ(state_count(Space::Unbunched, 4, 5), 0u);
    EXPECT_EQ(state_count(Space::DualRail, 20, 10), 1024u);
    EXPECT_EQ(state_count(Space::DualRail, 20, 11), 0u);
}

TEST(Basis, SaturatesInsteadOfOverflowing) {
    EXPECT_EQ(binomial(67, 33), 14226520737620288370u);  // the largest central one below 2^64
    EXPECT_EQ(binomial(68, 34), kSaturated);
    EXPECT_EQ(state_count(Space::Fock, 256, 30), kSaturated);
    EXPECT_EQ(saturating_mul(kSaturated / 2, 3), kSaturated);
    EXPECT_EQ(saturating_add(kSaturated, 1), kSaturated);
}

TEST(ClickPatterns, AreAllPatternsReachableInFockSpace) {
    for (u32 modes = 1; modes <= 6; ++modes)
        for (u32 photons = 1; photons <= 8; ++photons) {
            std::vector<std::vector<u8>> expected;
            for (u32 bits = 1; bits < 1u << modes; ++bits) {
                std::vector<u8> pattern(modes);
                u32 clicks = 0;
                for (u32 i = 0; i < modes; ++i) clicks += pattern[i] = static_cast<u8>(bits >> i & 1u);
                if (clicks <= photons) expected.push_back(pattern);
            }
            std::sort(expected.rbegin(), expected.rend());
            EXPECT_EQ(rows_of(click_patterns(Space::Fock, modes, photons), modes), expected);
            EXPECT_EQ(click_pattern_count(Space::Fock, modes, photons), expected.size());
            for (std::size_t i = 0; i < expected.size(); ++i)
                EXPECT_EQ(click_pattern_rank(modes, photons, expected[i].data()), i);
        }
}

TEST(ClickPatterns, AreTheStatesOfAPostSelectedSpace) {
    EXPECT_EQ(click_patterns(Space::Unbunched, 5, 2), basis_states(Space::Unbunched, 5, 2));
    EXPECT_EQ(click_patterns(Space::DualRail, 6, 3), basis_states(Space::DualRail, 6, 3));
}

}  // namespace
}  // namespace photonlink::optics
