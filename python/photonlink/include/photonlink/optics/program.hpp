// What a controller is configured with: the physics of one photonic program, without the feature encoding (features
// become phases on the caller's side; a controller only ever sees phases).
#pragma once

#include <complex>
#include <string>
#include <vector>

#include "photonlink/optics/noise.hpp"
#include "photonlink/platform.hpp"

namespace photonlink::optics {

enum class Space : u8 {
    Fock,       // every state of n photons in m modes
    Unbunched,  // at most one photon per mode; the distribution is renormalised within the space (post-selected)
    DualRail,   // exactly one photon in each mode pair (2k, 2k+1); renormalised likewise
};

enum class Precision : u8 { Float32, Float64 };

enum class ReadoutKind : u8 {
    Probabilities,       // over the basis of `space`, optionally grouped
    ModeExpectations,    // <n_i>, i = 0..m-1
    Correlators,         // <n_i n_j>, i < j in lexicographic order
    ClickPatterns,       // threshold detectors: probability of each pattern of clicked modes
    ClickProbabilities,  // threshold detectors: probability that detector i clicks
    Samples,             // Fock states: no observables, only what was detected
};

enum class Grouping : u8 {
    None,
    Lex,  // MerLin LexGrouping: equal buckets of consecutive keys, the last one zero-padded
    Mod,  // MerLin ModGrouping: key index modulo the number of groups
};

struct ReadoutSpec {
    ReadoutKind kind = ReadoutKind::Probabilities;
    Space space = Space::Unbunched;
    Grouping grouping = Grouping::None;
    u32 groups = 0;  // output size when grouped
};

/// One physical phase shifter exp(i * phase) on `mode`, between interferometers `layer` and `layer + 1`.
struct PhaseSite {
    u32 layer;
    u32 mode;
};

using Complex = std::complex<double>;

struct ProgramSpec {
    u32 modes = 0;
    std::vector<u32> input;                             // photons per mode, `modes` entries
    std::vector<std::vector<Complex>> interferometers;  // row-major modes x modes; applied in this order
    std::vector<PhaseSite> phases;                      // order of the phases of a request
    ReadoutSpec readout;
    bool interference = true;  // false: fully distinguishable photons (probabilities add instead of amplitudes)
    NoiseSpec noise;
    std::string digest;  // of the whole Program, encoding included; compared, never parsed

    u32 photons() const {
        u32 total = 0;
        for (u32 n : input) total += n;
        return total;
    }
};

}  // namespace photonlink::optics
