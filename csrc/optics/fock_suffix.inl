// Suffixes of the full Fock space with few photons, known when compiling: where their parents are stands in the code,
// so a block has no table to read and no loop that ends at another state each time, which processors cannot foresee.
// Included by slos_kernel.inl.

/// Blocks with more photons in the suffix are rare, and their code is long: it doubles with each photon.
constexpr u32 kMostUnrolledPhotons = 4;

/// Only for the two widest vectors that sweeps are laid out in, and where there are 32 registers: 14 for sums, 6 or 12
/// for weights. Narrower vectors take what is left of a batch.
#ifdef __AVX512VL__
constexpr u32 kVectorRegisters = 32;
#else
constexpr u32 kVectorRegisters = 16;
#endif
template <class V>
constexpr bool kUnrolled = kVectorRegisters == 32 && sizeof(typename V::Type) >= 32;
constexpr u32 kUnrolledTile = 7;

constexpr u32 suffix_states(u32 photons) {
    u32 states = 1;
    for (u32 mode = 1; mode < kSuffixModes; ++mode) states = states * (photons + mode) / mode;
    return states;
}

/// Parents of all states of `Photons` photons in kSuffixModes modes, in the order of SlosTables.
template <u32 Photons>
struct FockSuffix {
    static constexpr u32 states = suffix_states(Photons);
    static constexpr u8 kNoParent = 0xFF;
    u8 parent[states][kSuffixModes] = {};  // through each mode, within the suffixes of one photon less

    /// Removing a photon from a mode keeps the order of states, and every suffix of one photon less is reached: the
    /// parents through a mode are all of these, one after the other.
    constexpr FockSuffix() {
        u32 state[kSuffixModes] = {Photons};
        u32 parents[kSuffixModes] = {};
        for (u32 s = 0; s < states; ++s) {
            for (u32 i = 0; i < kSuffixModes; ++i)
                parent[s][i] = state[i] == 0 ? kNoParent : static_cast<u8>(parents[i]++);
            advance(state);
        }
    }

  private:
    /// To the next state in descending lexicographic order; the last one stays.
    static constexpr void advance(u32 (&state)[kSuffixModes]) {
        const u32 behind = state[kSuffixModes - 1];
        for (u32 i = kSuffixModes - 1; i-- > 0;) {
            if (state[i] == 0) continue;
            --state[i];
            state[kSuffixModes - 1] = 0;
            state[i + 1] = behind + 1;
            return;
        }
    }
};

template <u32 Photons>
inline constexpr FockSuffix<Photons> kFockSuffix{};

template <class V, Arithmetic A>
struct SuffixWeights {
    static_assert(kSuffixModes == 6, "as many weights as modes");
    Weight<V, A> of[kSuffixModes];
    explicit SuffixWeights(const typename V::Real* at)
        : of{Weight<V, A>(at),
             Weight<V, A>(at + Weight<V, A>::stride),
             Weight<V, A>(at + 2 * Weight<V, A>::stride),
             Weight<V, A>(at + 3 * Weight<V, A>::stride),
             Weight<V, A>(at + 4 * Weight<V, A>::stride),
             Weight<V, A>(at + 5 * Weight<V, A>::stride)} {}
};

/// What sum_block() does, for a block with `Photons` photons in the suffix, from state `First` on.
template <class V, Arithmetic A, u32 Photons, u32 First, class Sink>
inline __attribute__((always_inline)) void sum_unrolled(const LevelView& level, const SlosBlock& block,
                                                        const SuffixWeights<V, A>& weights,
                                                        const typename V::Real* column, const typename V::Real* parents,
                                                        const Sink& sink) {
    using Parents = Sum<V, A>;
    constexpr u32 left = FockSuffix<Photons>::states - First, tile = left < kUnrolledTile ? left : kUnrolledTile;
    Parents sums[tile];
    add_prefix_parents<V, A, tile>(level, block, First, column, parents, sums);
    const typename V::Real* const own = parents + u64{block.parent} * Parents::stride;
#pragma GCC unroll 8
    for (u32 t = 0; t < tile; ++t) {
#pragma GCC unroll 8
        for (u32 i = 0; i < kSuffixModes; ++i) {
            const u32 parent = kFockSuffix<Photons>.parent[First + t][i];
            if (parent != FockSuffix<Photons>::kNoParent) sums[t].add(weights.of[i], own + parent * Parents::stride);
        }
        sink(First + t, sums[t]);
    }
    if constexpr (left > tile) sum_unrolled<V, A, Photons, First + tile>(level, block, weights, column, parents, sink);
}
