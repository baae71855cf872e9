#include "photonlink/optics/circuit_sites.hpp"

#include <algorithm>

namespace photonlink::optics {

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

}  // namespace photonlink::optics
