// A program as Python hands it over: words for what the core has enumerations for, and arrays.
#pragma once

#include <pybind11/complex.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::bind {

using namespace photonlink::optics;

template <class Enum>
struct Name {
    const char* name;
    Enum value;
};

inline constexpr Name<ReadoutKind> kKinds[] = {{"probabilities", ReadoutKind::Probabilities},
                                               {"mode_expectations", ReadoutKind::ModeExpectations},
                                               {"correlators", ReadoutKind::Correlators},
                                               {"click_patterns", ReadoutKind::ClickPatterns},
                                               {"click_probabilities", ReadoutKind::ClickProbabilities},
                                               {"samples", ReadoutKind::Samples}};
inline constexpr Name<Space> kSpaces[] = {
    {"fock", Space::Fock}, {"unbunched", Space::Unbunched}, {"dual_rail", Space::DualRail}};
inline constexpr Name<Grouping> kGroupings[] = {
    {"none", Grouping::None}, {"lex", Grouping::Lex}, {"mod", Grouping::Mod}};

template <class Enum, std::size_t N>
Enum parse(const Name<Enum> (&names)[N], const std::string& text, const char* what) {
    std::string expected;
    for (const Name<Enum>& entry : names) {
        if (text == entry.name) return entry.value;
        expected += (expected.empty() ? "" : ", ") + std::string(entry.name);
    }
    throw ProgramError("unknown " + std::string(what) + " \"" + text + "\"; expected one of " + expected);
}

template <class Enum, std::size_t N>
std::string print(const Name<Enum> (&names)[N], Enum value) {
    for (const Name<Enum>& entry : names)
        if (entry.value == value) return entry.name;
    return "";
}

/// (layers + 1, modes, modes) matrices. Throws ProgramError for another shape.
inline std::vector<std::vector<Complex>> to_interferometers(u32 modes, const Array<Complex>& matrices) {
    if (matrices.ndim() != 3 || matrices.shape(1) != modes || matrices.shape(2) != modes)
        throw ProgramError("interferometers have shape " + shape_of(matrices) + "; expected (layers + 1, " +
                           std::to_string(modes) + ", " + std::to_string(modes) + ")");
    const std::size_t elements = std::size_t{modes} * modes;
    std::vector<std::vector<Complex>> result;
    for (py::ssize_t layer = 0; layer < matrices.shape(0); ++layer) {
        const Complex* const matrix = matrices.data() + static_cast<std::size_t>(layer) * elements;
        result.emplace_back(matrix, matrix + elements);
    }
    return result;
}

inline std::shared_ptr<ProgramSpec> make_spec(u32 modes, std::vector<u32> input, const Array<Complex>& interferometers,
                                              const Array<u32>& phase_layers, const Array<u32>& phase_modes,
                                              const std::string& kind, const std::string& space,
                                              const std::string& grouping, u32 groups, bool interference,
                                              std::string digest) {
    auto spec = std::make_shared<ProgramSpec>();
    spec->modes = modes;
    spec->input = std::move(input);
    spec->interferometers = to_interferometers(modes, interferometers);
    const std::vector<u32> layers = to_vector(phase_layers, "phase_layers");
    const std::vector<u32> sites = to_vector(phase_modes, "phase_modes");
    if (layers.size() != sites.size())
        throw ProgramError("phase_layers has " + std::to_string(layers.size()) + " entries and phase_modes " +
                           std::to_string(sites.size()) + "; expected as many of both");
    for (std::size_t p = 0; p < layers.size(); ++p) spec->phases.push_back({layers[p], sites[p]});
    spec->readout = {parse(kKinds, kind, "readout kind"), parse(kSpaces, space, "space"),
                     parse(kGroupings, grouping, "grouping"), groups};
    spec->interference = interference;
    spec->digest = std::move(digest);
    return spec;
}

}  // namespace photonlink::bind
