#include "photonlink/optics/sweep_columns.hpp"

#include <utility>

#include "photonlink/optics/circuit_sites.hpp"
#include "photonlink/optics/combinatorics.hpp"
#include "photonlink/optics/photon_order.hpp"

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
      gauged_(interference_ && result == SweepResult::Probabilities),
      load_(select_kernel_profile().widths<Real>()->load_columns) {
    PhotonOrder order(occupation);
    photon_column_ = std::move(order.column);
    scale_ = order.scale;
    weights_.resize(std::size_t{columns_} * modes_ * 2 * max_lanes);
    real_column_.resize(std::size_t{modes_} * max_lanes);
}

/// Output modes may be multiplied by any phase without changing a probability: the one that makes the last photon's
/// column real halves the work of the largest level.
template <class Real>
void SweepColumns<Real>::load(u32 lanes, const double* columns, u32 composed_lanes) {
    lanes_ = lanes;
    load_({modes_, columns_, photon_column_.back(), composed_lanes, lanes, interference_, gauged_, columns,
           weights_.data(), real_column_.data()});
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
