// The text of the mixtures' gradient kernels: included after gradient_kernel.inl, under the same rules.

/// visit(Count<tile>, block, first) for tiles that cover all states of a level.
template <class Visit>
inline __attribute__((always_inline)) void for_level_tiles(const LevelView& level, const Visit& visit) {
    for (u32 b = 0; b < level.block_count; ++b) {
        const SlosBlock& block = level.blocks[b];
        for_tiles(level.suffixes[block.suffix].states, [&](auto tile, u32 first) { visit(tile, block, first); });
    }
}

template <class V, bool Clicks>
inline __attribute__((always_inline)) void pull_back_any(const LevelView& level, const double* column, const double* to,
                                                         double* from, double* stays) {
    for_level_tiles(level, [=, &level](auto tile, const SlosBlock& block, u32 first) {
        const u64 child = (u64{block.child} + first) * V::lanes;
        typename V::Type adjoints[tile.value], occupied[tile.value];
        for (u32 t = 0; t < tile.value; ++t) {
            adjoints[t] = V::load(to + child + t * V::lanes);
            occupied[t] = V::splat(0);
        }
        for_parents<tile.value>(level, block, first, [&](u32 mode, u32 begin, u32 end, u64 parent) {
            const typename V::Type weight = V::load(column + u64{mode} * V::lanes);
            double* at = from + parent * V::lanes;
#pragma GCC unroll 8
            for (u32 t = begin; t < end; ++t, at += V::lanes) {
                V::store(at, V::fma(weight, adjoints[t], V::load(at)));
                if constexpr (Clicks) occupied[t] = occupied[t] + weight;
            }
        });
        if constexpr (!Clicks) return;
        for (u32 t = 0; t < tile.value; ++t) {
            double* const at = stays + child + t * V::lanes;
            V::store(at, V::fma(occupied[t], adjoints[t], V::load(at)));
        }
    });
}

template <class V>
void pull_back(const LevelView& level, const double* column, const double* to, double* from) {
    pull_back_any<V, false>(level, column, to, from, nullptr);
}

template <class V>
void pull_back_clicks(const LevelView& level, const double* column, const double* to, double* from, double* stays) {
    pull_back_any<V, true>(level, column, to, from, stays);
}

/// With clicks a state comes from itself, too, through every mode that it occupies.
template <class V, bool Clicks>
inline __attribute__((always_inline)) void column_any(const LevelView& level, const double* to, const double* from,
                                                      const double* stays, double* column) {
    for_level_tiles(level, [=, &level](auto tile, const SlosBlock& block, u32 first) {
        const u64 child = (u64{block.child} + first) * V::lanes;
        typename V::Type adjoints[tile.value], same[tile.value];
        for (u32 t = 0; t < tile.value; ++t) {
            adjoints[t] = V::load(to + child + t * V::lanes);
            if constexpr (Clicks) same[t] = V::mul(adjoints[t], V::load(stays + child + t * V::lanes));
        }
        for_parents<tile.value>(level, block, first, [&](u32 mode, u32 begin, u32 end, u64 parent) {
            typename V::Type sum = V::load(column + u64{mode} * V::lanes);
            const double* at = from + parent * V::lanes;
#pragma GCC unroll 8
            for (u32 t = begin; t < end; ++t, at += V::lanes) {
                sum = V::fma(adjoints[t], V::load(at), sum);
                if constexpr (Clicks) sum = sum + same[t];
            }
            V::store(column + u64{mode} * V::lanes, sum);
        });
    });
}

template <class V>
void column_gradient(const LevelView& level, const double* to, const double* from, double* column) {
    column_any<V, false>(level, to, from, nullptr, column);
}

template <class V>
void column_gradient_clicks(const LevelView& level, const double* to, const double* from, const double* stays,
                            double* column) {
    column_any<V, true>(level, to, from, stays, column);
}

template <class V>
void amplitude_gradient(u64 states, const double* weights, const u32* places, const double* cotangents,
                        const double* amplitudes, double* adjoints) {
    for (u64 s = 0; s < states; ++s, amplitudes += 2 * V::lanes, adjoints += 2 * V::lanes) {
        const u64 place = places == nullptr ? s : places[s];
        if (place == kNoPlace) continue;
        const typename V::Type factor = V::mul(V::splat(2 * weights[s]), V::load(cotangents + place * V::lanes));
        V::store(adjoints, V::fma(factor, V::load(amplitudes), V::load(adjoints)));
        V::store(adjoints + V::lanes, V::fma(factor, V::load(amplitudes + V::lanes), V::load(adjoints + V::lanes)));
    }
}

template <class V>
constexpr MixtureGradientKernels mixture_gradient_kernels() {
    return {V::lanes,
            pull_back<V>,
            pull_back_clicks<V>,
            column_gradient<V>,
            column_gradient_clicks<V>,
            amplitude_gradient<V>};
}
