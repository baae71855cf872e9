// The tables of children as threads read them, against the ranks of the states themselves.
#include "photonlink/optics/gpu/child_tables.hpp"

#include <gtest/gtest.h>

#include "host_memory.hpp"
#include "photonlink/optics/basis.hpp"

namespace photonlink::optics::gpu {
namespace {

/// Of incomplete states: no further photon moves one.
bool may_become_basis_state(Space space, const u8* state, u32 modes) {
    if (space != Space::DualRail) return lies_in(space, state, modes);
    for (u32 mode = 0; mode < modes; mode += 2)
        if (state[mode] + state[mode + 1] > 1) return false;
    return true;
}

void check_children(Space space, u32 modes, u32 photons) {
    test::HostMemory memory;
    const ChildTables tables(*SlosTables::shared(space, modes, photons));
    const LevelTable* const levels = upload_children(tables, memory);
    for (u32 k = 1; k <= photons; ++k) {
        const Basis above(space, modes, k);
        std::vector<u8> states = basis_states(space, modes, k - 1);
        ASSERT_EQ(states.size(), std::size_t{levels[k].states} * modes);
        for (u32 state = 0; state < levels[k].states; ++state) {
            u8* const occupation = states.data() + std::size_t{state} * modes;
            std::vector<std::pair<u32, u64>> expected, found;
            for (u32 mode = 0; mode < modes; ++mode) {
                ++occupation[mode];
                if (may_become_basis_state(space, occupation, modes))
                    expected.emplace_back(mode, above.rank(occupation));
                --occupation[mode];
            }
            visit_parents(levels[k], locate(levels[k], state),
                          [&](u32 mode, u32 child) { found.emplace_back(mode, child); });
            ASSERT_EQ(found, expected) << "state " << state << " of " << k - 1 << " photons";
        }
    }
}

TEST(GpuChildTables, EveryStateFindsItsChildren) {
    check_children(Space::Fock, 9, 5);
    check_children(Space::Fock, 1, 3);
    check_children(Space::Fock, 12, 3);
    check_children(Space::Unbunched, 13, 5);
    check_children(Space::Unbunched, 4, 4);
    check_children(Space::DualRail, 12, 6);
}

}  // namespace
}  // namespace photonlink::optics::gpu
