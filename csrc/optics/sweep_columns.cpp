#include "photonlink/optics/sweep_columns.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "photonlink/optics/combinatorics.hpp"

namespace photonlink::optics {

template <class Real>
u64 SweepColumns<Real>::predict_bytes(const ProgramSpec& spec, u32 max_lanes) {
    const u64 columns = occupied_modes(spec);
    return spec.modes * (2 * columns + 1) * max_lanes * sizeof(Real);
}

template <class Real>
SweepColumns<Real>::SweepColumns(const ProgramSpec& spec, const std::vector<u32>& occupation, u32 max_lanes,
                                 SweepResult result)
    : modes_(spec.modes),
      columns_(static_cast<u32>(occupation.size())),
      interference_(spec.interference),
      gauged_(result == SweepResult::Probabilities) {
    // Photons of the fullest mode come last: every level of that column then has real weights, if any may be real.
    std::vector<u32> order(columns_);
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](u32 a, u32 b) { return occupation[a] < occupation[b]; });
    for (const u32 column : order)
        for (u32 n = 1; n <= occupation[column]; ++n) {
            photon_column_.push_back(column);
            scale_ /= n;
        }
    weights_.resize(std::size_t{columns_} * modes_ * 2 * max_lanes);
    real_column_.resize(std::size_t{modes_} * max_lanes);
}

/// Output modes may be multiplied by any phase without changing a probability: the one that makes the last photon's
/// column real halves the work of the largest level.
template <class Real>
void SweepColumns<Real>::load(u32 lanes, const double* columns, u32 composed_lanes) {
    lanes_ = lanes;
    const u32 last = photon_column_.back();
    for (u32 mode = 0; mode < modes_; ++mode) {
        const double* const row = columns + u64{mode} * columns_ * 2 * composed_lanes;
        for (u32 lane = 0; lane < lanes; ++lane) {
            const double last_re = row[u64{last} * 2 * composed_lanes + lane];
            const double last_im = row[(u64{last} * 2 + 1) * composed_lanes + lane];
            const double norm = std::sqrt(last_re * last_re + last_im * last_im);
            const bool turned = gauged_ && norm > 0;
            const double gauge_re = turned ? last_re / norm : 1.0;
            const double gauge_im = turned ? -last_im / norm : 0.0;
            real_column_[u64{mode} * lanes + lane] = static_cast<Real>(interference_ ? norm : norm * norm);
            for (u32 c = 0; c < columns_; ++c) {
                const double re = row[u64{c} * 2 * composed_lanes + lane];
                const double im = row[(u64{c} * 2 + 1) * composed_lanes + lane];
                if (interference_) {
                    Real* const at = weights_.data() + (u64{c} * modes_ + mode) * 2 * lanes + lane;
                    at[0] = static_cast<Real>(re * gauge_re - im * gauge_im);
                    at[lanes] = static_cast<Real>(re * gauge_im + im * gauge_re);
                } else {
                    weights_[(u64{c} * modes_ + mode) * lanes + lane] = static_cast<Real>(re * re + im * im);
                }
            }
        }
    }
}

template <class Real>
const Real* SweepColumns<Real>::column(u32 photon) const {
    const u32 column = photon_column_[photon];
    if (is_real(photon) && column == photon_column_.back()) return real_column_.data();
    return weights_.data() + u64{column} * modes_ * (interference_ ? 2 : 1) * lanes_;
}

template class SweepColumns<float>;
template class SweepColumns<double>;

}  // namespace photonlink::optics
