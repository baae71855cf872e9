// Vector-Jacobian products of exact readouts: from derivatives of a number L with respect to the observables
// ("cotangents") to derivatives with respect to the phases and to the interferometers.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "photonlink/optics/program.hpp"

namespace photonlink::optics {

struct GradientOptions {
    std::size_t memory_limit_bytes = 0;
    /// So many work on a batch; results do not depend on it. 0: as many as usable_threads() says and memory permits.
    u32 threads = 1;
};

struct GradientBatch {
    std::size_t rows = 0;
    const double* phases = nullptr;  // rows x spec.phases.size(), radians
    /// rows x output_size() numbers of the precision; null: only values are asked for.
    const void* cotangents = nullptr;
    void* values = nullptr;             // rows x output_size() numbers of the precision, or null
    double* phase_gradients = nullptr;  // rows x spec.phases.size(), or null
    /// (layers + 1) x modes x modes numbers G with dL = Re(sum of conj(G_ij) dU_ij), summed over the rows; or null.
    /// Elements of the first interferometer that no photon enters are zero. Only changes that keep the matrices unitary
    /// are meant: for others the derivative depends on how an observable is computed.
    Complex* interferometer_gradients = nullptr;
};

/// Values are bit by bit those of a Simulator, with derivatives or without. Where a space has no probability, values
/// and derivatives are zero. Results are bit-identical for any split of the rows into batches (those summed over rows:
/// for batches that begin at multiples of 16 rows, up to the final sum) and any number of threads, within one kernel
/// profile.
class Differentiator {
  public:
    /// Checks the spec (throws ProgramError as Simulator::create, for a readout of samples, and for phases that are
    /// rounded to a grid). Amplitudes of all photon numbers are kept if memory permits; else the lower ones, and the
    /// others are computed again. Fewer datapoints side by side come last. Refuses what does not fit at all. Where
    /// sources or detectors make mixtures, everything but values and cotangents is in double precision, as in a
    /// Simulator, and all amplitudes are kept.
    static std::unique_ptr<Differentiator> create(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                                  const GradientOptions& options);
    virtual ~Differentiator() = default;

    virtual std::size_t output_size() const = 0;
    virtual std::size_t memory_bytes() const = 0;  // tables and scratch of all threads
    virtual std::string kernel_profile() const = 0;
    virtual u32 lanes() const = 0;
    virtual u32 threads() const = 0;
    virtual u32 levels() const = 0;       // photon numbers whose amplitudes the way back needs; 0 for closed forms
    virtual u32 kept_levels() const = 0;  // those that are kept; the others are computed again

    /// Replaces the interferometers, layers + 1 times modes x modes elements; throws ProgramError unless unitary.
    virtual void set_interferometers(const Complex* matrices) = 0;

    /// Throws ProgramError for a phase or cotangent that is not finite; results may have been written. One run at a
    /// time.
    virtual void run(const GradientBatch& batch) = 0;
};

/// The least number of bytes with which create() would succeed, unless it refuses the work. Saturates.
std::size_t predict_gradient_bytes(const ProgramSpec& spec, Precision precision, u32 threads = 1);

/// How often an observable turns at most while one phase turns once: the observables (outside the full Fock space and
/// with noise: numerator and denominator of them) are trigonometric polynomials of this degree in each phase, so that
/// 2 * degree shifted settings determine a derivative. Throws ProgramError where phases are rounded to a grid.
u32 phase_degree(const ProgramSpec& spec);

}  // namespace photonlink::optics
