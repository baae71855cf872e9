// The text of the gradient kernels, compiled once per SIMD profile inside an anonymous namespace of its own, under the
// rules of slos_kernel.inl.
#include "compose_kernel.inl"
#include "slos_kernel.inl"

/// What is summed per state, loaded from its lane array.
template <class V, Arithmetic A>
inline __attribute__((always_inline)) Sum<V, A> load_sum(const typename V::Real* at) {
    Sum<V, A> sum;
    sum.re = V::load(at);
    if constexpr (A != Arithmetic::Distinguishable) sum.im = V::load(at + V::lanes);
    return sum;
}

/// to += factor * adjoint, and to += conj(i * factor) * adjoint, for real factors.
template <class V, Arithmetic A>
inline __attribute__((always_inline)) void add_real(typename V::Type factor, const Sum<V, A>& adjoint, Sum<V, A>& to) {
    to.re = V::fma(factor, adjoint.re, to.re);
    if constexpr (A != Arithmetic::Distinguishable) to.im = V::fma(factor, adjoint.im, to.im);
}
template <class V, Arithmetic A>
inline __attribute__((always_inline)) void add_imaginary(typename V::Type factor, const Sum<V, A>& adjoint,
                                                         Sum<V, A>& to) {
    to.re = V::fma(factor, adjoint.im, to.re);
    to.im = V::fnma(factor, adjoint.re, to.im);
}

/// visit(mode, first, last, parent): `parent` is where a photon in `mode` brings state `first` of a tile from, and the
/// parents of the states up to `last` follow it.
template <u32 Tile, class Visit>
inline __attribute__((always_inline)) void for_parents(const LevelView& level, const SlosBlock& block, u32 first,
                                                       const Visit& visit) {
    for (u32 e = block.entry; e < block.entry + block.entries; ++e)
        visit(level.entries[e].mode, 0u, Tile, u64{level.entries[e].parent} + first);
    const SuffixView& suffix = level.suffixes[block.suffix];
#pragma GCC unroll 8
    for (u32 t = 0; t < Tile; ++t)
        for (u32 e = suffix.begin[first + t]; e < suffix.begin[first + t + 1]; ++e)
            visit(suffix.entries[e].mode, t, t + 1, u64{block.parent} + suffix.entries[e].parent);
}

/// Hands the adjoints of `Tile` consecutive states of a block to their parents and to the column.
template <class V, Arithmetic A, u32 Tile>
inline __attribute__((always_inline)) void scatter_tile(const LevelView& level, const SlosBlock& block, u32 first,
                                                        const typename V::Real* column, const typename V::Real* parents,
                                                        const Sum<V, A> (&adjoints)[Tile],
                                                        typename V::Real* parent_adjoints,
                                                        typename V::Real* column_adjoint) {
    constexpr u32 stride = Sum<V, A>::stride;
    const auto to_parent = [=](const Weight<V, A>& weight, const Sum<V, A>& adjoint, u64 parent, Sum<V, A>& gradient) {
        Sum<V, A> sum = load_sum<V, A>(parent_adjoints + parent * stride);
        add_real<V, A>(weight.re, adjoint, sum);
        if constexpr (A == Arithmetic::Complex) add_imaginary<V, A>(weight.im, adjoint, sum);
        sum.store(parent_adjoints + parent * stride);
        const Sum<V, A> amplitude = load_sum<V, A>(parents + parent * stride);
        add_real<V, A>(amplitude.re, adjoint, gradient);
        if constexpr (A != Arithmetic::Distinguishable) add_imaginary<V, A>(amplitude.im, adjoint, gradient);
    };
    for_parents<Tile>(level, block, first, [&](u32 mode, u32 begin, u32 end, u64 parent) {
        const Weight<V, A> weight(column + u64{mode} * Weight<V, A>::stride);
        Sum<V, A> gradient = load_sum<V, A>(column_adjoint + u64{mode} * stride);
#pragma GCC unroll 8
        for (u32 t = begin; t < end; ++t) to_parent(weight, adjoints[t], parent + (t - begin), gradient);
        gradient.store(column_adjoint + u64{mode} * stride);
    });
}

template <u32 N>
struct Count {
    static constexpr u32 value = N;
};

/// visit(Count<tile>, first) for tiles that cover `states` states.
template <class Visit>
inline __attribute__((always_inline)) void for_tiles(u32 states, const Visit& visit) {
    constexpr u32 kTile = 4;  // 8 registers of adjoints, which leaves 8 of 16
    u32 first = 0;
    for (; first + kTile <= states; first += kTile) visit(Count<kTile>{}, first);
    if (states - first >= 2) {
        visit(Count<2>{}, first);
        first += 2;
    }
    if (first < states) visit(Count<1>{}, first);
}

template <class V, Arithmetic A>
void back(const LevelView& level, u32 first_block, u32 last_block, const typename V::Real* column,
          const typename V::Real* parents, const typename V::Real* children, typename V::Real* parent_adjoints,
          typename V::Real* column_adjoint) {
    constexpr u32 stride = Sum<V, A>::stride;
    const u32 origin = level.blocks[first_block].child;
    for (u32 b = first_block; b < last_block; ++b) {
        const SlosBlock& block = level.blocks[b];
        const typename V::Real* const from = children + u64{block.child - origin} * stride;
        for_tiles(level.suffixes[block.suffix].states, [&](auto tile, u32 first) {
            Sum<V, A> adjoints[tile.value];
            for (u32 t = 0; t < tile.value; ++t) adjoints[t] = load_sum<V, A>(from + u64{first + t} * stride);
            scatter_tile<V, A>(level, block, first, column, parents, adjoints, parent_adjoints, column_adjoint);
        });
    }
}

/// The probability is |amplitude|^2 * weight, so its derivative with respect to the amplitude is 2 * weight *
/// amplitude.
template <class V>
void back_last(const LevelView& level, u32 first_block, u32 last_block, const typename V::Real* column,
               const typename V::Real* parents, double scale, const typename V::Real* cotangents,
               typename V::Real* parent_adjoints, typename V::Real* column_adjoint) {
    using Amplitude = Sum<V, Arithmetic::RealColumn>;
    const u32 origin = level.blocks[first_block].child;
    for (u32 b = first_block; b < last_block; ++b) {
        const SlosBlock& block = level.blocks[b];
        const typename V::Real* const from = cotangents + u64{block.child - origin} * V::lanes;
        const double* const suffix_weight = level.suffixes[block.suffix].weight;
        const double block_weight = 2.0 * level.weight[b] * scale;
        for_tiles(level.suffixes[block.suffix].states, [&](auto tile, u32 first) {
            Amplitude adjoints[tile.value];
            sum_tile<V, Arithmetic::RealColumn, tile.value>(
                level, block, first, column, parents, [&](u32 state, const Amplitude& amplitude) {
                    const auto weight = static_cast<typename V::Real>(block_weight * suffix_weight[state]);
                    const typename V::Type factor = V::mul(V::splat(weight), V::load(from + u64{state} * V::lanes));
                    adjoints[state - first].re = V::mul(factor, amplitude.re);
                    adjoints[state - first].im = V::mul(factor, amplitude.im);
                });
            scatter_tile<V, Arithmetic::RealColumn>(level, block, first, column, parents, adjoints, parent_adjoints,
                                                    column_adjoint);
        });
    }
}

template <class V, u32 Lanes>
void propagate(const NetworkView& view) {
    const u64 elements = u64{view.modes} * view.columns * 2;
    begin_columns<V, Lanes>(view, view.stages);
    for (u32 layer = 0; layer < view.layers; ++layer) {
        double* const stage = view.stages + layer * elements * Lanes;
        if (layer > 0) apply_layer<V, Lanes>(view, layer, stage);
        apply_interferometer<V, Lanes>(view.modes, view.columns,
                                       view.matrices + u64{layer} * view.modes * view.modes * 2, stage,
                                       stage + elements * Lanes);
    }
}

/// out[i, j] = sum over columns of adjoint[i] conj(input[j]).
template <class V, u32 Lanes>
void outer_product(u32 modes, u32 columns, const double* adjoint, const double* input, double* out) {
    const u64 row = u64{columns} * 2 * Lanes;
    for (u32 i = 0; i < modes; ++i)
        for (u32 j = 0; j < modes; ++j, out += 2 * Lanes)
            for (u32 lane = 0; lane < Lanes; lane += V::lanes) {
                typename V::Type re = V::splat(0), im = V::splat(0);
                for (u64 c = lane; c < row; c += 2 * Lanes) {
                    const double* const a = adjoint + i * row + c;
                    const double* const x = input + j * row + c;
                    const typename V::Type a_re = V::load(a), a_im = V::load(a + Lanes);
                    const typename V::Type x_re = V::load(x), x_im = V::load(x + Lanes);
                    re = V::fma(a_re, x_re, re);
                    im = V::fma(a_im, x_re, im);
                    re = V::fma(a_im, x_im, re);
                    im = V::fnma(a_re, x_im, im);
                }
                V::store(out + lane, re);
                V::store(out + Lanes + lane, im);
            }
}

/// A phase turns a row x into x e^(i phase): the derivative with respect to it is the sum of Re(conj(adjoint) i x) over
/// the columns.
template <class V, u32 Lanes>
void phase_gradient(u32 columns, const double* row, const double* adjoint, double* gradient) {
    for (u32 lane = 0; lane < Lanes; lane += V::lanes) {
        typename V::Type sum = V::splat(0);
        for (u64 at = lane; at < u64{columns} * 2 * Lanes; at += 2 * Lanes) {
            sum = V::fma(V::load(adjoint + at + Lanes), V::load(row + at), sum);
            sum = V::fnma(V::load(adjoint + at), V::load(row + at + Lanes), sum);
        }
        V::store(gradient + lane, sum);
    }
}

template <class V, u32 Lanes>
void turn_back(u32 columns, const double* phasor, double* row) {
    for (u32 lane = 0; lane < Lanes; lane += V::lanes) {
        const typename V::Type c = V::load(phasor + lane), s = V::load(phasor + Lanes + lane);
        for (u64 at = lane; at < u64{columns} * 2 * Lanes; at += 2 * Lanes) {
            const typename V::Type re = V::load(row + at), im = V::load(row + at + Lanes);
            V::store(row + at, V::fma(s, im, V::mul(c, re)));
            V::store(row + at + Lanes, V::fnma(s, re, V::mul(c, im)));
        }
    }
}

template <class V, u32 Lanes>
void back_layer(const NetworkView& view, u32 layer) {
    const u64 row = u64{view.columns} * 2 * Lanes;
    const double* const stage = view.stages + layer * view.modes * row;
    double* const result = view.adjoint_scratch;
    if (view.outer != nullptr) outer_product<V, Lanes>(view.modes, view.columns, view.adjoint, stage, view.outer);
    apply_interferometer<V, Lanes>(view.modes, view.columns, view.adjoints + u64{layer} * view.modes * view.modes * 2,
                                   view.adjoint, result);
    const u32 begin = view.site_begin[layer], end = view.site_begin[layer + 1];
    for (u32 s = begin; s < end; ++s)  // before any turns back: two phases may share a mode
        phase_gradient<V, Lanes>(view.columns, stage + view.site_mode[s] * row, result + view.site_mode[s] * row,
                                 view.phase_gradients + u64{s} * Lanes);
    for (u32 s = begin; s < end; ++s)
        turn_back<V, Lanes>(view.columns, view.phasors + u64{s} * 2 * Lanes, result + view.site_mode[s] * row);
}

/// The kernels for lanes of V; D is a double vector whose width divides that of V.
template <class V, class D>
constexpr GradientKernels<typename V::Real> gradient_kernels() {
    return {V::lanes,
            back<V, Arithmetic::Complex>,
            back<V, Arithmetic::RealColumn>,
            back<V, Arithmetic::Distinguishable>,
            back_last<V>,
            propagate<D, V::lanes>,
            back_layer<D, V::lanes>};
}
