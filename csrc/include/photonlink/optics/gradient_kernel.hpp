// The hot loops of the reverse sweep as plain function tables, one set per SIMD profile, under the same rules as those
// of slos_kernel.hpp: lanes side by side, every lane the same operations in the same order at every width.
//
// Derivatives with respect to complex numbers z are stored as G with dL = Re(sum of conj(G) dz): through a product
// y = w z the derivative goes back as G_z = conj(w) G_y.
#pragma once

#include "photonlink/optics/gradient_mixture_kernel.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// The linear network with every layer's input kept. Complex numbers are (re, im) pairs, lane arrays re[W], im[W].
struct NetworkView {
    u32 modes;
    u32 columns;
    u32 layers;              // phase layers; there are layers + 1 interferometers
    const double* first;     // modes x columns complex: the columns of the first interferometer
    const double* matrices;  // layers x modes x modes complex: the others
    const double* adjoints;  // their conjugate transposes
    const u32* site_begin;   // layers + 1 entries
    const u32* site_mode;    // sorted by layer, then by mode
    const double* phasors;   // per site cos[W], sin[W]
    double* stages;          // layers + 1 times modes x columns lane arrays: what enters interferometer layer + 1, i.e.
                             // with the phases of `layer`; the last stage is the result
    const double* adjoint;   // modes x columns lane arrays: derivative with respect to the stage at hand
    double* adjoint_scratch;  // of the same size: receives that with respect to the stage before
    double* phase_gradients;  // per site one [W]
    double* outer;            // modes x modes lane arrays, or null: derivative of the interferometer at hand
};

template <class Real>
struct GradientKernels {
    /// Goes back through blocks first_block..last_block - 1 of a level. `children` is the derivative with respect to
    /// that level, from the first block's first state on. Adds to the derivatives of the parents and of the column;
    /// both are lane arrays of the amplitudes' kind (complex, or real for distinguishable photons).
    using Back = void (*)(const LevelView&, u32 first_block, u32 last_block, const Real* column, const Real* parents,
                          const Real* children, Real* parent_adjoints, Real* column_adjoint);
    /// The same through the last level, from the derivatives with respect to its probabilities, one real lane array per
    /// state; its amplitudes are computed again instead of being read.
    using BackLast = void (*)(const LevelView&, u32 first_block, u32 last_block, const Real* column,
                              const Real* parents, double scale, const Real* cotangents, Real* parent_adjoints,
                              Real* column_adjoint);
    u32 lanes;
    Back back;
    Back back_real_column;
    Back back_distinguishable;
    BackLast back_last;                     // real column
    void (*propagate)(const NetworkView&);  // all stages
    /// From the derivative with respect to stage layer + 1 to that with respect to stage `layer` before its phases, to
    /// those with respect to the phases, and to `outer`.
    void (*back_layer)(const NetworkView&, u32 layer);
};

/// One build of them, for the widths of the profile of the same name.
struct GradientProfile {
    const char* name;
    const GradientKernels<float>* float32;
    const GradientKernels<double>* float64;
    const MixtureGradientKernels* mixtures;  // [i] has the lanes of float64[i]

    template <class Real>
    const GradientKernels<Real>* widths() const {
        if constexpr (sizeof(Real) == sizeof(float))
            return float32;
        else
            return float64;
    }
};

/// The gradient kernels of a profile; widths()[i] has the lanes of profile.widths()[i].
const GradientProfile& gradient_profile(const KernelProfile& profile);

}  // namespace photonlink::optics
