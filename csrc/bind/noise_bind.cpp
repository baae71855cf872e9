#include <pybind11/stl.h>

#include <optional>

#include "arrays.hpp"
#include "bind.hpp"
#include "photonlink/optics/noise_readout.hpp"
#include "photonlink/optics/noise_simulator.hpp"
#include "photonlink/optics/simulator.hpp"

namespace py = pybind11;

namespace photonlink::bind {
namespace {

using namespace photonlink::optics;

NoiseSpec make_noise(double brightness, double transmittance, double indistinguishability, double g2,
                     bool g2_distinguishable, double phase_imprecision, const Array<double>& phase_errors,
                     bool threshold_detectors, const std::optional<u32>& min_detected) {
    return {brightness,
            transmittance,
            indistinguishability,
            g2,
            g2_distinguishable,
            phase_imprecision,
            to_vector(phase_errors, "phase_errors"),
            threshold_detectors ? Detectors::Threshold : Detectors::Resolving,
            min_detected.value_or(kAllPhotons)};
}

void check_listable(u64 states, u32 modes) {
    if (saturating_mul(states, modes) > (u64{1} << 32))
        throw ProgramError("listing all states would take more than 4 GiB; use fewer modes or photons");
}

NoisePlan checked_plan(const ProgramSpec& spec) {
    check_spec(spec);
    return plan_noise(spec);
}

}  // namespace

void bind_noise_spec(py::module_& module) {
    py::class_<NoiseSpec>(module, "NoiseSpec")
        .def(py::init(&make_noise), py::arg("brightness"), py::arg("transmittance"), py::arg("indistinguishability"),
             py::arg("g2"), py::arg("g2_distinguishable"), py::arg("phase_imprecision"), py::arg("phase_errors"),
             py::arg("threshold_detectors"), py::arg("min_detected"))
        .def_readonly("brightness", &NoiseSpec::brightness)
        .def_readonly("transmittance", &NoiseSpec::transmittance)
        .def_readonly("indistinguishability", &NoiseSpec::indistinguishability)
        .def_readonly("g2", &NoiseSpec::g2)
        .def_readonly("g2_distinguishable", &NoiseSpec::g2_distinguishable)
        .def_readonly("phase_imprecision", &NoiseSpec::phase_imprecision)
        .def_property_readonly("phase_errors", [](const NoiseSpec& noise) { return to_array(noise.phase_errors); })
        .def_property_readonly("threshold_detectors",
                               [](const NoiseSpec& noise) { return noise.detectors == Detectors::Threshold; })
        .def_property_readonly("min_detected", [](const NoiseSpec& noise) {
            return noise.min_detected == kAllPhotons ? std::nullopt : std::optional<u32>(noise.min_detected);
        });
}

void bind_noise(py::module_& module) {
    module.def(
        "kept_states",
        [](const ProgramSpec& spec) {
            const NoisePlan plan = checked_plan(spec);
            check_listable(kept_states(spec, plan), spec.modes);
            return to_matrix(sector_states(plan.space, spec.modes, plan.least, plan.most), spec.modes);
        },
        py::arg("spec"), "Detected states of kept events in order, (states, modes) uint8.");
    module.def(
        "kept_states_at",
        [](const ProgramSpec& spec, const Array<u32>& positions) {
            check_spec(spec);
            const SectorOrder order = kept_order(spec);
            const std::vector<u32> ranks = to_vector(positions, "positions");
            std::vector<u8> states(ranks.size() * spec.modes);
            for (std::size_t i = 0; i < ranks.size(); ++i) {
                if (ranks[i] >= order.size())
                    throw ProgramError("position " + std::to_string(ranks[i]) + " lies outside the " +
                                       std::to_string(order.size()) + " states of kept events");
                order.unrank(ranks[i], states.data() + i * spec.modes);
            }
            return to_matrix(states, spec.modes);
        },
        py::arg("spec"), py::arg("positions"), "States at these positions of kept_states(), (positions, modes) uint8.");
    module.def(
        "kept_click_patterns",
        [](const ProgramSpec& spec) {
            const NoisePlan plan = checked_plan(spec);
            const ClickOrder order = click_order(spec, plan);
            check_listable(order.size(), spec.modes);
            if (plan.space == Space::DualRail)
                return to_matrix(sector_states(plan.space, spec.modes, plan.least, plan.most), spec.modes);
            return to_matrix(order.patterns(), spec.modes);
        },
        py::arg("spec"), "Click patterns of kept events in order, (patterns, modes) uint8.");
    module.def(
        "kept_size", [](const ProgramSpec& spec) { return kept_states(spec, checked_plan(spec)); }, py::arg("spec"),
        "Number of detected states of kept events.");
    module.def(
        "noise_method",
        [](const ProgramSpec& spec, bool sampled) {
            check_spec(spec);
            return noise_method(spec, sampled);
        },
        py::arg("spec"), py::arg("sampled"), "How noise is simulated, in words.");
    module.def(
        "probability_of_enough",
        [](const ProgramSpec& spec) {
            const NoisePlan plan = checked_plan(spec);
            return plan.kept_scale * plan.enough;
        },
        py::arg("spec"), "Probability that an attempt delivers enough photons to be kept, whatever the circuit.");
}

}  // namespace photonlink::bind
