// The kernel text, compiled once per SIMD profile inside an anonymous namespace of its own. The including file
// defines the vector types, each with Real, Type, lanes, load, store, splat, mul, fma(a, b, c) = a*b + c and
// fnma(a, b, c) = c - a*b. No standard library here: an inline function instantiated with wide instructions could
// otherwise be the copy that the linker keeps for everybody.

/// Clicks: that of photons in states of their own at detectors that only click; see noise_kernel.inl.
enum class Arithmetic { Complex, RealColumn, Distinguishable, Clicks };

template <class V, Arithmetic A>
struct Weight;
/// Weighted parents of a state, added up. store() keeps the sum for the next level; finish() writes what becomes of it
/// in the last one: a probability, or of complex sums the amplitude itself.
template <class V, Arithmetic A>
struct Sum;

template <class V>
struct Weight<V, Arithmetic::Complex> {
    static constexpr u32 stride = 2 * V::lanes;
    typename V::Type re, im;
    explicit Weight(const typename V::Real* at) : re(V::load(at)), im(V::load(at + V::lanes)) {}
};

template <class V>
struct Weight<V, Arithmetic::RealColumn> {
    static constexpr u32 stride = V::lanes;
    typename V::Type re;
    explicit Weight(const typename V::Real* at) : re(V::load(at)) {}
};

template <class V>
struct Weight<V, Arithmetic::Distinguishable> : Weight<V, Arithmetic::RealColumn> {
    using Weight<V, Arithmetic::RealColumn>::Weight;
};

template <class V>
struct Sum<V, Arithmetic::Complex> {
    static constexpr u32 stride = 2 * V::lanes;
    typename V::Type re = V::splat(0), im = V::splat(0);
    void add(const Weight<V, Arithmetic::Complex>& w, const typename V::Real* at) {
        const typename V::Type parent_re = V::load(at), parent_im = V::load(at + V::lanes);
        re = V::fma(w.re, parent_re, re);
        im = V::fma(w.re, parent_im, im);
        re = V::fnma(w.im, parent_im, re);
        im = V::fma(w.im, parent_re, im);
    }
    void store(typename V::Real* at) const {
        V::store(at, re);
        V::store(at + V::lanes, im);
    }
    static constexpr u32 result_stride = stride;
    static const double* suffix_weights(const SuffixView& suffix) { return suffix.root_weight; }
    static double block_weight(const LevelView& level, u32 block) { return level.root_weight[block]; }
    void finish(typename V::Real* at, double weight) const {
        const typename V::Type factor = V::splat(static_cast<typename V::Real>(weight));
        V::store(at, V::mul(re, factor));
        V::store(at + V::lanes, V::mul(im, factor));
    }
};

/// What a last level of probabilities needs.
template <class V>
struct Probability {
    static constexpr u32 result_stride = V::lanes;
    static const double* suffix_weights(const SuffixView& suffix) { return suffix.weight; }
    static double block_weight(const LevelView& level, u32 block) { return level.weight[block]; }
};

template <class V>
struct Sum<V, Arithmetic::RealColumn> : Probability<V> {
    static constexpr u32 stride = 2 * V::lanes;
    typename V::Type re = V::splat(0), im = V::splat(0);
    void add(const Weight<V, Arithmetic::RealColumn>& w, const typename V::Real* at) {
        re = V::fma(w.re, V::load(at), re);
        im = V::fma(w.re, V::load(at + V::lanes), im);
    }
    void store(typename V::Real* at) const {
        V::store(at, re);
        V::store(at + V::lanes, im);
    }
    void finish(typename V::Real* at, double weight) const {
        const typename V::Type norm = V::fma(re, re, V::mul(im, im));
        V::store(at, V::mul(norm, V::splat(static_cast<typename V::Real>(weight))));
    }
};

template <class V>
struct Sum<V, Arithmetic::Distinguishable> : Probability<V> {
    static constexpr u32 stride = V::lanes;
    typename V::Type re = V::splat(0);
    void add(const Weight<V, Arithmetic::Distinguishable>& w, const typename V::Real* at) {
        re = V::fma(w.re, V::load(at), re);
    }
    void store(typename V::Real* at) const { V::store(at, re); }
    void finish(typename V::Real* at, double) const { V::store(at, re); }
};

/// Adds the parents through prefix modes of `Tile` consecutive states of a block, from `first` on.
template <class V, Arithmetic A, u32 Tile>
inline __attribute__((always_inline)) void add_prefix_parents(const LevelView& level, const SlosBlock& block, u32 first,
                                                              const typename V::Real* column,
                                                              const typename V::Real* parents,
                                                              Sum<V, A> (&sums)[Tile]) {
    for (u32 e = block.entry; e < block.entry + block.entries; ++e) {
        const Weight<V, A> weight(column + u64{level.entries[e].mode} * Weight<V, A>::stride);
        const typename V::Real* run = parents + (u64{level.entries[e].parent} + first) * Sum<V, A>::stride;
#pragma GCC unroll 8
        for (u32 t = 0; t < Tile; ++t) sums[t].add(weight, run + u64{t} * Sum<V, A>::stride);
    }
}

/// Sums the parents of `Tile` consecutive states of a block, in registers, and hands each sum to `sink`. Parents are
/// added in ascending order of modes whatever the tile.
template <class V, Arithmetic A, u32 Tile, class Sink>
inline __attribute__((always_inline)) void sum_tile(const LevelView& level, const SlosBlock& block, u32 first,
                                                    const typename V::Real* column, const typename V::Real* parents,
                                                    const Sink& sink) {
    using Parents = Sum<V, A>;
    Parents sums[Tile];
    add_prefix_parents<V, A, Tile>(level, block, first, column, parents, sums);
    const SuffixView& suffix = level.suffixes[block.suffix];
#pragma GCC unroll 8
    for (u32 t = 0; t < Tile; ++t) {
        for (u32 e = suffix.begin[first + t]; e < suffix.begin[first + t + 1]; ++e) {
            const Weight<V, A> weight(column + u64{suffix.entries[e].mode} * Weight<V, A>::stride);
            sums[t].add(weight, parents + (u64{block.parent} + suffix.entries[e].parent) * Parents::stride);
        }
        sink(first + t, sums[t]);
    }
}

#include "fock_suffix.inl"

template <class V, Arithmetic A, class Sink>
inline __attribute__((always_inline)) void sum_any_block(const LevelView& level, const SlosBlock& block,
                                                         const typename V::Real* column,
                                                         const typename V::Real* parents, const Sink& sink) {
    constexpr u32 kTile = 4;  // 8 accumulators, which leaves registers for the weight even with 16 of them
    const u32 states = level.suffixes[block.suffix].states;
    u32 first = 0;
    for (; first + kTile <= states; first += kTile) sum_tile<V, A, kTile>(level, block, first, column, parents, sink);
    if (states - first >= 2) {
        sum_tile<V, A, 2>(level, block, first, column, parents, sink);
        first += 2;
    }
    if (first < states) sum_tile<V, A, 1>(level, block, first, column, parents, sink);
}

/// The sums of a block's states, in order. `Unroll` where nearly all the work is done: it is a lot of code.
template <class V, Arithmetic A, bool Unroll, class Sink>
inline __attribute__((always_inline)) void sum_block(const LevelView& level, const SlosBlock& block,
                                                     const typename V::Real* column, const typename V::Real* parents,
                                                     const Sink& sink) {
    if constexpr (Unroll && kUnrolled<V>) {
        if (level.fock_suffixes && block.suffix <= kMostUnrolledPhotons) {
            const SuffixWeights<V, A> weights(column + u64{level.prefix_modes} * Weight<V, A>::stride);
            switch (block.suffix) {
                case 0:
                    return sum_unrolled<V, A, 0, 0>(level, block, weights, column, parents, sink);
                case 1:
                    return sum_unrolled<V, A, 1, 0>(level, block, weights, column, parents, sink);
                case 2:
                    return sum_unrolled<V, A, 2, 0>(level, block, weights, column, parents, sink);
                case 3:
                    return sum_unrolled<V, A, 3, 0>(level, block, weights, column, parents, sink);
                case 4:
                    return sum_unrolled<V, A, 4, 0>(level, block, weights, column, parents, sink);
            }
        }
    }
    sum_any_block<V, A>(level, block, column, parents, sink);
}

template <class V, Arithmetic A>
void step(const LevelView& level, const typename V::Real* column, const typename V::Real* parents,
          typename V::Real* children) {
    for (u32 b = 0; b < level.block_count; ++b) {
        const SlosBlock& block = level.blocks[b];
        typename V::Real* const out = children + u64{block.child} * Sum<V, A>::stride;
        sum_block<V, A, A == Arithmetic::Complex>(
            level, block, column, parents,
            [out](u32 state, const Sum<V, A>& sum) { sum.store(out + u64{state} * Sum<V, A>::stride); });
    }
}

template <class V, Arithmetic A>
void finish(const LevelView& level, u32 first_block, u32 last_block, const typename V::Real* column,
            const typename V::Real* parents, double scale, typename V::Real* results) {
    using Result = Sum<V, A>;
    const u32 origin = level.blocks[first_block].child;
    for (u32 b = first_block; b < last_block; ++b) {
        const SlosBlock& block = level.blocks[b];
        typename V::Real* const out = results + u64{block.child - origin} * Result::result_stride;
        const double* const suffix_weight = Result::suffix_weights(level.suffixes[block.suffix]);
        const double block_weight = Result::block_weight(level, b) * scale;
        sum_block<V, A, A == Arithmetic::RealColumn>(level, block, column, parents, [=](u32 state, const Result& sum) {
            sum.finish(out + u64{state} * Result::result_stride, block_weight * suffix_weight[state]);
        });
    }
}
