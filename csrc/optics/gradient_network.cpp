#include "photonlink/optics/gradient_network.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "photonlink/optics/phasors.hpp"

namespace photonlink::optics {
namespace {

void append(std::vector<double>& numbers, Complex element) {
    numbers.push_back(element.real());
    numbers.push_back(element.imag());
}

}  // namespace

u64 GradientNetwork::predict_bytes(const ProgramSpec& spec) {
    const u64 modes = spec.modes;
    return 2 * spec.interferometers.size() * modes * modes * sizeof(Complex) + spec.phases.size() * 2 * sizeof(u32);
}

GradientNetwork::GradientNetwork(const ProgramSpec& spec)
    : modes_(spec.modes), layers_(static_cast<u32>(spec.interferometers.size()) - 1), inputs_(spec), sites_(spec) {
    set_interferometers(spec.interferometers);
}

void GradientNetwork::set_interferometers(const std::vector<std::vector<Complex>>& matrices) {
    first_.clear();
    matrices_.clear();
    adjoints_.clear();
    for (u32 i = 0; i < modes_; ++i)
        for (const u32 mode : inputs_.modes) append(first_, matrices[0][std::size_t{i} * modes_ + mode]);
    for (u32 layer = 1; layer <= layers_; ++layer)
        for (u32 i = 0; i < modes_; ++i)
            for (u32 j = 0; j < modes_; ++j) {
                append(matrices_, matrices[layer][std::size_t{i} * modes_ + j]);
                append(adjoints_, std::conj(matrices[layer][std::size_t{j} * modes_ + i]));
            }
}

NetworkView GradientNetwork::view() const {
    NetworkView view{};
    view.modes = modes_;
    view.columns = columns();
    view.layers = layers_;
    view.first = first_.data();
    view.matrices = matrices_.data();
    view.adjoints = adjoints_.data();
    view.site_begin = sites_.begin.data();
    view.site_mode = sites_.mode.data();
    return view;
}

u64 NetworkState::predict_bytes(const ProgramSpec& spec, u32 max_lanes) {
    const u64 modes = spec.modes, columns = occupied_modes(spec), sites = spec.phases.size();
    const u64 lane_arrays = sites * 3 + 2 * modes * columns * (spec.interferometers.size() + 2) + 2 * modes * modes;
    return lane_arrays * max_lanes * sizeof(double);
}

NetworkState::NetworkState(const GradientNetwork& network, u32 max_lanes) : network_(network) {
    const std::size_t lanes = max_lanes;
    const std::size_t stage = std::size_t{network.modes()} * network.columns() * 2 * lanes;
    phasors_.resize(network.sites() * 2 * lanes);
    phase_gradients_.resize(network.sites() * lanes);
    stages_.resize((network.layers() + 1) * stage);
    for (AlignedVector<double>& adjoint : adjoint_) adjoint.resize(stage);
    outer_.resize(std::size_t{network.modes()} * network.modes() * 2 * lanes);
}

NetworkView NetworkState::view() {
    NetworkView view = network_.view();
    view.phasors = phasors_.data();
    view.stages = stages_.data();
    view.phase_gradients = phase_gradients_.data();
    return view;
}

template <class Real>
const double* NetworkState::propagate(const SlosKernels<Real>& forward, const GradientKernels<Real>& kernels,
                                      const double* phases, u32 rows) {
    const PhaseSites& sites = network_.phase_sites();
    load_phasors(forward, sites, phases, rows, phasors_.data(), 0, sites.begin.back());
    kernels.propagate(view());
    return stages_.data() + u64{network_.layers()} * network_.modes() * network_.columns() * 2 * kernels.lanes;
}

template <class Real>
void NetworkState::pull_back(const GradientKernels<Real>& kernels, u32 rows, double* phases, Complex* interferometers) {
    const u32 lanes = kernels.lanes, sites = network_.sites();
    const std::size_t elements = std::size_t{network_.modes()} * network_.modes();
    NetworkView at = view();
    double* adjoint = adjoint_[0].data();
    double* scratch = adjoint_[1].data();
    at.outer = interferometers == nullptr ? nullptr : outer_.data();
    for (u32 layer = network_.layers(); layer-- > 0;) {
        at.adjoint = adjoint;
        at.adjoint_scratch = scratch;
        kernels.back_layer(at, layer);
        if (interferometers != nullptr) add_outer(lanes, rows, interferometers + (layer + 1) * elements);
        std::swap(adjoint, scratch);
    }
    if (interferometers != nullptr) add_first(lanes, rows, adjoint, interferometers);
    if (phases == nullptr) return;
    for (u32 row = 0; row < rows; ++row)
        for (u32 site = 0; site < sites; ++site)
            phases[u64{row} * sites + network_.phase_of(site)] = phase_gradients_[u64{site} * lanes + row];
}

void NetworkState::add_outer(u32 lanes, u32 rows, Complex* interferometer) const {
    const double* at = outer_.data();
    for (u32 e = 0; e < network_.modes() * network_.modes(); ++e, at += 2 * lanes)
        for (u32 row = 0; row < rows; ++row) interferometer[e] += Complex(at[row], at[lanes + row]);
}

/// Light enters the first interferometer in single modes: only their columns have derivatives.
void NetworkState::add_first(u32 lanes, u32 rows, const double* adjoint, Complex* interferometer) const {
    for (u32 i = 0; i < network_.modes(); ++i)
        for (const u32 mode : network_.input_modes()) {
            Complex& sum = interferometer[std::size_t{i} * network_.modes() + mode];
            for (u32 row = 0; row < rows; ++row) sum += Complex(adjoint[row], adjoint[lanes + row]);
            adjoint += 2 * lanes;
        }
}

template const double* NetworkState::propagate<float>(const SlosKernels<float>&, const GradientKernels<float>&,
                                                      const double*, u32);
template const double* NetworkState::propagate<double>(const SlosKernels<double>&, const GradientKernels<double>&,
                                                       const double*, u32);
template void NetworkState::pull_back<float>(const GradientKernels<float>&, u32, double*, Complex*);
template void NetworkState::pull_back<double>(const GradientKernels<double>&, u32, double*, Complex*);

}  // namespace photonlink::optics
