// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011): random numbers as
// a function of (key, counter). A datapoint's numbers depend on the session's seed, its 64-bit id and the shot alone,
// so batch, order and machine do not matter. One text for CPU and GPU.
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink::optics {

struct PhiloxBlock {
    u32 word[4];
};

PHL_HD PhiloxBlock philox4x32_10(PhiloxBlock counter, u32 key0, u32 key1) {
    for (u32 round = 0; round < 10; ++round) {
        const u64 product0 = u64{0xD2511F53u} * counter.word[0];
        const u64 product1 = u64{0xCD9E8D57u} * counter.word[2];
        counter = {{static_cast<u32>(product1 >> 32) ^ counter.word[1] ^ key0, static_cast<u32>(product1),
                    static_cast<u32>(product0 >> 32) ^ counter.word[3] ^ key1, static_cast<u32>(product0)}};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return counter;
}

/// Two uniforms in [0, 1), 53 bits each: numbers `low`, `high` of datapoint `id`.
PHL_HD void philox_uniforms(u64 seed, u64 id, u32 low, u32 high, double uniforms[2]) {
    const PhiloxBlock counter{{low, high, static_cast<u32>(id), static_cast<u32>(id >> 32)}};
    const PhiloxBlock random = philox4x32_10(counter, static_cast<u32>(seed), static_cast<u32>(seed >> 32));
    for (u32 i = 0; i < 2; ++i) {
        const u64 bits = (u64{random.word[2 * i]} << 32) | random.word[2 * i + 1];
        uniforms[i] = static_cast<double>(bits >> 11) * 0x1p-53;
    }
}

/// The two uniforms of shots 2 * pair and 2 * pair + 1 of datapoint `id`.
PHL_HD void sampling_uniforms(u64 seed, u64 id, u32 pair, double uniforms[2]) {
    philox_uniforms(seed, id, pair, 0, uniforms);
}

/// Two uniforms of one shot of datapoint `id`, where a shot needs more than one: `block` counts from 1.
PHL_HD void shot_uniforms(u64 seed, u64 id, u32 shot, u32 block, double uniforms[2]) {
    philox_uniforms(seed, id, shot, block, uniforms);
}

}  // namespace photonlink::optics
