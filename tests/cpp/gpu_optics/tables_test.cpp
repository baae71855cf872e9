// The tables as threads read them, against the ranks of the states themselves.
#include "photonlink/optics/gpu/tables.hpp"

#include <gtest/gtest.h>

#include "host_memory.hpp"
#include "photonlink/optics/basis.hpp"

namespace photonlink::optics::gpu {
namespace {

struct Parent {
    u32 mode;
    u64 state;
    bool operator==(const Parent& other) const { return mode == other.mode && state == other.state; }
};

void check_levels(Space space, u32 modes, u32 photons) {
    const auto tables = SlosTables::shared(space, modes, photons);
    test::HostMemory memory;
    const LevelTable* const levels = upload_levels(*tables, memory);
    for (u32 k = 1; k <= photons; ++k) {
        const Basis below(space, modes, k - 1);
        const std::vector<u8> states = basis_states(space, modes, k);
        ASSERT_EQ(states.size(), std::size_t{levels[k].states} * modes);
        for (u32 state = 0; state < levels[k].states; ++state) {
            std::vector<u8> occupation(states.begin() + state * modes, states.begin() + (state + 1) * modes);
            std::vector<Parent> expected;
            double weight = 1;
            for (u32 mode = 0; mode < modes; ++mode) {
                for (u32 n = 2; n <= occupation[mode]; ++n) weight *= n;
                if (occupation[mode] == 0) continue;
                --occupation[mode];
                expected.push_back({mode, below.rank(occupation.data())});
                ++occupation[mode];
            }
            const Place place = locate(levels[k], state);
            std::vector<Parent> found;
            visit_parents(levels[k], place, [&](u32 mode, u32 parent) { found.push_back({mode, parent}); });
            ASSERT_TRUE(found == expected) << "state " << state << " of " << k << " photons";
            if (k == photons) {
                ASSERT_EQ(factorials(levels[k], place), weight) << "state " << state;
            }
        }
    }
}

TEST(GpuTables, EveryStateFindsItsParents) {
    check_levels(Space::Fock, 9, 5);
    check_levels(Space::Fock, 1, 3);
    check_levels(Space::Fock, 12, 3);
    check_levels(Space::Unbunched, 13, 5);
    check_levels(Space::Unbunched, 4, 4);
    check_levels(Space::DualRail, 12, 6);
    check_levels(Space::Unbunched, 17, 6);  // of nine modes in the suffix
}

TEST(GpuTables, TablesAreSmallBesideTheLevelsOfLargeSpaces) {
    constexpr u64 kAmplitude = 2 * sizeof(float);
    const auto expect_small = [](Space space, u32 modes, u32 photons) {
        EXPECT_LT(SlosTables::predict_bytes(space, modes, photons),
                  state_count(space, modes, photons - 1) * kAmplitude / 2)
            << photons << " photons in " << modes << " modes";
    };
    expect_small(Space::Fock, 24, 12);
    expect_small(Space::Unbunched, 20, 10);
    expect_small(Space::Unbunched, 24, 12);
    expect_small(Space::Unbunched, 32, 16);
    const SlosTables tables(Space::Unbunched, 20, 10);
    EXPECT_EQ(tables.states(10), 184756u);
}

TEST(GpuTables, PairsAreDealtOutOnceEach) {
    constexpr u32 kRows = 5;
    constexpr u64 kStates = 11;
    for (const u64 threads : {1, 3, 5, 7, 64}) {
        std::vector<int> taken(kStates * kRows, 0);
        for (u64 thread = 0; thread < threads; ++thread)
            for (Pairs at(thread, threads, kRows); at.state < kStates; at.next()) ++taken[at.state * kRows + at.row];
        for (const int times : taken) EXPECT_EQ(times, 1);
    }
}

}  // namespace
}  // namespace photonlink::optics::gpu
