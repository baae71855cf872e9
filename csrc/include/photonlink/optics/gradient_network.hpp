// The linear part with its reverse: V = F_L diag(exp(i phi_L)) ... F_0[:, s] for the occupied input columns s, and the
// derivatives with respect to phases and interferometers, always in double precision.
#pragma once

#include <vector>

#include "photonlink/optics/aligned.hpp"
#include "photonlink/optics/circuit_sites.hpp"
#include "photonlink/optics/gradient_kernel.hpp"
#include "photonlink/optics/program.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// What all threads share.
class GradientNetwork {
  public:
    explicit GradientNetwork(const ProgramSpec& spec);

    static u64 predict_bytes(const ProgramSpec& spec);

    /// Other matrices of the same shapes.
    void set_interferometers(const std::vector<std::vector<Complex>>& matrices);

    u32 modes() const { return modes_; }
    u32 layers() const { return layers_; }
    u32 columns() const { return static_cast<u32>(inputs_.modes.size()); }
    u32 sites() const { return static_cast<u32>(sites_.mode.size()); }
    const std::vector<u32>& occupation() const { return inputs_.occupation; }
    const std::vector<u32>& input_modes() const { return inputs_.modes; }
    const PhaseSites& phase_sites() const { return sites_; }
    /// Which phase of a request drives the site.
    u32 phase_of(u32 site) const { return sites_.phase[site]; }
    /// Elements of all interferometers.
    std::size_t elements() const { return (layers_ + std::size_t{1}) * modes_ * modes_; }

    /// A view without the parts that a NetworkState owns.
    NetworkView view() const;

  private:
    u32 modes_;
    u32 layers_;
    InputColumns inputs_;
    PhaseSites sites_;
    std::vector<double> first_;
    std::vector<double> matrices_;
    std::vector<double> adjoints_;
};

/// One block of datapoints on its way through the network and back.
class NetworkState {
  public:
    NetworkState(const GradientNetwork& network, u32 max_lanes);

    static u64 predict_bytes(const ProgramSpec& spec, u32 max_lanes);

    /// The matrices of `rows` datapoints (1..lanes; the last one fills the lanes that are left), modes x columns lane
    /// arrays as Interferometer::compose returns them, to the bit. `phases` is rows x sites(). Both kernels are of
    /// one width.
    template <class Real>
    const double* propagate(const SlosKernels<Real>& forward, const GradientKernels<Real>& kernels,
                            const double* phases, u32 rows);

    /// Where the derivative with respect to those matrices goes before pull_back().
    double* adjoint() { return adjoint_[0].data(); }

    /// Derivatives of the block's rows with respect to phases (rows x sites(), null: none), and their sum over the rows
    /// in order added to `interferometers` (elements(), null: none).
    template <class Real>
    void pull_back(const GradientKernels<Real>& kernels, u32 rows, double* phases, Complex* interferometers);

  private:
    NetworkView view();
    void add_first(u32 lanes, u32 rows, const double* adjoint, Complex* interferometer) const;
    void add_outer(u32 lanes, u32 rows, Complex* interferometer) const;

    const GradientNetwork& network_;
    AlignedVector<double> phasors_;
    AlignedVector<double> stages_;
    AlignedVector<double> adjoint_[2];
    AlignedVector<double> phase_gradients_;
    AlignedVector<double> outer_;
};

}  // namespace photonlink::optics
