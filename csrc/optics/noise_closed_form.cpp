#include "photonlink/optics/noise_closed_form.hpp"

#include <algorithm>
#include <cmath>

namespace photonlink::optics {
namespace {

/// As without noise: the alternating series of no_click() loses four of sixteen digits at 16 photons, unless inputs
/// deliver one interfering photon at most.
constexpr u32 kMaxBunchedSeries = 16;

bool series_is_accurate(const NoisePlan& plan) {
    u32 total = 0, largest = 0;
    for (const SourceMode& source : plan.sources) {
        total += source.most_common();
        largest = std::max(largest, source.most_common());
    }
    return largest <= 1 || total <= kMaxBunchedSeries;
}

/// The readout in terms of single photons: detectors that only click turn mean counts into click probabilities.
ReadoutKind effective_kind(const ProgramSpec& spec, const NoisePlan& plan) {
    const bool mean_click = plan.clicks && spec.readout.kind == ReadoutKind::ModeExpectations;
    return mean_click ? ReadoutKind::ClickProbabilities : spec.readout.kind;
}

}  // namespace

bool has_noisy_closed_form(const ProgramSpec& spec, const NoisePlan& plan) {
    if (!plan.complete || !(plan.kept_scale > 0)) return false;
    switch (effective_kind(spec, plan)) {
        case ReadoutKind::ModeExpectations:
            return true;
        case ReadoutKind::Correlators:
            return !plan.clicks;
        case ReadoutKind::ClickProbabilities:
            return series_is_accurate(plan);
        default:
            return false;
    }
}

NoisyClosedForm::NoisyClosedForm(const ProgramSpec& spec, const NoisePlan& plan)
    : kind_(effective_kind(spec, plan)),
      modes_(spec.modes),
      sources_(plan.sources),
      re_(modes_ * sources_.size()),
      im_(re_.size()),
      weight_(re_.size()),
      terms_(series_terms(sources_)) {
    factor_.reserve(terms_);
    series_.reserve(terms_);
    moments_.reserve(sources_.size());
    for (const SourceMode& source : sources_) {
        Moments moments{};
        for (u32 c = 0; c <= source.most_common(); ++c)
            for (u32 d = 0; d <= source.most_own(); ++d) {
                const double n = c + d;
                moments.photons += source.weight(c, d) * n;
                moments.shared += source.weight(c, d) * c;
                moments.pairs += source.weight(c, d) * n * (n - 1);
            }
        moments_.push_back(moments);
    }
}

std::size_t NoisyClosedForm::series_terms(const std::vector<SourceMode>& sources) {
    std::size_t terms = 1;
    for (const SourceMode& source : sources) terms += source.most_common();
    return terms;
}

void NoisyClosedForm::load(const double* re, const double* im, std::size_t stride) {
    for (std::size_t e = 0; e < re_.size(); ++e) {
        re_[e] = re[e * 2 * stride];
        im_[e] = im[e * 2 * stride];
        weight_[e] = re_[e] * re_[e] + im_[e] * im_[e];
    }
}

void NoisyClosedForm::evaluate(const double* re, const double* im, std::size_t stride, double* values) {
    load(re, im, stride);
    if (kind_ == ReadoutKind::Correlators) return correlators(values);
    for (u32 mode = 0; mode < modes_; ++mode) {
        if (kind_ == ReadoutKind::ClickProbabilities) {
            values[mode] = 1.0 - no_click(mode);
            continue;
        }
        values[mode] = 0;
        for (std::size_t c = 0; c < sources_.size(); ++c)
            values[mode] += moments_[c].photons * weight_[mode * sources_.size() + c];
    }
}

/// <n_i n_j> for i < j counts ordered pairs of photons: of different inputs, which are independent but for the exchange
/// of photons in the shared state, and of one input, where all photons behave alike.
void NoisyClosedForm::correlators(double* values) const {
    const std::size_t columns = sources_.size();
    for (u32 i = 0; i < modes_; ++i)
        for (u32 j = i + 1; j < modes_; ++j) {
            double n_i = 0, n_j = 0, c_re = 0, c_im = 0, same = 0;
            for (std::size_t c = 0; c < columns; ++c) {
                const std::size_t a = i * columns + c, b = j * columns + c;
                const Moments& m = moments_[c];
                n_i += m.photons * weight_[a];
                n_j += m.photons * weight_[b];
                c_re += m.shared * (re_[a] * re_[b] + im_[a] * im_[b]);
                c_im += m.shared * (im_[a] * re_[b] - re_[a] * im_[b]);
                same += (m.photons * m.photons + m.shared * m.shared - m.pairs) * weight_[a] * weight_[b];
            }
            *values++ = n_i * n_j + c_re * c_re + c_im * c_im - same;
        }
}

void NoisyClosedForm::count_away(const SourceMode& source, double weight, std::vector<double>& factor) {
    factor.assign(source.most_common() + 1u, 0.0);
    for (u32 c = 0; c <= source.most_common(); ++c) {
        double away = 0, power = 1;
        for (u32 d = 0; d <= source.most_own(); ++d, power *= 1 - weight) away += source.weight(c, d) * power;
        double term = 1;  // binomial(c, q) w^q / q!
        for (u32 q = 0; q <= c; ++q) {
            factor[q] += away * term;
            term *= weight * (c - q) / ((q + 1.0) * (q + 1.0));
        }
    }
}

/// Probability that no photon leaves through `mode`: photons in states of their own stay away one by one; for those in
/// the shared state see ClosedForm::no_click(), whose factor of an input is here the mean over what the input delivers.
double NoisyClosedForm::no_click(u32 mode) {
    const std::size_t columns = sources_.size();
    series_.assign(1, 1.0);
    for (std::size_t column = 0; column < columns; ++column) {
        const SourceMode& source = sources_[column];
        count_away(source, weight_[mode * columns + column], factor_);
        const std::size_t degree = series_.size() - 1;
        series_.resize(series_.size() + source.most_common(), 0.0);
        for (std::size_t k = series_.size(); k-- > 0;) {  // from above: lower coefficients are those before this factor
            double sum = 0;
            for (std::size_t q = 0; q < factor_.size() && q <= k; ++q)
                if (k - q <= degree) sum += factor_[q] * series_[k - q];
            series_[k] = sum;
        }
    }
    double sum = 0, sign_factorial = 1;
    for (std::size_t k = 0; k < series_.size(); ++k) {
        sum += sign_factorial * series_[k];
        sign_factorial *= -static_cast<double>(k + 1);
    }
    return sum;
}

}  // namespace photonlink::optics
