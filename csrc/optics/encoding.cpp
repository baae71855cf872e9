#include "photonlink/encoding.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "photonlink/optics/simulator.hpp"

namespace photonlink {
namespace {

using optics::ProgramError;

void require_finite(const std::vector<double>& values, const char* name) {
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::isfinite(values[i]))
            throw ProgramError("encoding " + std::string(name) + " " + std::to_string(i) + " is " +
                               std::to_string(values[i]) + "; expected a finite number");
}

}  // namespace

Encoding::Encoding(u32 features, std::vector<u32> row_begin, std::vector<u32> term_feature,
                   std::vector<double> term_weight, std::vector<double> offset, bool wrap, u32 dac_bits)
    : features_(features),
      row_begin_(std::move(row_begin)),
      term_feature_(std::move(term_feature)),
      term_weight_(std::move(term_weight)),
      offset_(std::move(offset)),
      wrap_(wrap),
      dac_bits_(dac_bits) {
    if (dac_bits_ > kMaxDacBits)
        throw ProgramError("encoding dac_bits is " + std::to_string(dac_bits_) + "; expected 0 (continuous) to " +
                           std::to_string(kMaxDacBits));
    if (row_begin_.size() != offset_.size() + 1)
        throw ProgramError("encoding row_begin has " + std::to_string(row_begin_.size()) + " entries; expected " +
                           std::to_string(offset_.size() + 1) + " (one more than offset)");
    if (term_feature_.size() != term_weight_.size())
        throw ProgramError("encoding has " + std::to_string(term_feature_.size()) + " term features but " +
                           std::to_string(term_weight_.size()) + " term weights; expected as many of both");
    if (row_begin_.front() != 0 || row_begin_.back() != term_feature_.size() ||
        !std::is_sorted(row_begin_.begin(), row_begin_.end()))
        throw ProgramError("encoding row_begin must ascend from 0 to the number of terms (" +
                           std::to_string(term_feature_.size()) + ")");
    for (const u32 feature : term_feature_)
        if (feature >= features_)
            throw ProgramError("encoding term names feature " + std::to_string(feature) + "; there are " +
                               std::to_string(features_) + " features, counted from 0");
    require_finite(term_weight_, "weight");
    require_finite(offset_, "offset");
}

EncodingView Encoding::view() const {
    return {features_,      phases(), row_begin_.data(), term_feature_.data(), term_weight_.data(),
            offset_.data(), wrap_,    dac_bits_};
}

template <class Real>
void Encoding::encode(const Real* features, std::size_t rows, double* phases_out) const {
    const EncodingView map = view();
    for (std::size_t row = 0; row < rows; ++row) {
        const Real* const x = features + row * features_;
        for (u32 column = 0; column < features_; ++column)
            if (!std::isfinite(x[column]))
                throw ProgramError("feature in row " + std::to_string(row) + ", column " + std::to_string(column) +
                                   " is " + std::to_string(x[column]) + "; expected a finite number");
        for (u32 phase = 0; phase < map.phases; ++phase)
            phases_out[row * map.phases + phase] = encode_phase(map, x, phase);
    }
}

template void Encoding::encode<float>(const float*, std::size_t, double*) const;
template void Encoding::encode<double>(const double*, std::size_t, double*) const;

}  // namespace photonlink
