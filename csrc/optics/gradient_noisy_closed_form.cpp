#include "photonlink/optics/gradient_noisy_closed_form.hpp"

#include <algorithm>

namespace photonlink::optics {

u64 NoisyClosedFormGradient::predict_bytes(const ProgramSpec& spec, const NoisePlan& plan) {
    const u64 columns = plan.sources.size(), elements = spec.modes * columns;
    u64 sources = columns * (sizeof(SourceMode) + sizeof(Moments));
    for (const u64 expected : spec.input)
        if (expected > 0) sources += (2 * expected + 1) * (2 * expected + 1) * sizeof(double);
    // Series after each column and before, their derivatives, a factor and its slope, and the series of values.
    const u64 series = (columns + 5) * series_terms(plan.sources) * sizeof(double);
    return sources + elements * (sizeof(Complex) + 4 * sizeof(double)) + series;
}

NoisyClosedFormGradient::NoisyClosedFormGradient(const ProgramSpec& spec, const NoisePlan& plan)
    : NoisyClosedForm(spec, plan),
      gradient_(weight_.size()),
      weight_gradient_(weight_.size()),
      series_by_column_((sources_.size() + 1) * terms_),
      series_gradient_(terms_) {
    slope_.reserve(terms_);
}

void NoisyClosedFormGradient::pull_back(const double* re, const double* im, std::size_t stride, const double* cotangent,
                                        double* out_re, double* out_im) {
    load(re, im, stride);
    std::fill(gradient_.begin(), gradient_.end(), Complex{0});
    std::fill(weight_gradient_.begin(), weight_gradient_.end(), 0.0);
    if (kind_ == ReadoutKind::ModeExpectations) pull_back_means(cotangent);
    if (kind_ == ReadoutKind::Correlators) pull_back_correlators(cotangent);
    if (kind_ == ReadoutKind::ClickProbabilities)  // 1 - no_click
        for (u32 mode = 0; mode < modes_; ++mode) pull_back_no_click(mode, -cotangent[mode]);
    for (std::size_t e = 0; e < gradient_.size(); ++e) {
        out_re[e * 2 * stride] = gradient_[e].real() + 2 * weight_gradient_[e] * re_[e];
        out_im[e * 2 * stride] = gradient_[e].imag() + 2 * weight_gradient_[e] * im_[e];
    }
}

void NoisyClosedFormGradient::pull_back_means(const double* cotangent) {
    const std::size_t columns = sources_.size();
    for (std::size_t e = 0; e < weight_gradient_.size(); ++e)
        weight_gradient_[e] = cotangent[e / columns] * moments_[e % columns].photons;
}

void NoisyClosedFormGradient::pull_back_correlators(const double* cotangent) {
    for (std::size_t i = 0; i < modes_; ++i)
        for (std::size_t j = i + 1; j < modes_; ++j, ++cotangent) {
            add_pair(i, j, *cotangent);
            add_pair(j, i, *cotangent);
        }
}

/// Derivatives of <n_i n_j> with respect to row i of the matrix; the value does not change with i and j exchanged.
void NoisyClosedFormGradient::add_pair(std::size_t i, std::size_t j, double cotangent) {
    const std::size_t columns = sources_.size();
    const auto element = [&](std::size_t mode, std::size_t c) {
        return Complex(re_[mode * columns + c], im_[mode * columns + c]);
    };
    double photons = 0;
    Complex exchange = 0;
    for (std::size_t c = 0; c < columns; ++c) {
        photons += moments_[c].photons * weight_[j * columns + c];
        exchange += moments_[c].shared * element(i, c) * std::conj(element(j, c));
    }
    for (std::size_t c = 0; c < columns; ++c) {
        const Moments& m = moments_[c];
        const double same = (m.photons * m.photons + m.shared * m.shared - m.pairs) * weight_[j * columns + c];
        weight_gradient_[i * columns + c] += cotangent * (m.photons * photons - same);
        gradient_[i * columns + c] += 2 * cotangent * m.shared * exchange * element(j, c);
    }
}

/// Reverse of the product of polynomials in NoisyClosedForm::no_click.
void NoisyClosedFormGradient::pull_back_no_click(u32 mode, double cotangent) {
    const std::size_t columns = sources_.size();
    std::fill(series_by_column_.begin(), series_by_column_.end(), 0.0);
    series_by_column_[0] = 1;
    for (std::size_t c = 0; c < columns; ++c) {
        count_away(sources_[c], weight_[mode * columns + c], factor_);
        for (std::size_t q = 0; q < factor_.size(); ++q)
            for (std::size_t k = q; k < terms_; ++k)
                series_by_column_[(c + 1) * terms_ + k] += factor_[q] * series_by_column_[c * terms_ + k - q];
    }
    double sign_factorial = cotangent;
    for (std::size_t k = 0; k < terms_; ++k) {
        series_gradient_[k] = sign_factorial;
        sign_factorial *= -static_cast<double>(k + 1);
    }
    for (std::size_t c = columns; c-- > 0;) {
        const double weight = weight_[mode * columns + c];
        count_away(sources_[c], weight, factor_);
        slope_away(sources_[c], weight);
        double& slope = weight_gradient_[mode * columns + c];
        for (std::size_t k = 0; k < terms_; ++k) {  // from below: what is read above k is still from after this factor
            double before = 0;
            for (std::size_t q = 0; q < factor_.size(); ++q) {
                if (q <= k) slope += series_gradient_[k] * slope_[q] * series_by_column_[c * terms_ + k - q];
                if (k + q < terms_) before += factor_[q] * series_gradient_[k + q];
            }
            series_gradient_[k] = before;
        }
    }
}

/// The derivative of count_away() with respect to the weight.
void NoisyClosedFormGradient::slope_away(const SourceMode& source, double weight) {
    slope_.assign(source.most_common() + 1u, 0.0);
    for (u32 c = 0; c <= source.most_common(); ++c) {
        double away = source.weight(c, 0), away_slope = 0, power = 1;  // (1 - w)^(d - 1)
        for (u32 d = 1; d <= source.most_own(); ++d, power *= 1 - weight) {
            away += source.weight(c, d) * power * (1 - weight);
            away_slope -= d * source.weight(c, d) * power;
        }
        double term = 1, term_slope = 0;  // binomial(c, q) w^q / q!
        for (u32 q = 0; q <= c; ++q) {
            slope_[q] += away_slope * term + away * term_slope;
            term_slope = q == 0 ? c : term_slope * weight * (c - q) / ((q + 1.0) * q);
            term *= weight * (c - q) / ((q + 1.0) * (q + 1.0));
        }
    }
}

}  // namespace photonlink::optics
