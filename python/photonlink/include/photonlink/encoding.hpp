// Owner of an encoding map (features -> physical phases); encode.hpp has the arithmetic.
#pragma once

#include <cstddef>
#include <vector>

#include "photonlink/encode.hpp"

namespace photonlink {

/// A validated map from features to phases in compressed sparse rows.
class Encoding {
  public:
    /// `row_begin` has phases + 1 ascending entries from 0 to the number of terms. Throws optics::ProgramError if the
    /// arrays do not fit together, a term names a feature that does not exist, a number is not finite, or `dac_bits` is
    /// above kMaxDacBits. `dac_bits` 0 leaves phases continuous; else they are wrapped and rounded to 2*pi /
    /// 2^dac_bits.
    Encoding(u32 features, std::vector<u32> row_begin, std::vector<u32> term_feature, std::vector<double> term_weight,
             std::vector<double> offset, bool wrap, u32 dac_bits = 0);

    u32 features() const { return features_; }
    u32 phases() const { return static_cast<u32>(offset_.size()); }
    EncodingView view() const;

    /// Phases (rows x phases(), radians) of `rows` datapoints of features() features each. Throws
    /// optics::ProgramError naming row and column of the first feature that is not finite.
    template <class Real>
    void encode(const Real* features, std::size_t rows, double* phases) const;

  private:
    u32 features_;
    std::vector<u32> row_begin_;
    std::vector<u32> term_feature_;
    std::vector<double> term_weight_;
    std::vector<double> offset_;
    bool wrap_;
    u32 dac_bits_;
};

}  // namespace photonlink
