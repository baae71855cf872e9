#include "photonlink/optics/gradient_columns.hpp"

#include <algorithm>
#include <cmath>

#include "photonlink/optics/circuit_sites.hpp"

namespace photonlink::optics {

template <class Real>
u64 ColumnGradients<Real>::predict_bytes(const ProgramSpec& spec, u32 max_lanes) {
    return u64{2} * spec.modes * max_lanes * (sizeof(Real) + occupied_modes(spec) * sizeof(double));
}

template <class Real>
ColumnGradients<Real>::ColumnGradients(const ProgramSpec& spec, const std::vector<u32>& occupation, u32 max_lanes)
    : modes_(spec.modes), columns_(static_cast<u32>(occupation.size())), interference_(spec.interference) {
    part_.resize(std::size_t{modes_} * 2 * max_lanes);
    sums_.resize(columns_ * part_.size());
}

template <class Real>
void ColumnGradients<Real>::clear(u32 lanes) {
    lanes_ = lanes;
    std::fill(sums_.begin(), sums_.end(), 0.0);
    std::fill(part_.begin(), part_.end(), Real{0});
}

template <class Real>
void ColumnGradients<Real>::add(u32 input_column) {
    const u32 numbers = (interference_ ? 2 : 1) * modes_ * lanes_;
    double* const sum = sums_.data() + u64{input_column} * numbers;
    for (u32 i = 0; i < numbers; ++i) {
        sum[i] += static_cast<double>(part_[i]);
        part_[i] = 0;
    }
}

template <class Real>
void ColumnGradients<Real>::pull_back(const double* matrices, u32 real_column, double* adjoint) const {
    for (u32 mode = 0; mode < modes_; ++mode)
        for (u32 lane = 0; lane < lanes_; ++lane) {
            const u64 row = u64{mode} * columns_ * 2 * lanes_ + lane;
            const double* const fixed = matrices + row + u64{real_column} * 2 * lanes_;
            const double norm = std::sqrt(fixed[0] * fixed[0] + fixed[lanes_] * fixed[lanes_]);
            const double turn_re = norm > 0 ? fixed[0] / norm : 1.0, turn_im = norm > 0 ? fixed[lanes_] / norm : 0.0;
            for (u32 c = 0; c < columns_; ++c) {
                const u64 at = row + u64{c} * 2 * lanes_;
                if (interference_) {  // the phase of the output mode turns back
                    const double* const from = sums_.data() + (u64{c} * modes_ + mode) * 2 * lanes_ + lane;
                    adjoint[at] = from[0] * turn_re - from[lanes_] * turn_im;
                    adjoint[at + lanes_] = from[lanes_] * turn_re + from[0] * turn_im;
                } else {  // the weight is |element|^2
                    const double from = 2 * sums_[(u64{c} * modes_ + mode) * lanes_ + lane];
                    adjoint[at] = from * matrices[at];
                    adjoint[at + lanes_] = from * matrices[at + lanes_];
                }
            }
        }
}

template class ColumnGradients<float>;
template class ColumnGradients<double>;

}  // namespace photonlink::optics
