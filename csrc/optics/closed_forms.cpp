#include "photonlink/optics/closed_forms.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace photonlink::optics {
namespace {

/// The alternating series of no_click() has terms below 1 for single photons; for bunched input they grow up to
/// binomial(n, n / 2), which at 16 photons costs four of sixteen digits.
constexpr u32 kMaxBunchedSeries = 16;

bool click_series_is_accurate(const ProgramSpec& spec) {
    return !spec.interference || spec.photons() <= kMaxBunchedSeries ||
           std::all_of(spec.input.begin(), spec.input.end(), [](u32 n) { return n <= 1; });
}

}  // namespace

bool has_closed_form(const ProgramSpec& spec) {
    if (spec.readout.space != Space::Fock) return false;
    switch (spec.readout.kind) {
        case ReadoutKind::ModeExpectations:
        case ReadoutKind::Correlators:
            return true;
        case ReadoutKind::ClickProbabilities:
            return click_series_is_accurate(spec);
        default:
            return false;
    }
}

ClosedForm::ClosedForm(const ProgramSpec& spec, const std::vector<u32>& occupation)
    : kind_(spec.readout.kind),
      interference_(spec.interference),
      modes_(spec.modes),
      occupation_(occupation),
      re_(modes_ * occupation.size()),
      im_(re_.size()),
      weight_(re_.size()),
      series_(spec.photons() + 1u) {}

void ClosedForm::evaluate(const double* re, const double* im, std::size_t stride, double* values) {
    for (std::size_t e = 0; e < re_.size(); ++e) {
        re_[e] = re[e * 2 * stride];
        im_[e] = im[e * 2 * stride];
        weight_[e] = re_[e] * re_[e] + im_[e] * im_[e];
    }
    if (kind_ == ReadoutKind::ModeExpectations) return mode_expectations(values);
    if (kind_ == ReadoutKind::Correlators) return correlators(values);
    for (u32 mode = 0; mode < modes_; ++mode) values[mode] = 1.0 - no_click(mode);
}

/// <n_i> = sum_p s_p |V_ip|^2.
void ClosedForm::mode_expectations(double* values) const {
    const std::size_t columns = occupation_.size();
    for (u32 i = 0; i < modes_; ++i) {
        values[i] = 0;
        for (std::size_t c = 0; c < columns; ++c) values[i] += occupation_[c] * weight_[i * columns + c];
    }
}

/// With N = <n> and C = V diag(s) V^dagger, for i < j:
///   <n_i n_j> = N_i N_j + |C_ij|^2 - sum_p s_p (s_p + 1) |V_ip|^2 |V_jp|^2   with interference;
/// distinguishable photons are independent: N_i N_j counts each photon against itself, which
///   - sum_p s_p |V_ip|^2 |V_jp|^2   takes away.
void ClosedForm::correlators(double* values) const {
    const std::size_t columns = occupation_.size();
    for (u32 i = 0; i < modes_; ++i)
        for (u32 j = i + 1; j < modes_; ++j) {
            double n_i = 0, n_j = 0, c_re = 0, c_im = 0, same = 0;
            for (std::size_t c = 0; c < columns; ++c) {
                const std::size_t a = i * columns + c, b = j * columns + c;
                const double s = occupation_[c];
                n_i += s * weight_[a];
                n_j += s * weight_[b];
                c_re += s * (re_[a] * re_[b] + im_[a] * im_[b]);
                c_im += s * (im_[a] * re_[b] - re_[a] * im_[b]);
                same += s * (interference_ ? s + 1 : 1) * weight_[a] * weight_[b];
            }
            *values++ = n_i * n_j - same + (interference_ ? c_re * c_re + c_im * c_im : 0.0);
        }
}

/// Probability that no photon leaves through `mode`. Distinguishable photons: product over p of (1 - |V_p|^2)^s_p.
/// Otherwise <:exp(-n):>, the sum over k of (-1)^k <a^dagger^k a^k> / k!, where <a^dagger^k a^k> / k! is k! times the
/// coefficient of z^k in the product over p of g_p(z) = sum_q binomial(s_p, q) (|V_p|^2 z)^q / q!. For single photons
/// g_p = 1 + |V_p|^2 z and the coefficients are the elementary symmetric polynomials.
double ClosedForm::no_click(u32 mode) {
    const std::size_t columns = occupation_.size();
    const double* const w = weight_.data() + mode * columns;
    if (!interference_) {
        double product = 1;
        for (std::size_t c = 0; c < columns; ++c) product *= std::pow(1.0 - w[c], occupation_[c]);
        return product;
    }
    std::fill(series_.begin(), series_.end(), 0.0);
    series_[0] = 1;
    u32 degree = 0;
    for (std::size_t c = 0; c < columns; ++c) {
        degree += occupation_[c];
        for (u32 k = degree; k > 0; --k) {  // from above: the lower coefficients are still those before this factor
            double term = 1;
            for (u32 q = 1; q <= std::min(k, occupation_[c]); ++q) {
                term *= w[c] * (occupation_[c] - q + 1) / (static_cast<double>(q) * q);
                series_[k] += term * series_[k - q];
            }
        }
    }
    double sum = 0, sign_factorial = 1;
    for (u32 k = 0; k <= degree; ++k) {
        sum += sign_factorial * series_[k];
        sign_factorial *= -static_cast<double>(k + 1);
    }
    return sum;
}

}  // namespace photonlink::optics
