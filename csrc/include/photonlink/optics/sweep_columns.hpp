// The columns of the composed matrices as a sweep multiplies by them: one per photon, rounded to the sweep's precision.
#pragma once

#include "photonlink/optics/aligned.hpp"
#include "photonlink/optics/program.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// What a sweep computes. Probabilities do not see the phase of an output mode, amplitudes do.
enum class SweepResult : u8 { Probabilities, Amplitudes };

template <class Real>
class SweepColumns {
  public:
    SweepColumns(const ProgramSpec& spec, const std::vector<u32>& occupation, u32 max_lanes,
                 SweepResult result = SweepResult::Probabilities);

    static u64 predict_bytes(const ProgramSpec& spec, u32 max_lanes);

    /// Takes the first `lanes` lanes of what Interferometer::compose returned for `composed_lanes` of them.
    void load(u32 lanes, const double* columns, u32 composed_lanes);
    void load(u32 lanes, const double* columns) { load(lanes, columns, lanes); }

    bool interference() const { return interference_; }
    /// 1 / product of the factorials of the input's occupation numbers.
    double scale() const { return scale_; }

    /// True if every weight of this photon's column is real; so it is for all of them without interference.
    bool is_real(u32 photon) const {
        return !interference_ || (gauged_ && photon_column_[photon] == photon_column_.back());
    }
    /// Which column of the composed matrices it is.
    u32 input_column(u32 photon) const { return photon_column_[photon]; }
    /// Lane arrays of the photon's column, one per mode: re[lanes] and, unless real, im[lanes].
    const Real* column(u32 photon) const;

  private:
    u32 modes_;
    u32 columns_;  // of the composed matrices
    u32 lanes_ = 0;
    bool interference_;
    bool gauged_;  // the last column is made real
    void (*load_)(const LoadView<Real>&);
    double scale_ = 1;
    std::vector<u32> photon_column_;   // column of each photon
    AlignedVector<Real> weights_;      // columns x modes lane arrays
    AlignedVector<Real> real_column_;  // modes lane arrays: the last photon's column
};

}  // namespace photonlink::optics
