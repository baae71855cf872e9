// What only the forward simulation needs: phasors, the columns of a sweep, and lane arrays turned into rows. Included
// after the vector types, under the rules of slos_kernel.inl.
#include "compose_kernel.inl"
#include "slos_kernel.inl"

constexpr double kQuarterTurns = 0.63661977236758134308;  // per radian: 2 / pi
/// pi / 2 in three parts. The first two have 33 bits, so that 2^20 times each of them is exact.
constexpr double kQuarter[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2e037073p-69};
/// Taylor series around 0 in powers of the square. At pi / 4 the first term left out is below 1e-16 of the sum.
constexpr double kSineSeries[] = {-1.0 / 6,        1.0 / 120,        -1.0 / 5040,         1.0 / 362880,
                                  -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000};
constexpr double kCosineSeries[] = {-1.0 / 2,       1.0 / 24,        -1.0 / 720,         1.0 / 40320,
                                    -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000};

template <class D, u32 Terms>
inline __attribute__((always_inline)) typename D::Type series(const double (&terms)[Terms], typename D::Type square) {
    typename D::Type sum = D::splat(terms[Terms - 1]);
#pragma GCC unroll 8
    for (u32 t = 1; t < Terms; ++t) sum = D::fma(sum, square, D::splat(terms[Terms - 1 - t]));
    return sum;
}

/// cos[Lanes], sin[Lanes] of the angles that stand where the cosines come, for each site.
template <class D, u32 Lanes>
void phasors(u32 sites, double* angles) {
    using Type = typename D::Type;
    const Type rounding = D::splat(0x1.8p52), one = D::splat(1);
    for (u32 site = 0; site < sites; ++site, angles += 2 * Lanes)
        for (double* at = angles; at < angles + Lanes; at += D::lanes) {
            const Type angle = D::load(at);
            const Type quarters = D::fma(angle, D::splat(kQuarterTurns), rounding) - rounding;
            Type rest = angle;
            for (const double part : kQuarter) rest = D::fnma(quarters, D::splat(part), rest);
            const Type square = D::mul(rest, rest);
            const Type sine = D::fma(D::mul(rest, square), series<D>(kSineSeries, square), rest);
            const Type cosine = D::fma(square, series<D>(kCosineSeries, square), one);
            // Quarter turns, -2..2 of them, without a jump: their cosine is 1 - q^2 (7 - q^2) / 6, their sine
            // q (4 - q^2) / 3. All roundings come out exact.
            const Type turns = D::fma(quarters, D::splat(0.25), rounding) - rounding;
            const Type q = D::fnma(turns, D::splat(4), quarters), q2 = D::mul(q, q);
            const Type turn_cos = D::fnma(D::mul(q2, D::splat(7) - q2), D::splat(1.0 / 6), one);
            const Type turn_sin = D::mul(D::mul(q, D::splat(4) - q2), D::splat(1.0 / 3));
            D::store(at, D::fnma(turn_sin, sine, D::mul(turn_cos, cosine)));
            D::store(at + Lanes, D::fma(turn_sin, cosine, D::mul(turn_cos, sine)));
        }
}

template <class D, class Real>
inline __attribute__((always_inline)) void store_rounded(Real* at, typename D::Type v) {
    if constexpr (D::lanes == 1) {
        *at = static_cast<Real>(v);
    } else {
        typedef Real Rounded __attribute__((vector_size(sizeof(Real) * D::lanes)));
        typedef Rounded Anywhere __attribute__((aligned(sizeof(Real)), may_alias));
        *reinterpret_cast<Anywhere*>(at) = __builtin_convertvector(v, Rounded);
    }
}

/// Lanes first.. of one mode's row of the composed matrices, as many as D has.
template <class D, class Real>
inline __attribute__((always_inline)) void load_mode(const LoadView<Real>& view, u32 mode, u32 first) {
    using Type = typename D::Type;
    const u64 part = view.composed_lanes, lanes = view.lanes;
    const double* const row = view.composed + u64{mode} * view.columns * 2 * part + first;
    const double* const last = row + u64{view.last} * 2 * part;
    const Type zero = D::splat(0), one = D::splat(1);
    const Type last_re = D::load(last), last_im = D::load(last + part);
    const Type square = D::fma(last_re, last_re, D::mul(last_im, last_im)), norm = square_root(square);
    store_rounded<D>(view.real_column + mode * lanes + first, view.interference ? norm : square);
    const Type inverse = view.gauged ? one / norm : zero;
    const Type turn_re = view.gauged ? (norm > zero ? D::mul(last_re, inverse) : one) : one;
    const Type turn_im = view.gauged ? (norm > zero ? -D::mul(last_im, inverse) : zero) : zero;
    for (u32 c = 0; c < view.columns; ++c) {
        const Type re = D::load(row + u64{c} * 2 * part);
        const Type im = D::load(row + (u64{c} * 2 + 1) * part);
        const u64 place = u64{c} * view.modes + mode;
        if (!view.interference) {
            store_rounded<D>(view.weights + place * lanes + first, D::fma(re, re, D::mul(im, im)));
            continue;
        }
        Real* const at = view.weights + place * 2 * lanes + first;
        store_rounded<D>(at, D::fnma(im, turn_im, D::mul(re, turn_re)));
        store_rounded<D>(at + lanes, D::fma(re, turn_im, D::mul(im, turn_re)));
    }
}

template <class D, class Real>
void load_columns(const LoadView<Real>& view) {
    for (u32 mode = 0; mode < view.modes; ++mode) {
        u32 lane = 0;
        for (; lane + D::lanes <= view.lanes; lane += D::lanes) load_mode<D>(view, mode, lane);
        for (; lane < view.lanes; ++lane) load_mode<Scalar<double>>(view, mode, lane);
    }
}

/// Of each `Span` numbers, cut into pieces of `Piece`: the even pieces of a, then those of b; and the odd ones.
template <class V, u32 Piece, u32 Span>
inline __attribute__((always_inline)) void separate(typename V::Type a, typename V::Type b, typename V::Type* even,
                                                    typename V::Type* odd) {
    using Places = decltype(a < b);  // integers of the same width
    Places first{}, second{};
#pragma GCC unroll 16
    for (u32 j = 0; j < V::lanes; ++j) {
        const u32 in_span = j % Span, from_b = in_span / (Span / 2), piece = in_span % (Span / 2) / Piece * 2;
        first[j] = from_b * V::lanes + j / Span * Span + piece * Piece + j % Piece;
        second[j] = first[j] + Piece;
    }
    *even = __builtin_shuffle(a, b, first);
    *odd = __builtin_shuffle(a, b, second);
}

/// Transposes squares of pieces, whose rows are `Step` vectors apart: each round turns the joint number of row and
/// piece, as bits, by one place.
template <class V, u32 Piece, u32 Span, u32 Step>
inline __attribute__((always_inline)) void transpose_pieces(typename V::Type* square) {
    constexpr u32 side = Span / Piece;
    for (u32 round = 1; round < side; round *= 2) {
        typename V::Type turned[V::lanes];
#pragma GCC unroll 8
        for (u32 i = 0; i < V::lanes / 2; ++i) {
            const u32 row = i / Step % (side / 2), corner = i / (Step * side / 2) * (Step * side) + i % Step;
            separate<V, Piece, Span>(square[corner + 2 * row * Step], square[corner + (2 * row + 1) * Step],
                                     &turned[corner + row * Step], &turned[corner + (row + side / 2) * Step]);
        }
#pragma GCC unroll 16
        for (u32 i = 0; i < V::lanes; ++i) square[i] = turned[i];
    }
}

/// Transposes a square of V::lanes vectors: first within 16 bytes, which shuffles do not leave, then such pieces.
template <class V>
inline __attribute__((always_inline)) void transpose(typename V::Type* square) {
    constexpr u32 quad = 16 / sizeof(typename V::Real);
    transpose_pieces<V, 1, quad, 1>(square);
    if constexpr (V::lanes > quad) transpose_pieces<V, quad, V::lanes, quad>(square);
}

/// Lane arrays of V::lanes states to columns first.. of as many rows.
template <class V>
inline __attribute__((always_inline)) void scatter_square(const typename V::Real* tile,
                                                          typename V::Real* const* targets, u64 first) {
    typename V::Type square[V::lanes];
#pragma GCC unroll 16
    for (u32 i = 0; i < V::lanes; ++i) square[i] = V::load(tile + u64{i} * V::lanes);
    transpose<V>(square);
#pragma GCC unroll 16
    for (u32 i = 0; i < V::lanes; ++i) V::store_unaligned(targets[i] + first, square[i]);
}

template <class V>
void scatter_rows(const typename V::Real* tile, u32 states, typename V::Real* const* targets, u64 first) {
    if constexpr (V::lanes > 1)
        if (states >= V::lanes) {
            for (u32 s = 0; s + V::lanes <= states; s += V::lanes)
                scatter_square<V>(tile + u64{s} * V::lanes, targets, first + s);
            // What is left, and some states once more: cheaper than one by one.
            const u32 last = states - V::lanes;
            if (states % V::lanes != 0) scatter_square<V>(tile + u64{last} * V::lanes, targets, first + last);
            return;
        }
    for (u32 row = 0; row < V::lanes; ++row)
        for (u32 s = 0; s < states; ++s) targets[row][first + s] = tile[u64{s} * V::lanes + row];
}

/// The kernels for lanes of V; D is a double vector whose width divides that of V.
template <class V, class D>
constexpr SlosKernels<typename V::Real> kernels() {
    return {V::lanes,
            phasors<D, V::lanes>,
            compose<D, V::lanes>,
            load_columns<D, typename V::Real>,
            step<V, Arithmetic::Complex>,
            step<V, Arithmetic::RealColumn>,
            step<V, Arithmetic::Distinguishable>,
            finish<V, Arithmetic::RealColumn>,
            finish<V, Arithmetic::Distinguishable>,
            finish<V, Arithmetic::Complex>,
            scatter_rows<V>};
}
