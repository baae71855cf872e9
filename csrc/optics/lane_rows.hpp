// Between lane arrays (one number per datapoint, state by state) and rows (one datapoint's states side by side).
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink::optics {

/// Lane arrays and rows meet in squares that fill 16-byte vectors.
template <class Real>
inline constexpr u32 kSquare = 16 / sizeof(Real);

/// column(i)[j] = line(j)[i] for a square of floats that load(i) reads and put(i, line) writes.
template <class Load, class Put>
void transpose_square(float, const Load& load, const Put& put) {
    typedef float Quad __attribute__((vector_size(16), aligned(4), may_alias));
    typedef i32 Mask __attribute__((vector_size(16)));
    const auto line = [&](u32 i) { return *reinterpret_cast<const Quad*>(load(i)); };
    const auto store = [&](u32 i, Quad v) { *reinterpret_cast<Quad*>(put(i)) = v; };
    const Quad low01 = __builtin_shuffle(line(0), line(1), Mask{0, 4, 1, 5});
    const Quad low23 = __builtin_shuffle(line(2), line(3), Mask{0, 4, 1, 5});
    const Quad high01 = __builtin_shuffle(line(0), line(1), Mask{2, 6, 3, 7});
    const Quad high23 = __builtin_shuffle(line(2), line(3), Mask{2, 6, 3, 7});
    store(0, __builtin_shuffle(low01, low23, Mask{0, 1, 4, 5}));
    store(1, __builtin_shuffle(low01, low23, Mask{2, 3, 6, 7}));
    store(2, __builtin_shuffle(high01, high23, Mask{0, 1, 4, 5}));
    store(3, __builtin_shuffle(high01, high23, Mask{2, 3, 6, 7}));
}

template <class Load, class Put>
void transpose_square(double, const Load& load, const Put& put) {
    for (u32 i = 0; i < 2; ++i) {
        put(i)[0] = load(0)[i];
        put(i)[1] = load(1)[i];
    }
}

/// Lane arrays of `states` states to columns first.. of `rows` rows.
template <class Real>
void scatter(const Real* tile, u32 lanes, u32 states, Real* const* targets, u32 rows, u64 first) {
    constexpr u32 side = kSquare<Real>;
    const u32 square_states = states / side * side;
    const u32 square_rows = rows / side * side;
    for (u32 row = 0; row < square_rows; row += side)
        for (u32 s = 0; s < square_states; s += side)
            transpose_square(
                Real{}, [&](u32 i) { return tile + u64{s + i} * lanes + row; },
                [&](u32 i) { return targets[row + i] + first + s; });
    for (u32 row = 0; row < rows; ++row)
        for (u32 s = row < square_rows ? square_states : 0; s < states; ++s)
            targets[row][first + s] = tile[u64{s} * lanes + row];
}

/// Columns first.. of `rows` rows of `row_size` numbers to lane arrays of `states` states; lanes without a row are
/// zero.
template <class Real>
void gather(const Real* sources, u64 row_size, u32 rows, u64 first, u32 states, Real* tile, u32 lanes) {
    constexpr u32 side = kSquare<Real>;
    const u32 square_states = states / side * side;
    const u32 square_rows = rows / side * side;
    for (u32 row = 0; row < square_rows; row += side)
        for (u32 s = 0; s < square_states; s += side)
            transpose_square(
                Real{}, [&](u32 i) { return sources + (row + i) * row_size + first + s; },
                [&](u32 i) { return tile + u64{s + i} * lanes + row; });
    for (u32 lane = 0; lane < lanes; ++lane)
        for (u32 s = lane < square_rows ? square_states : 0; s < states; ++s)
            tile[u64{s} * lanes + lane] = lane < rows ? sources[lane * row_size + first + s] : Real{0};
}

}  // namespace photonlink::optics
