#include "photonlink/optics/clifford.hpp"

#include <algorithm>
#include <utility>

#include "photonlink/optics/combinatorics.hpp"
#include "photonlink/optics/philox.hpp"

namespace photonlink::optics {

u64 CliffordSampler::predict_bytes(const ProgramSpec& spec) {
    const u64 modes = spec.modes, photons = spec.photons();
    return (2 * photons * modes + 2 * photons * photons + 3 * modes + 8 * photons) * sizeof(double);
}

CliffordSampler::CliffordSampler(const ProgramSpec& spec, const std::vector<u32>& occupation,
                                 const KernelProfile& profile)
    : modes_(spec.modes),
      photons_(spec.photons()),
      interference_(spec.interference),
      minors_(profile.minors),
      re_(occupation.size() * spec.modes),
      im_(re_.size()),
      matrix_(std::size_t{2} * photons_ * photons_),
      minors_out_(2 * photons_),
      weight_(spec.modes),
      amplitude_re_(spec.modes),
      amplitude_im_(spec.modes),
      uniforms_(2 * photons_) {
    for (u32 column = 0; column < occupation.size(); ++column)
        photon_column_.insert(photon_column_.end(), occupation[column], column);
    order_ = photon_column_;
    rows_.resize(photons_);
}

void CliffordSampler::load(const double* columns) {
    const std::size_t count = re_.size() / modes_;
    for (u32 mode = 0; mode < modes_; ++mode)
        for (std::size_t c = 0; c < count; ++c) {
            re_[c * modes_ + mode] = columns[(mode * count + c) * 2];
            im_[c * modes_ + mode] = columns[(mode * count + c) * 2 + 1];
        }
}

/// The photons are alike, so the order in which they are drawn is random; only then does each step need no more than
/// the photons before it. With several photons in an input mode the reduced state of k of them is the mixture over
/// which k were taken, and the same holds.
void CliffordSampler::shuffle_photons(const double* uniforms) {
    order_ = photon_column_;
    for (u32 left = photons_; left > 1; --left) {
        const u32 chosen = static_cast<u32>(uniforms[left - 1] * left);
        std::swap(order_[chosen], order_[left - 1]);
    }
}

/// |permanent|^2 of the rows drawn so far and each mode's, over the first `photons` columns, by expansion along the
/// last row.
void CliffordSampler::weigh_modes(u32 photons) {
    const u32 last = photons - 1;
    if (!interference_) {
        const double* const re = re_.data() + std::size_t{order_[last]} * modes_;
        const double* const im = im_.data() + std::size_t{order_[last]} * modes_;
        for (u32 i = 0; i < modes_; ++i) weight_[i] = re[i] * re[i] + im[i] * im[i];
        return;
    }
    for (u32 row = 0; row < last; ++row)
        for (u32 c = 0; c < photons; ++c) {
            const std::size_t at = std::size_t{order_[c]} * modes_ + rows_[row];
            matrix_[2 * (row * photons + c)] = re_[at];
            matrix_[2 * (row * photons + c) + 1] = im_[at];
        }
    minors_(last, matrix_.data(), minors_out_.data());
    std::fill(amplitude_re_.begin(), amplitude_re_.end(), 0.0);
    std::fill(amplitude_im_.begin(), amplitude_im_.end(), 0.0);
    for (u32 c = 0; c < photons; ++c) {
        const double minor_re = minors_out_[2 * c], minor_im = minors_out_[2 * c + 1];
        const double* const re = re_.data() + std::size_t{order_[c]} * modes_;
        const double* const im = im_.data() + std::size_t{order_[c]} * modes_;
        for (u32 i = 0; i < modes_; ++i) {
            amplitude_re_[i] += minor_re * re[i] - minor_im * im[i];
            amplitude_im_[i] += minor_re * im[i] + minor_im * re[i];
        }
    }
    for (u32 i = 0; i < modes_; ++i)
        weight_[i] = amplitude_re_[i] * amplitude_re_[i] + amplitude_im_[i] * amplitude_im_[i];
}

void CliffordSampler::draw(u64 seed, u64 id, u32 shot, u32 attempt, u8* state) {
    // One block of the counter gives two numbers; block 0 of every shot belongs to the sampling of distributions.
    for (u32 pair = 0; pair < photons_; ++pair)
        shot_uniforms(seed, id, shot, 1 + attempt * photons_ + pair, uniforms_.data() + 2 * pair);
    draw(uniforms_.data(), state);
}

void CliffordSampler::send(const std::vector<u32>& photon_column) {
    photon_column_ = photon_column;
    photons_ = static_cast<u32>(photon_column.size());
}

void CliffordSampler::draw(const double* uniforms, u8* state) {
    shuffle_photons(uniforms);
    std::fill(state, state + modes_, u8{0});
    for (u32 photon = 0; photon < photons_; ++photon) {
        weigh_modes(photon + 1);
        rows_[photon] = pick_mode(weight_.data(), modes_, uniforms[photons_ + photon]);
        ++state[rows_[photon]];
    }
}

}  // namespace photonlink::optics
