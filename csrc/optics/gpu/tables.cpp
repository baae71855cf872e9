#include "photonlink/optics/gpu/tables.hpp"

namespace photonlink::optics::gpu {

std::vector<u32> level_marks(const LevelView& level, u32 states) {
    std::vector<u32> marks;
    marks.reserve(states / kStatesPerMark + 2);
    u32 block = 0;
    for (u64 state = 0; state < states; state += kStatesPerMark) {
        while (block + 1 < level.block_count && level.blocks[block + 1].child <= state) ++block;
        marks.push_back(block);
    }
    marks.push_back(level.block_count - 1);
    return marks;
}

u64 predict_level_bytes(Space space, u32 modes, u32 photons) {
    u64 bytes = (photons + u64{1}) * (sizeof(SuffixView) + sizeof(LevelTable));
    for (u32 k = 1; k <= photons; ++k)
        bytes = saturating_add(bytes, (state_count(space, modes, k) / kStatesPerMark + 2) * sizeof(u32));
    return bytes;
}

}  // namespace photonlink::optics::gpu
