// The linear part: one matrix per datapoint, V = F_L diag(exp(i phi_L)) ... F_0[:, s], for the occupied input columns s
// only, always in double precision.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include "photonlink/optics/program.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics {

/// Memory aligned for the widest vectors. From a few MiB on it lies in huge pages where the system has them: the
/// parents of a state are read along as many lines as there are modes, each far from the others.
void* allocate_aligned(std::size_t bytes);
void free_aligned(void* at, std::size_t bytes);

/// Such memory filled with zeros, so that a sweep never reads what was not written.
template <class T>
struct AlignedAllocator {
    using value_type = T;
    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT: allocators convert
    T* allocate(std::size_t n) { return static_cast<T*>(allocate_aligned(n * sizeof(T))); }
    void deallocate(T* at, std::size_t n) { free_aligned(at, n * sizeof(T)); }
    bool operator==(const AlignedAllocator&) const { return true; }
    bool operator!=(const AlignedAllocator&) const { return false; }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

/// How many input modes hold photons.
u32 occupied_modes(const ProgramSpec& spec);

/// Those modes in ascending order, and the photons in each.
struct InputColumns {
    explicit InputColumns(const ProgramSpec& spec);

    std::vector<u32> modes;
    std::vector<u32> occupation;
};

/// The phase shifters, layer by layer, each layer's in ascending order of modes.
struct PhaseSites {
    explicit PhaseSites(const ProgramSpec& spec);

    std::vector<u32> begin;  // layers + 1 entries: first site of each layer
    std::vector<u32> mode;
    std::vector<u32> phase;  // which phase of a request drives the site
};

/// cos[W], sin[W] of each site's phase, for `rows` datapoints; the last one fills the lanes that are left.
template <class Real>
void load_phasors(const SlosKernels<Real>& kernels, const PhaseSites& sites, const double* phases, u32 rows,
                  double* phasors);

class Interferometer {
  public:
    explicit Interferometer(const ProgramSpec& spec, u32 max_lanes);

    static u64 predict_bytes(const ProgramSpec& spec, u32 max_lanes);

    u32 modes() const { return modes_; }
    u32 columns() const { return static_cast<u32>(inputs_.modes.size()); }
    const std::vector<u32>& occupation() const { return inputs_.occupation; }

    /// Composes the matrices of `rows` datapoints (1..lanes; the last one fills the lanes that are left). `phases` is
    /// rows x spec.phases.size(). Returns modes x columns lane arrays: entry (i, c) of lane l has its real part at
    /// [((i * columns + c) * 2) * lanes + l] and its imaginary part `lanes` further.
    template <class Real>
    const double* compose(const SlosKernels<Real>& kernels, const double* phases, u32 rows);

  private:
    u32 modes_;
    u32 layers_;
    InputColumns inputs_;
    PhaseSites sites_;
    std::vector<double> first_;
    std::vector<double> matrices_;
    AlignedVector<double> phasors_;
    AlignedVector<double> columns_out_;
    AlignedVector<double> columns_scratch_;
};

}  // namespace photonlink::optics
