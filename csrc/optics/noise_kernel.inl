// The text of the mixtures' kernels, compiled once per SIMD profile inside an anonymous namespace of its own, under the
// rules of slos_kernel.inl.
#include "slos_kernel.inl"

template <class V>
struct Weight<V, Arithmetic::Clicks> : Weight<V, Arithmetic::Distinguishable> {
    using Weight<V, Arithmetic::Distinguishable>::Weight;
};

/// Beside the weighted parents, the sum of the weights: those of the occupied modes, where another photon changes
/// nothing that clicks could tell.
template <class V>
struct Sum<V, Arithmetic::Clicks> : Sum<V, Arithmetic::Distinguishable> {
    typename V::Type occupied = V::splat(0);
    void add(const Weight<V, Arithmetic::Clicks>& w, const typename V::Real* at) {
        Sum<V, Arithmetic::Distinguishable>::add(w, at);
        occupied = occupied + w.re;
    }
};

template <class V>
void multiply(const LevelView& level, const double* column, const double* from, double* to) {
    constexpr Arithmetic kAlone = Arithmetic::Distinguishable;
    for (u32 b = 0; b < level.block_count; ++b) {
        const SlosBlock& block = level.blocks[b];
        double* const out = to + u64{block.child} * V::lanes;
        sum_block<V, kAlone, true>(level, block, column, from, [out](u32 state, const Sum<V, kAlone>& sum) {
            double* const at = out + u64{state} * V::lanes;
            V::store(at, V::load(at) + sum.re);
        });
    }
}

template <class V>
void multiply_clicks(const LevelView& level, const double* column, const double* from, const double* stays,
                     double* to) {
    for (u32 b = 0; b < level.block_count; ++b) {
        const SlosBlock& block = level.blocks[b];
        const u64 first = u64{block.child} * V::lanes;
        const auto sink = [=](u32 state, const Sum<V, Arithmetic::Clicks>& sum) {
            const u64 at = first + u64{state} * V::lanes;
            V::store(to + at, V::load(to + at) + V::fma(sum.occupied, V::load(stays + at), sum.re));
        };
        sum_block<V, Arithmetic::Clicks, false>(level, block, column, from, sink);
    }
}

template <class V>
void probabilities(u64 states, const double* weights, const double* amplitudes, double* out) {
    for (u64 s = 0; s < states; ++s, amplitudes += 2 * V::lanes, out += V::lanes) {
        const typename V::Type re = V::load(amplitudes), im = V::load(amplitudes + V::lanes);
        V::store(out, V::mul(V::fma(re, re, V::mul(im, im)), V::splat(weights[s])));
    }
}

template <class V>
void add_at(u64 states, const u32* places, const double* from, double* to) {
    for (u64 s = 0; s < states; ++s, from += V::lanes) {
        if (places[s] == kNoPlace) continue;
        double* const at = to + u64{places[s]} * V::lanes;
        V::store(at, V::load(at) + V::load(from));
    }
}

template <class V>
void scale(u64 numbers, double weight, const double* from, double* to) {
    const typename V::Type factor = V::splat(weight);
    for (u64 i = 0; i < numbers; i += V::lanes) V::store(to + i, V::mul(factor, V::load(from + i)));
}

template <class V>
void accumulate(u64 numbers, double weight, const double* from, double* to) {
    const typename V::Type factor = V::splat(weight);
    for (u64 i = 0; i < numbers; i += V::lanes) V::store(to + i, V::fma(factor, V::load(from + i), V::load(to + i)));
}

template <class V>
constexpr MixtureKernels mixture_kernels() {
    return {V::lanes, multiply<V>, multiply_clicks<V>, probabilities<V>, add_at<V>};
}
