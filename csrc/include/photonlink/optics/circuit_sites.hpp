// Where light enters a circuit, and where its phase shifters sit.
#pragma once

#include <vector>

#include "photonlink/optics/program.hpp"

namespace photonlink::optics {

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

}  // namespace photonlink::optics
