// Mixtures (see noise_mixture.hpp) with their reverse, in one walk through the same tree. Derivatives with respect to a
// node's sum are known before its children are looked at, since a mixture is linear in what they add up to: so they go
// down the tree to the amplitudes of the photons in the shared state, and on the way back up, where the sums of the
// mixture itself arrive, to the weights |V_ip|^2 of the photons in states of their own. No node's sums are kept for
// longer than its parent needs them, as on the way forward.
#pragma once

#include "photonlink/optics/gradient_columns.hpp"
#include "photonlink/optics/gradient_kernel.hpp"
#include "photonlink/optics/noise_mixture.hpp"

namespace photonlink::optics {

class MixtureGradientSweep : public MixtureSweep {
  public:
    /// `occupation`: expected photons of each occupied input mode.
    MixtureGradientSweep(const ProgramSpec& spec, const std::vector<u32>& occupation, const MixtureTables& tables,
                         u32 max_lanes);

    /// Without the tables; saturates.
    static u64 predict_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes);

    /// Where derivatives with respect to what run() returned are put before backward(), laid out alike.
    double* cotangents() { return adjoints_[0][0].data(); }

    /// The way back of the datapoints that run() took last, unless it returned null. `columns`: what it was given;
    /// `adjoint` receives the derivatives with respect to them.
    void backward(u32 width, const double* columns, double* adjoint);

  private:
    Part back(const Node& at);
    Part back_leaf(const Node& at);
    void back_children(const Node& at);
    bool load_child(const Node& at, u32 common, const Node& child, double scale);
    void back_photon(std::size_t input, u32 shared);
    void clear_amplitudes(u32 shared);
    void pull_back_power(const Node& at, std::size_t own);
    void add_column(const Node& at, std::size_t own);
    void add_weights(const double* columns, double* adjoint) const;

    const GradientProfile& gradient_profile_;
    const GradientKernels<double>* gradients_ = nullptr;
    const MixtureGradientKernels* mixture_gradients_ = nullptr;
    std::vector<std::vector<AlignedVector<double>>> adjoints_;  // of parts_, and of what a leaf is
    std::vector<AlignedVector<double>> amplitude_adjoints_;
    ColumnGradients<double> columns_gradient_;
    AlignedVector<double> alone_gradient_;  // inputs x modes lane arrays
};

}  // namespace photonlink::optics
