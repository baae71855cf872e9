#include "photonlink/optics/gradient_closed_forms.hpp"

#include <algorithm>
#include <cmath>

#include "photonlink/optics/closed_forms.hpp"

namespace photonlink::optics {

bool has_closed_form_gradient(const ProgramSpec& spec) {
    const ReadoutKind kind = spec.readout.kind;
    return has_closed_form(spec) && (kind == ReadoutKind::ModeExpectations || kind == ReadoutKind::Correlators ||
                                     kind == ReadoutKind::ClickProbabilities);
}

u64 ClosedFormGradient::predict_bytes(const ProgramSpec& spec) {
    const u64 modes = spec.modes, photons = spec.photons();
    return modes * photons * 2 * (sizeof(Complex) + sizeof(double)) + modes * modes * sizeof(double) +
           (photons + 2) * (photons + 1) * sizeof(double);
}

ClosedFormGradient::ClosedFormGradient(const ProgramSpec& spec, const std::vector<u32>& occupation)
    : kind_(spec.readout.kind),
      interference_(spec.interference),
      modes_(spec.modes),
      occupation_(occupation),
      matrix_(modes_ * occupation.size()),
      gradient_(matrix_.size()),
      weight_(matrix_.size()),
      weight_gradient_(matrix_.size()),
      pairs_(std::size_t{modes_} * modes_),
      series_((occupation.size() + 1) * (spec.photons() + 1u)),
      series_gradient_(spec.photons() + 1u) {}

void ClosedFormGradient::pull_back(const double* re, const double* im, std::size_t stride, const double* cotangent,
                                   double* out_re, double* out_im) {
    for (std::size_t e = 0; e < matrix_.size(); ++e) {
        matrix_[e] = {re[e * 2 * stride], im[e * 2 * stride]};
        weight_[e] = std::norm(matrix_[e]);
    }
    std::fill(gradient_.begin(), gradient_.end(), Complex{0});
    std::fill(weight_gradient_.begin(), weight_gradient_.end(), 0.0);
    if (kind_ == ReadoutKind::ModeExpectations) mode_expectations(cotangent);
    if (kind_ == ReadoutKind::Correlators) correlators(cotangent);
    if (kind_ == ReadoutKind::ClickProbabilities) click_probabilities(cotangent);
    for (std::size_t e = 0; e < matrix_.size(); ++e) {
        const Complex sum = gradient_[e] + 2 * weight_gradient_[e] * matrix_[e];
        out_re[e * 2 * stride] = sum.real();
        out_im[e * 2 * stride] = sum.imag();
    }
}

void ClosedFormGradient::mode_expectations(const double* cotangent) {
    const std::size_t columns = occupation_.size();
    for (std::size_t e = 0; e < matrix_.size(); ++e)
        weight_gradient_[e] = cotangent[e / columns] * occupation_[e % columns];
}

/// With B the symmetric matrix of cotangents and w = |V|^2: the products N_i N_j and the terms of equal columns give
/// weight derivatives s (B N)_i and - factor (B w)_ic; |C_ij|^2 with C = V diag(s) V^dagger gives 2 (B o C) V diag(s).
void ClosedFormGradient::correlators(const double* cotangent) {
    const std::size_t columns = occupation_.size();
    for (std::size_t i = 0; i < modes_; ++i)
        for (std::size_t j = i + 1; j < modes_; ++j) pairs_[i * modes_ + j] = pairs_[j * modes_ + i] = *cotangent++;
    for (std::size_t i = 0; i < modes_; ++i)
        for (std::size_t j = 0; j < modes_; ++j) {
            const double pair = pairs_[i * modes_ + j];
            double photons = 0;
            Complex overlap = 0;
            for (std::size_t c = 0; c < columns; ++c) {
                const double s = occupation_[c];
                photons += s * weight_[j * columns + c];
                overlap += s * matrix_[i * columns + c] * std::conj(matrix_[j * columns + c]);
            }
            for (std::size_t c = 0; c < columns; ++c) {
                const double s = occupation_[c];
                const double same = s * (interference_ ? s + 1 : 1) * weight_[j * columns + c];
                weight_gradient_[i * columns + c] += pair * (s * photons - same);
                if (interference_) gradient_[i * columns + c] += 2 * pair * s * overlap * matrix_[j * columns + c];
            }
        }
}

void ClosedFormGradient::click_probabilities(const double* cotangent) {
    const std::size_t columns = occupation_.size();
    for (u32 mode = 0; mode < modes_; ++mode) {  // the probability is 1 - no_click
        const double* const weights = weight_.data() + mode * columns;
        if (interference_)
            no_click(weights, -cotangent[mode], weight_gradient_.data() + mode * columns);
        else
            no_click_distinguishable(weights, -cotangent[mode], weight_gradient_.data() + mode * columns);
    }
}

/// Reverse of the product of polynomials in ClosedForm::no_click: factor c has the coefficients
/// binomial(s, q) w^q / q!, q = 0..s.
void ClosedFormGradient::no_click(const double* weights, double cotangent, double* weight_gradients) {
    const u32 columns = static_cast<u32>(occupation_.size()), terms = static_cast<u32>(series_gradient_.size());
    std::fill(series_.begin(), series_.end(), 0.0);
    series_[0] = 1;
    for (u32 c = 0; c < columns; ++c) {
        const double* const before = series_.data() + c * terms;
        double* const after = series_.data() + (c + 1) * terms;
        double coefficient = 1;
        for (u32 q = 0; q <= occupation_[c]; ++q) {
            if (q > 0) coefficient *= weights[c] * (occupation_[c] - q + 1) / (double{1} * q * q);
            for (u32 k = q; k < terms; ++k) after[k] += coefficient * before[k - q];
        }
    }
    double sign_factorial = cotangent;
    for (u32 k = 0; k < terms; ++k) {
        series_gradient_[k] = sign_factorial;
        sign_factorial *= -(k + 1.0);
    }
    for (u32 c = columns; c-- > 0;) {
        const double* const before = series_.data() + c * terms;
        double slope = 1;  // derivative of coefficient q with respect to w: binomial(s, q) w^(q - 1) / (q - 1)!
        for (u32 q = 1; q <= occupation_[c]; ++q) {
            slope *= q == 1 ? occupation_[c] : weights[c] * (occupation_[c] - q + 1) / (double{1} * q * (q - 1));
            for (u32 k = q; k < terms; ++k) weight_gradients[c] += series_gradient_[k] * slope * before[k - q];
        }
        for (u32 k = 0; k < terms; ++k) {  // from below: what is read above k is still from after this factor
            double coefficient = 1;
            for (u32 q = 1; q <= occupation_[c] && k + q < terms; ++q) {
                coefficient *= weights[c] * (occupation_[c] - q + 1) / (double{1} * q * q);
                series_gradient_[k] += coefficient * series_gradient_[k + q];
            }
        }
    }
}

/// The product over c of (1 - w_c)^s_c; without division, since a factor may be zero.
void ClosedFormGradient::no_click_distinguishable(const double* weights, double cotangent,
                                                  double* weight_gradients) const {
    const std::size_t columns = occupation_.size();
    for (std::size_t c = 0; c < columns; ++c) {
        double others = -cotangent * occupation_[c] * std::pow(1.0 - weights[c], occupation_[c] - 1);
        for (std::size_t d = 0; d < columns; ++d)
            if (d != c) others *= std::pow(1.0 - weights[d], occupation_[d]);
        weight_gradients[c] = others;
    }
}

}  // namespace photonlink::optics
