#include "photonlink/optics/interferometer.hpp"

#include "photonlink/optics/phasors.hpp"

namespace photonlink::optics {

u64 Interferometer::predict_bytes(const ProgramSpec& spec, u32 max_lanes) {
    const u64 modes = spec.modes, columns = occupied_modes(spec), sites = spec.phases.size();
    const u64 complex_numbers = modes * columns + spec.interferometers.size() * modes * modes;
    const u64 lane_arrays = sites + 2 * modes * columns;
    return complex_numbers * 16 + lane_arrays * 2 * max_lanes * sizeof(double) + sites * 12 +
           SharedLayers::predict_bytes(spec);
}

Interferometer::Interferometer(const ProgramSpec& spec, u32 max_lanes)
    : modes_(spec.modes),
      layers_(static_cast<u32>(spec.interferometers.size()) - 1),
      inputs_(spec),
      sites_(spec),
      shared_(spec, columns(), sites_) {
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
const double* Interferometer::compose(const SlosKernels<Real>& kernels, const double* phases, u32 rows) {
    const u32 shared = shared_.count(phases, rows);
    const double* const first =
        shared == 0 ? first_.data() : shared_.columns(shared, phases, first_.data(), matrices_.data());
    const u32* const begin = sites_.begin.data() + shared;
    load_phasors(kernels, sites_, phases, rows, phasors_.data(), *begin, sites_.begin.back());
    kernels.compose({modes_, columns(), layers_ - shared, first,
                     matrices_.data() + std::size_t{shared} * modes_ * modes_ * 2, begin, sites_.mode.data(),
                     phasors_.data(), columns_out_.data(), columns_scratch_.data()});
    return columns_out_.data();
}

template const double* Interferometer::compose<float>(const SlosKernels<float>&, const double*, u32);
template const double* Interferometer::compose<double>(const SlosKernels<double>&, const double*, u32);

}  // namespace photonlink::optics
