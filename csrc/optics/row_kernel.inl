// The kernels that compute one datapoint with vectors over consecutive states; see row_tables.hpp. Included after
// slos_kernel.inl by the profiles whose vectors can be permuted: load_pattern() and arrange(pattern, v) as RowEntry
// describes.

/// Sums the parents of one chunk. Weights are those of a single lane.
template <class V, Arithmetic A>
inline __attribute__((always_inline)) void sum_chunk(const RowView& level, u32 chunk, const typename V::Real* column,
                                                     const typename V::Real* parents, u64 parent_stride,
                                                     typename V::Type& re, typename V::Type& im) {
    const RowEntry* const end = level.entries + level.begin[chunk + 1];
    for (const RowEntry* entry = level.entries + level.begin[chunk]; entry != end; ++entry) {
        const typename V::Pattern pattern = V::load_pattern(level.patterns + u64{entry->pattern} * V::lanes);
        const typename V::Real* const run = parents + entry->parent;
        const typename V::Type parent_re = V::arrange(pattern, V::load_unaligned(run));
        if constexpr (A == Arithmetic::Complex) {
            const typename V::Real* const weight = column + u64{entry->mode} * 2;
            const typename V::Type w_re = V::splat(weight[0]), w_im = V::splat(weight[1]);
            const typename V::Type parent_im = V::arrange(pattern, V::load_unaligned(run + parent_stride));
            re = V::fma(w_re, parent_re, re);
            im = V::fma(w_re, parent_im, im);
            re = V::fnma(w_im, parent_im, re);
            im = V::fma(w_im, parent_re, im);
        } else {
            const typename V::Type w = V::splat(column[entry->mode]);
            re = V::fma(w, parent_re, re);
            if constexpr (A == Arithmetic::RealColumn)
                im = V::fma(w, V::arrange(pattern, V::load_unaligned(run + parent_stride)), im);
        }
    }
}

template <class V, Arithmetic A>
void row_step(const RowView& level, const typename V::Real* column, const typename V::Real* parents, u64 parent_stride,
              typename V::Real* children, u64 child_stride) {
    for (u32 c = 0; c < level.chunks; ++c) {
        typename V::Type re = V::splat(0), im = V::splat(0);
        sum_chunk<V, A>(level, c, column, parents, parent_stride, re, im);
        V::store(children + u64{c} * V::lanes, re);
        if constexpr (A != Arithmetic::Distinguishable) V::store(children + child_stride + u64{c} * V::lanes, im);
    }
}

template <class V, Arithmetic A>
void row_finish(const RowView& level, u32 first_chunk, u32 last_chunk, const typename V::Real* column,
                const typename V::Real* parents, u64 parent_stride, const typename V::Real* weights,
                typename V::Real weight, typename V::Real* probabilities) {
    for (u32 c = first_chunk; c < last_chunk; ++c) {
        typename V::Type re = V::splat(0), im = V::splat(0);
        sum_chunk<V, A>(level, c, column, parents, parent_stride, re, im);
        if constexpr (A == Arithmetic::RealColumn) {
            re = V::fma(re, re, V::mul(im, im));
            re = V::mul(re, weights == nullptr ? V::splat(weight) : V::load(weights + u64{c} * V::lanes));
        }
        V::store_unaligned(probabilities + u64{c - first_chunk} * V::lanes, re);
    }
}

template <class V>
constexpr RowKernels<typename V::Real> row_kernels() {
    return {V::lanes,
            row_step<V, Arithmetic::Complex>,
            row_step<V, Arithmetic::RealColumn>,
            row_step<V, Arithmetic::Distinguishable>,
            row_finish<V, Arithmetic::RealColumn>,
            row_finish<V, Arithmetic::Distinguishable>};
}
