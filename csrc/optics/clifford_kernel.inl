// Permanents of a k x (k + 1) matrix without one column each, compiled once per SIMD profile; see clifford.hpp.

constexpr u32 kMostMinors = 32;

/// Glynn's formula for all minors at once: the sum over the signs of the rows but the first of the product of the signs
/// and of the sums of all columns but one, times 2^(1 - k), which callers do not need. Lanes take the signs of the rows
/// after the first; the others follow a Gray code, so that each step changes one sign. Products without one column are
/// those of the columns before it times those after it.
/// `matrix`: re, im of each element, row by row; `minors`: re, im of each.
template <class V>
void minors(u32 rows, const double* matrix, double* minors) {
    using Type = typename V::Type;
    constexpr u32 lane_rows = V::lanes == 8 ? 3 : V::lanes == 4 ? 2 : V::lanes == 2 ? 1 : 0;
    const u32 columns = rows + 1;
    const u32 gray_rows = rows - 1 - lane_rows;
    alignas(64) double signs[lane_rows + 1][V::lanes];  // of the lane rows, then their product
    for (u32 lane = 0; lane < V::lanes; ++lane) {
        signs[lane_rows][lane] = 1;
        for (u32 r = 0; r < lane_rows; ++r) {
            signs[r][lane] = (lane >> r & 1) != 0 ? -1 : 1;
            signs[lane_rows][lane] *= signs[r][lane];
        }
    }
    Type sum_re[kMostMinors], sum_im[kMostMinors], minor_re[kMostMinors], minor_im[kMostMinors];
    for (u32 c = 0; c < columns; ++c) {
        sum_re[c] = V::splat(matrix[2 * c]);
        sum_im[c] = V::splat(matrix[2 * c + 1]);
        for (u32 r = 1; r < rows; ++r) {
            const double* const element = matrix + 2 * (r * columns + c);
            const Type sign = r <= lane_rows ? V::load(signs[r - 1]) : V::splat(1);
            sum_re[c] = V::fma(sign, V::splat(element[0]), sum_re[c]);
            sum_im[c] = V::fma(sign, V::splat(element[1]), sum_im[c]);
        }
        minor_re[c] = minor_im[c] = V::splat(0);
    }
    Type parity = V::load(signs[lane_rows]);
    u32 negative = 0;  // Gray rows whose sign is negative now
    for (u32 step = 1;; ++step) {
        Type before_re[kMostMinors], before_im[kMostMinors];
        before_re[0] = parity;
        before_im[0] = V::splat(0);
        for (u32 c = 1; c < columns; ++c) {
            before_re[c] = V::fnma(before_im[c - 1], sum_im[c - 1], V::mul(before_re[c - 1], sum_re[c - 1]));
            before_im[c] = V::fma(before_im[c - 1], sum_re[c - 1], V::mul(before_re[c - 1], sum_im[c - 1]));
        }
        Type after_re = V::splat(1), after_im = V::splat(0);
        for (u32 c = columns; c-- > 0;) {
            minor_re[c] = V::fnma(before_im[c], after_im, V::fma(before_re[c], after_re, minor_re[c]));
            minor_im[c] = V::fma(before_im[c], after_re, V::fma(before_re[c], after_im, minor_im[c]));
            const Type next_re = V::fnma(after_im, sum_im[c], V::mul(after_re, sum_re[c]));
            after_im = V::fma(after_im, sum_re[c], V::mul(after_re, sum_im[c]));
            after_re = next_re;
        }
        if (step >> gray_rows != 0) break;
        const u32 bit = static_cast<u32>(__builtin_ctz(step));
        negative ^= 1u << bit;
        const Type change = V::splat((negative >> bit & 1) != 0 ? -2.0 : 2.0);
        const double* const row = matrix + 2 * (1 + lane_rows + bit) * columns;
        for (u32 c = 0; c < columns; ++c) {
            sum_re[c] = V::fma(change, V::splat(row[2 * c]), sum_re[c]);
            sum_im[c] = V::fma(change, V::splat(row[2 * c + 1]), sum_im[c]);
        }
        parity = V::mul(parity, V::splat(-1));
    }
    for (u32 c = 0; c < columns; ++c) {
        alignas(64) double re[V::lanes], im[V::lanes];
        V::store(re, minor_re[c]);
        V::store(im, minor_im[c]);
        minors[2 * c] = minors[2 * c + 1] = 0;
        for (u32 lane = 0; lane < V::lanes; ++lane) {
            minors[2 * c] += re[lane];
            minors[2 * c + 1] += im[lane];
        }
    }
}

/// The widest vectors that the rows fill; D8 to D1 by their lanes, equal where a profile has no wider ones.
template <class D8, class D4, class D2, class D1>
void all_minors(u32 rows, const double* matrix, double* out) {
    if (rows == 0) {
        out[0] = 1;
        out[1] = 0;
    } else if (rows >= 4) {
        minors<D8>(rows, matrix, out);
    } else if (rows == 3) {
        minors<D4>(rows, matrix, out);
    } else if (rows == 2) {
        minors<D2>(rows, matrix, out);
    } else {
        minors<D1>(rows, matrix, out);
    }
}
