// Mixtures with vectors over consecutive states: included after noise_kernel.inl by the profiles whose vectors can be
// permuted.
#include "row_kernel.inl"

template <class V>
void row_multiply(const RowView& level, const double* column, const double* from, double* to) {
    for (u32 c = 0; c < level.chunks; ++c, to += V::lanes) {
        typename V::Type sum = V::splat(0), none;
        sum_chunk<V, Arithmetic::Distinguishable, 1>(level, c, column, from, 0, &sum, &none);
        V::store(to, V::load(to) + sum);
    }
}

template <class V>
void row_multiply_clicks(const RowView& level, const double* column, const double* from, const double* stays,
                         double* to) {
    for (u32 c = 0; c < level.chunks; ++c, to += V::lanes, stays += V::lanes) {
        typename V::Type sum = V::splat(0), occupied = V::splat(0);
        const RowEntry* const end = level.entries + level.begin[c + 1];
        for (const RowEntry* entry = level.entries + level.begin[c]; entry != end; ++entry) {
            const typename V::Pattern pattern = V::load_pattern(level.patterns + u64{entry->pattern} * V::lanes);
            const typename V::Type weight = V::splat(column[entry->mode]);
            sum = V::fma(weight, V::arrange(pattern, V::load_unaligned(from + entry->parent)), sum);
            occupied = occupied + V::arrange(pattern, weight);
        }
        V::store(to, V::load(to) + V::fma(occupied, V::load(stays), sum));
    }
}

template <class V>
void row_probabilities(u64 states, const double* weights, const double* amplitudes, u64 stride, double* out) {
    for (u64 s = 0; s < states; s += V::lanes) {
        const typename V::Type re = V::load(amplitudes + s), im = V::load(amplitudes + stride + s);
        V::store(out + s, V::mul(V::fma(re, re, V::mul(im, im)), V::load(weights + s)));
    }
}

template <class V>
constexpr MixtureRowKernels mixture_row_kernels() {
    return {row_multiply<V>, row_multiply_clicks<V>, row_probabilities<V>};
}
