#include "photonlink/optics/gradient_readout.hpp"

#include <algorithm>
#include <limits>

#include "lane_rows.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

template <class Real>
u64 GradientReadout<Real>::predict_bytes(const ProgramSpec& spec, u32 max_lanes) {
    const u64 outputs = is_distribution(spec.readout) ? 0 : output_size(spec);
    const u64 per_lane =
        saturating_add(saturating_mul(outputs, sizeof(Real) + sizeof(double)),
                       GradientSweep<Real>::tile_states(spec) * sizeof(Real) + (3 + 16) * sizeof(double));
    return saturating_mul(per_lane, max_lanes);
}

template <class Real>
GradientReadout<Real>::GradientReadout(const ProgramSpec& spec, const ReadoutMap& map, u32 max_lanes)
    : map_(map),
      plain_(is_distribution(spec.readout)),
      renormalised_(spec.readout.space != Space::Fock),
      outputs_(map.outputs()),
      kept_sum_(max_lanes),
      output_sum_(max_lanes),
      kept_(max_lanes),
      mean_(max_lanes),
      scale_(max_lanes) {
    const double error = spec.photons() * static_cast<double>(std::numeric_limits<Real>::epsilon());
    noise_floor_ = static_cast<double>(state_count(spec.readout.space, spec.modes, spec.photons())) * error * error;
    if (plain_) {
        tile_.resize(GradientSweep<Real>::tile_states(spec) * max_lanes);
    } else {
        cotangents_.resize(outputs_ * max_lanes);
        values_.resize(outputs_ * max_lanes);
    }
}

template <class Real>
void GradientReadout<Real>::begin(u32 lanes, const GradientRows<Real>& rows) {
    lanes_ = lanes;
    rows_ = rows;
    std::fill(kept_.begin(), kept_.end(), 0.0);
    std::fill(mean_.begin(), mean_.end(), 0.0);
    std::fill(values_.begin(), values_.end(), 0.0);
    if (!plain_ && rows.cotangents != nullptr)
        gather(rows.cotangents, outputs_, rows.rows, 0, static_cast<u32>(outputs_), cotangents_.data(), lanes);
}

/// The transposed readout map applied to the cotangents.
template <class Real>
void GradientReadout<Real>::load_cotangents(const StateTile<Real>& tile, Real* out) const {
    if (plain_)
        gather(rows_.cotangents, outputs_, rows_.rows, tile.first, tile.states, out, lanes_);
    else
        map_.pull_back(cotangents_.data(), lanes_, tile.first, tile.states, out);
}

template <class Real>
void GradientReadout<Real>::deliver(const StateTile<Real>& tile) const {
    if (rows_.values == nullptr || (lanes_ == 1 && tile.values == place(tile.first))) return;
    Real* targets[kMostLanes] = {};
    for (u32 row = 0; row < rows_.rows; ++row) targets[row] = rows_.values + row * outputs_;
    scatter(tile.values, lanes_, tile.states, targets, rows_.rows, tile.first);
}

template <class Real>
void GradientReadout<Real>::take(const StateTile<Real>& tile) {
    if (renormalised_) kept_sum_.add(tile.values, tile.first, tile.states, lanes_, kept_.data());
    if (!plain_) return map_.accumulate(tile.values, lanes_, tile.first, tile.states, output_sum_, values_.data());
    deliver(tile);
    if (!renormalised_ || rows_.cotangents == nullptr) return;
    load_cotangents(tile, tile_.data());
    for (u64 state = 0; state < tile.states; ++state)
        for (u32 lane = 0; lane < lanes_; ++lane)
            mean_[lane] += static_cast<double>(tile_[state * lanes_ + lane]) *
                           static_cast<double>(tile.values[state * lanes_ + lane]);
}

template <class Real>
void GradientReadout<Real>::finish() {
    if (renormalised_) {
        kept_sum_.finish(kept_.data(), lanes_);
        renormalise();
    }
    if (plain_ || rows_.values == nullptr) return;
    for (u32 row = 0; row < rows_.rows; ++row)
        for (std::size_t o = 0; o < outputs_; ++o)
            rows_.values[row * outputs_ + o] = static_cast<Real>(values_[o * lanes_ + row]);
}

template <class Real>
void GradientReadout<Real>::renormalise() {
    for (u32 lane = 0; lane < lanes_; ++lane) scale_[lane] = kept_[lane] > noise_floor_ ? 1.0 / kept_[lane] : 0.0;
    if (plain_) {
        for (u32 lane = 0; lane < lanes_; ++lane) mean_[lane] *= scale_[lane];
        if (rows_.values == nullptr) return;
        for (u32 row = 0; row < rows_.rows; ++row)
            for (Real* at = rows_.values + row * outputs_; at != rows_.values + (row + 1) * outputs_; ++at)
                *at = static_cast<Real>(static_cast<double>(*at) * scale_[row]);
        return;
    }
    for (std::size_t o = 0; o < outputs_; ++o)
        for (u32 lane = 0; lane < lanes_; ++lane) {
            values_[o * lanes_ + lane] *= scale_[lane];
            if (rows_.cotangents != nullptr)
                mean_[lane] += values_[o * lanes_ + lane] * static_cast<double>(cotangents_[o * lanes_ + lane]);
        }
}

template <class Real>
void GradientReadout<Real>::pull_back(const StateTile<Real>& tile) const {
    load_cotangents(tile, tile.values);
    if (!renormalised_) return;
    for (u64 state = 0; state < tile.states; ++state)  // value = probability / kept, and kept has derivatives too
        for (u32 lane = 0; lane < lanes_; ++lane) {
            Real& at = tile.values[state * lanes_ + lane];
            at = static_cast<Real>((static_cast<double>(at) - mean_[lane]) * scale_[lane]);
        }
}

template class GradientReadout<float>;
template class GradientReadout<double>;

}  // namespace photonlink::optics
