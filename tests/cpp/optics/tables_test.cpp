#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "photonlink/optics/slos_tables.hpp"

namespace photonlink::optics {
namespace {

using Case = std::tuple<Space, u32, u32>;

class Tables : public testing::TestWithParam<Case> {};

/// For every state of a level: (mode, parent) pairs in ascending order of modes, found by ranking.
TEST_P(Tables, NameEveryParentOfEveryState) {
    const auto [space, modes, photons] = GetParam();
    const SlosTables tables(space, modes, photons);
    for (u32 k = 1; k <= photons; ++k) {
        const LevelView level = tables.level(k);
        const std::vector<u8> states = basis_states(space, modes, k);
        const Basis parents(space, modes, k - 1);
        u32 state = 0;
        for (u32 b = 0; b < level.block_count; ++b) {
            const SlosBlock& block = level.blocks[b];
            ASSERT_EQ(block.child, state);
            const SuffixView& suffix = level.suffixes[block.suffix];
            for (u32 s = 0; s < suffix.states; ++s, ++state) {
                std::vector<std::pair<u32, u32>> found;
                for (u32 e = block.entry; e < block.entry + block.entries; ++e)
                    found.emplace_back(level.entries[e].mode, level.entries[e].parent + s);
                for (u32 e = suffix.begin[s]; e < suffix.begin[s + 1]; ++e)
                    found.emplace_back(suffix.entries[e].mode, block.parent + suffix.entries[e].parent);
                std::vector<std::pair<u32, u32>> expected;
                std::vector<u8> parent(states.begin() + state * modes, states.begin() + (state + 1) * modes);
                double factorials = 1;
                for (u32 i = 0; i < modes; ++i) {
                    if (parent[i] == 0) continue;
                    factorials *= std::tgamma(parent[i] + 1.0);
                    --parent[i];
                    expected.emplace_back(i, static_cast<u32>(parents.rank(parent.data())));
                    ++parent[i];
                }
                ASSERT_EQ(found, expected) << "level " << k << ", state " << state;
                if (k == photons) {
                    ASSERT_DOUBLE_EQ(level.weight[b] * suffix.weight[s], factorials);
                }
            }
        }
        EXPECT_EQ(state, tables.states(k));
        EXPECT_EQ(state, state_count(space, modes, k));
    }
}

INSTANTIATE_TEST_SUITE_P(Spaces, Tables,
                         testing::Values(Case{Space::Fock, 1, 3}, Case{Space::Fock, 2, 5}, Case{Space::Fock, 7, 4},
                                         Case{Space::Fock, 8, 5}, Case{Space::Fock, 10, 4}, Case{Space::Fock, 40, 2},
                                         Case{Space::Unbunched, 5, 5}, Case{Space::Unbunched, 9, 4},
                                         Case{Space::Unbunched, 12, 6}, Case{Space::DualRail, 2, 1},
                                         Case{Space::DualRail, 8, 4}, Case{Space::DualRail, 14, 7}));

TEST(Tables, AreSharedWhileSomebodyHoldsThem) {
    const auto first = SlosTables::shared(Space::Fock, 6, 3);
    EXPECT_EQ(SlosTables::shared(Space::Fock, 6, 3), first);
    EXPECT_NE(SlosTables::shared(Space::Unbunched, 6, 3), first);
}

TEST(Tables, KnowHowFarTheyCanCount) {
    EXPECT_TRUE(SlosTables::can_number(Space::Fock, 16, 8));
    EXPECT_FALSE(SlosTables::can_number(Space::Fock, 64, 8));
    EXPECT_FALSE(SlosTables::can_number(Space::Unbunched, 36, 18));
}

TEST(Tables, OfTheLargestBenchmarkHaveItsSize) {
    const SlosTables tables(Space::Fock, 16, 8);
    EXPECT_EQ(tables.states(8), 490314u);
}

}  // namespace
}  // namespace photonlink::optics
