#include "photonlink/optics/shared_layers.hpp"

#include <algorithm>
#include <cstring>

#include "photonlink/optics/phasors.hpp"

namespace photonlink::optics {
namespace {

constexpr u32 kFewLayers = 3;

u32 layers_of(const ProgramSpec& spec) { return static_cast<u32>(spec.interferometers.size()) - 1; }

/// Of equal bits: zeros of either sign give zeros of other signs.
bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

const SlosKernels<double>& single_lane() {
    const KernelProfile& profile = select_kernel_profile();
    return profile.widths<double>()[profile.width_count<double>() - 1];
}

}  // namespace

u64 SharedLayers::predict_bytes(const ProgramSpec& spec) {
    const u64 layers = layers_of(spec), columns = u64{spec.modes} * occupied_modes(spec);
    return layers > kFewLayers ? ((layers + 1) * columns * 2 + spec.phases.size() * 3) * sizeof(double) : 0;
}

SharedLayers::SharedLayers(const ProgramSpec& spec, u32 columns, const PhaseSites& sites)
    : sites_(sites), single_(single_lane()), modes_(spec.modes), columns_(columns), layers_(layers_of(spec)) {
    if (layers_ <= kFewLayers) return;
    const std::size_t numbers = std::size_t{modes_} * columns_ * 2;
    phases_.resize(sites.mode.size());
    stages_.resize(numbers * layers_);
    phasors_.resize(sites.mode.size() * 2);
    scratch_.resize(numbers);
}

u32 SharedLayers::count(const double* phases, u32 rows) const {
    if (layers_ <= kFewLayers) return 0;
    const std::size_t count = sites_.mode.size();
    for (u32 layer = 0; layer < layers_; ++layer)
        for (u32 site = sites_.begin[layer]; site < sites_.begin[layer + 1]; ++site)
            for (u32 row = 1; row < rows; ++row)
                if (!same(phases[sites_.phase[site]], phases[row * count + sites_.phase[site]])) return layer;
    return layers_;
}

const double* SharedLayers::columns(u32 layers, const double* phases, const double* first, const double* matrices) {
    u32 layer = 0;
    while (layer < std::min(known_, layers) && agrees(layer, phases)) ++layer;
    if (layer < layers) known_ = layers;  // stages behind the first that differs are of the past
    for (; layer < layers; ++layer) compose(layer, phases, layer == 0 ? first : stage(layer), matrices);
    return stage(layers);
}

bool SharedLayers::agrees(u32 layer, const double* phases) const {
    for (u32 site = sites_.begin[layer]; site < sites_.begin[layer + 1]; ++site)
        if (!same(phases_[sites_.phase[site]], phases[sites_.phase[site]])) return false;
    return true;
}

void SharedLayers::compose(u32 layer, const double* phases, const double* before, const double* matrices) {
    const u32 begin = sites_.begin[layer], end = sites_.begin[layer + 1];
    for (u32 site = begin; site < end; ++site) phases_[sites_.phase[site]] = phases[sites_.phase[site]];
    load_phasors(single_, sites_, phases, 1, phasors_.data(), begin, end);
    single_.compose({modes_, columns_, 1, before, matrices + std::size_t{layer} * modes_ * modes_ * 2,
                     sites_.begin.data() + layer, sites_.mode.data(), phasors_.data(), stage(layer + 1),
                     scratch_.data()});
}

}  // namespace photonlink::optics
