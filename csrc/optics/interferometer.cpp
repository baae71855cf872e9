#include "photonlink/optics/interferometer.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>

namespace photonlink::optics {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSpansHugePages = 2 * kHugePage;  // smaller memory fits what a processor remembers of small pages

std::align_val_t alignment_of(std::size_t bytes) { return std::align_val_t{bytes < kSpansHugePages ? 64 : kHugePage}; }

/// To at most half a turn, where kernels would lose digits.
void reduce_angles(u32 lanes, std::size_t sites, double* phasors) {
    for (std::size_t site = 0; site < sites; ++site)
        for (double* angle = phasors + site * 2 * lanes; angle < phasors + (site * 2 + 1) * lanes; ++angle)
            if (std::abs(*angle) > kMostAngle) *angle = std::atan2(std::sin(*angle), std::cos(*angle));
}

}  // namespace

void* allocate_aligned(std::size_t bytes) {
    void* const memory = ::operator new(bytes, alignment_of(bytes));
#ifdef MADV_HUGEPAGE
    if (bytes >= kSpansHugePages) ::madvise(memory, bytes, MADV_HUGEPAGE);  // a hint: where it fails, pages stay small
#endif
    return memory;
}

void free_aligned(void* at, std::size_t bytes) { ::operator delete(at, alignment_of(bytes)); }

u32 occupied_modes(const ProgramSpec& spec) {
    return static_cast<u32>(std::count_if(spec.input.begin(), spec.input.end(), [](u32 n) { return n > 0; }));
}

InputColumns::InputColumns(const ProgramSpec& spec) {
    for (u32 mode = 0; mode < spec.modes; ++mode) {
        if (spec.input[mode] == 0) continue;
        modes.push_back(mode);
        occupation.push_back(spec.input[mode]);
    }
}

PhaseSites::PhaseSites(const ProgramSpec& spec) {
    begin.push_back(0);
    for (u32 layer = 0; layer + 1 < spec.interferometers.size(); ++layer) {
        for (u32 index = 0; index < spec.phases.size(); ++index)
            if (spec.phases[index].layer == layer) phase.push_back(index);
        std::stable_sort(phase.begin() + begin.back(), phase.end(),
                         [&](u32 a, u32 b) { return spec.phases[a].mode < spec.phases[b].mode; });
        for (std::size_t site = mode.size(); site < phase.size(); ++site) mode.push_back(spec.phases[phase[site]].mode);
        begin.push_back(static_cast<u32>(mode.size()));
    }
}

u64 Interferometer::predict_bytes(const ProgramSpec& spec, u32 max_lanes) {
    const u64 modes = spec.modes, columns = occupied_modes(spec), sites = spec.phases.size();
    const u64 complex_numbers = modes * columns + spec.interferometers.size() * modes * modes;
    const u64 lane_arrays = sites + 2 * modes * columns;
    return complex_numbers * 16 + lane_arrays * 2 * max_lanes * sizeof(double) + sites * 12;
}

Interferometer::Interferometer(const ProgramSpec& spec, u32 max_lanes)
    : modes_(spec.modes), layers_(static_cast<u32>(spec.interferometers.size()) - 1), inputs_(spec), sites_(spec) {
    for (u32 i = 0; i < modes_; ++i)
        for (const u32 mode : inputs_.modes) {
            const Complex element = spec.interferometers[0][std::size_t{i} * modes_ + mode];
            first_.insert(first_.end(), {element.real(), element.imag()});
        }
    for (std::size_t layer = 1; layer < spec.interferometers.size(); ++layer)
        for (const Complex element : spec.interferometers[layer])
            matrices_.insert(matrices_.end(), {element.real(), element.imag()});
    phasors_.resize(sites_.mode.size() * 2 * max_lanes);
    columns_out_.resize(std::size_t{modes_} * columns() * 2 * max_lanes);
    columns_scratch_.resize(columns_out_.size());
}

template <class Real>
void load_phasors(const SlosKernels<Real>& kernels, const PhaseSites& sites, const double* phases, u32 rows,
                  double* phasors) {
    const u32 lanes = kernels.lanes;
    const std::size_t count = sites.mode.size();
    bool large = false;
    for (std::size_t site = 0; site < count; ++site) {
        double* const phasor = phasors + site * 2 * lanes;
        const double* const column = phases + sites.phase[site];
        for (u32 row = 0; row < rows; ++row) {
            phasor[row] = column[row * count];
            large |= std::abs(phasor[row]) > kMostAngle;
        }
        std::fill(phasor + rows, phasor + lanes, phasor[rows - 1]);
    }
    if (large) reduce_angles(lanes, count, phasors);
    kernels.phasors(static_cast<u32>(count), phasors);
}

template <class Real>
const double* Interferometer::compose(const SlosKernels<Real>& kernels, const double* phases, u32 rows) {
    load_phasors(kernels, sites_, phases, rows, phasors_.data());
    kernels.compose({modes_, columns(), layers_, first_.data(), matrices_.data(), sites_.begin.data(),
                     sites_.mode.data(), phasors_.data(), columns_out_.data(), columns_scratch_.data()});
    return columns_out_.data();
}

template void load_phasors<float>(const SlosKernels<float>&, const PhaseSites&, const double*, u32, double*);
template void load_phasors<double>(const SlosKernels<double>&, const PhaseSites&, const double*, u32, double*);
template const double* Interferometer::compose<float>(const SlosKernels<float>&, const double*, u32);
template const double* Interferometer::compose<double>(const SlosKernels<double>&, const double*, u32);

}  // namespace photonlink::optics
