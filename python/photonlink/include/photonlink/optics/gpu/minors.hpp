// Permanents of a k x (k + 1) matrix without one column each, by a group of threads: Glynn's formula as
// clifford_kernel.inl has it for vectors of a CPU. Portable.
#pragma once

#include "photonlink/optics/gpu/columns.hpp"

namespace photonlink::optics::gpu {

inline constexpr u32 kSignRows = 4;                  // rows whose signs are shared out
inline constexpr u32 kSignParts = 1u << kSignRows;   // of a sum over signs
inline constexpr u32 kMinorParts = 2u * kSignParts;  // what threads can share: half of the columns each

/// The sum over the signs of some rows, of the minors without every other column. `Width` bounds the columns; those
/// beyond the last count as ones. A thread that kept the sums, products and minors of all columns would run out of
/// registers from 16 photons on; two that keep half of them take half as many multiplications more.
template <u32 Width>
class MinorPart {
  public:
    static constexpr u32 kOwn = Width / 2;

    /// Columns half, half + 2.. of `rows` rows of rows + 1 elements.
    PHL_HD MinorPart(const Complex64* matrix, u32 rows, u32 half)
        : matrix_(matrix), rows_(rows), columns_(rows + 1), half_(half) {}

    /// Bit r of `signs` is set where row 1 + r of the first `sign_rows` rows but one is negative.
    PHL_HD void run(u32 signs, u32 sign_rows) {
        begin(signs, sign_rows);
        double parity = 1;
        for (u32 left = signs; left != 0; left &= left - 1) parity = -parity;
        const u32 gray_rows = rows_ - 1 - sign_rows;
        u32 negative = 0;  // Gray rows whose sign is negative now
        for (u32 step = 1;; ++step) {
            add_products(parity);
            if (step >> gray_rows != 0) return;
            u32 bit = 0;
            while ((step >> bit & 1) == 0) ++bit;
            negative ^= 1u << bit;
            add_row(1 + sign_rows + bit, (negative >> bit & 1) != 0 ? -2.0 : 2.0);
            parity = -parity;
        }
    }

    /// The minor without column(c), c < kOwn.
    PHL_HD const Complex64& minor(u32 c) const { return minor_[c]; }
    /// Own columns come first.
    PHL_HD u32 column(u32 c) const { return c < kOwn ? 2 * c + half_ : 2 * (c - kOwn) + 1 - half_; }

  private:
    PHL_HD void begin(u32 signs, u32 sign_rows) {
        for (u32 c = 0; c < Width; ++c) sum_[c] = column(c) < columns_ ? matrix_[column(c)] : Complex64{1, 0};
        for (u32 c = 0; c < kOwn; ++c) minor_[c] = {0, 0};
        for (u32 row = 1; row < rows_; ++row)
            add_row(row, row <= sign_rows && (signs >> (row - 1) & 1) != 0 ? -1.0 : 1.0);
    }

    PHL_HD void add_row(u32 row, double factor) {
        const Complex64* const elements = matrix_ + u64{row} * columns_;
        for (u32 c = 0; c < Width; ++c) {
            if (column(c) >= columns_) continue;
            const Complex64 element = elements[column(c)];
            sum_[c].re += factor * element.re;
            sum_[c].im += factor * element.im;
        }
    }

    /// Products without one column are those of the columns before it times those after it.
    PHL_HD void add_products(double parity) {
        Complex64 before[kOwn];
        before[0] = {parity, 0};
        for (u32 c = kOwn; c < Width; ++c) before[0] = before[0] * sum_[c];
        for (u32 c = 1; c < kOwn; ++c) before[c] = before[c - 1] * sum_[c - 1];
        Complex64 after{1, 0};
        for (u32 left = kOwn; left > 0; --left) {
            const u32 c = left - 1;
            minor_[c] = minor_[c] + before[c] * after;
            after = after * sum_[c];
        }
    }

    const Complex64* const matrix_;
    const u32 rows_;
    const u32 columns_;
    const u32 half_;
    Complex64 sum_[Width];
    Complex64 minor_[kOwn];
};

/// All minors of `rows` rows, times 2^(rows - 1). `parts` has room for kSignParts numbers per column. How the sum is
/// cut does not depend on the group: any group gets the same bits.
template <u32 Width, class Group>
PHL_HD void find_minors(const Group& group, const Complex64* matrix, u32 rows, Complex64* parts, Complex64* minors) {
    if (rows == 0) {
        if (group.leader()) minors[0] = {1, 0};
        group.sync();
        return;
    }
    const u32 sign_rows = rows - 1 < kSignRows ? rows - 1 : kSignRows;
    const u32 sign_parts = 1u << sign_rows;
    for (u32 p = group.rank(); p < 2 * sign_parts; p += group.size()) {
        MinorPart<Width> part(matrix, rows, p % 2);
        part.run(p / 2, sign_rows);
        for (u32 c = 0; c < MinorPart<Width>::kOwn; ++c)
            if (part.column(c) <= rows) parts[part.column(c) * kSignParts + p / 2] = part.minor(c);
    }
    group.sync();
    for (u32 c = group.rank(); c <= rows; c += group.size()) {
        Complex64 sum{0, 0};
        for (u32 p = 0; p < sign_parts; ++p) sum = sum + parts[c * kSignParts + p];
        minors[c] = sum;
    }
    group.sync();
}

}  // namespace photonlink::optics::gpu
