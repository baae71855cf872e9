// The kernels that compute few datapoints with vectors over consecutive states; see row_tables.hpp. Included after
// slos_kernel.inl by the profiles whose vectors can be permuted: load_pattern() and arrange(pattern, v) as RowEntry
// describes.

/// Sums the parents of one chunk, for `Rows` datapoints: what the tables say is worked out once for all of them.
template <class V, Arithmetic A, u32 Rows>
inline __attribute__((always_inline)) void sum_chunk(const RowView& level, u32 chunk, const typename V::Real* column,
                                                     const typename V::Real* parents, u64 parent_stride,
                                                     typename V::Type* re, typename V::Type* im) {
    const RowEntry* const end = level.entries + level.begin[chunk + 1];
    for (const RowEntry* entry = level.entries + level.begin[chunk]; entry != end; ++entry) {
        const typename V::Pattern pattern = V::load_pattern(level.patterns + u64{entry->pattern} * V::lanes);
        const typename V::Real* const weight = column + u64{entry->mode} * Rows * (A == Arithmetic::Complex ? 2 : 1);
        const typename V::Real* run = parents + entry->parent;
#pragma GCC unroll 2
        for (u32 r = 0; r < Rows; ++r, run += 2 * parent_stride) {
            const typename V::Type w_re = V::splat(weight[r]);
            const typename V::Type parent_re = V::arrange(pattern, V::load_unaligned(run));
            re[r] = V::fma(w_re, parent_re, re[r]);
            if constexpr (A == Arithmetic::Distinguishable) continue;
            const typename V::Type parent_im = V::arrange(pattern, V::load_unaligned(run + parent_stride));
            im[r] = V::fma(w_re, parent_im, im[r]);
            if constexpr (A != Arithmetic::Complex) continue;
            const typename V::Type w_im = V::splat(weight[Rows + r]);
            re[r] = V::fnma(w_im, parent_im, re[r]);
            im[r] = V::fma(w_im, parent_re, im[r]);
        }
    }
}

template <class V, Arithmetic A, u32 Rows>
void row_step(const RowView& level, const typename V::Real* column, const typename V::Real* parents, u64 parent_stride,
              typename V::Real* children, u64 child_stride) {
    for (u32 c = 0; c < level.chunks; ++c) {
        typename V::Type re[Rows], im[Rows];
        for (u32 r = 0; r < Rows; ++r) re[r] = im[r] = V::splat(0);
        sum_chunk<V, A, Rows>(level, c, column, parents, parent_stride, re, im);
        typename V::Real* out = children + u64{c} * V::lanes;
        for (u32 r = 0; r < Rows; ++r, out += 2 * child_stride) {
            V::store(out, re[r]);
            if constexpr (A != Arithmetic::Distinguishable) V::store(out + child_stride, im[r]);
        }
    }
}

template <class V, Arithmetic A, u32 Rows>
void row_finish(const RowView& level, u32 first_chunk, u32 last_chunk, const typename V::Real* column,
                const typename V::Real* parents, u64 parent_stride, const typename V::Real* weights,
                typename V::Real weight, typename V::Real* const* probabilities) {
    for (u32 c = first_chunk; c < last_chunk; ++c) {
        typename V::Type re[Rows], im[Rows];
        for (u32 r = 0; r < Rows; ++r) re[r] = im[r] = V::splat(0);
        sum_chunk<V, A, Rows>(level, c, column, parents, parent_stride, re, im);
        const typename V::Type factor = weights == nullptr ? V::splat(weight) : V::load(weights + u64{c} * V::lanes);
        for (u32 r = 0; r < Rows; ++r) {
            if constexpr (A == Arithmetic::RealColumn)
                re[r] = V::mul(V::fma(re[r], re[r], V::mul(im[r], im[r])), factor);
            V::store_unaligned(probabilities[r] + u64{c - first_chunk} * V::lanes, re[r]);
        }
    }
}

template <class V, u32 Rows>
constexpr RowKernels<typename V::Real> row_kernels() {
    return {V::lanes,
            Rows,
            row_step<V, Arithmetic::Complex, Rows>,
            row_step<V, Arithmetic::RealColumn, Rows>,
            row_step<V, Arithmetic::Distinguishable, Rows>,
            row_finish<V, Arithmetic::RealColumn, Rows>,
            row_finish<V, Arithmetic::Distinguishable, Rows>};
}
