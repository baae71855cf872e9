#include <pybind11/complex.h>
#include <pybind11/stl.h>

#include <cstring>
#include <utility>

#include "bind.hpp"
#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/machine_peak.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/slos_kernel.hpp"
#include "program_arguments.hpp"

namespace py = pybind11;

namespace photonlink::bind {
namespace {

using namespace photonlink::optics;

py::array_t<Complex> interferometers_of(const ProgramSpec& spec) {
    py::array_t<Complex> out({spec.interferometers.size(), std::size_t{spec.modes}, std::size_t{spec.modes}});
    Complex* at = out.mutable_data();
    for (const std::vector<Complex>& matrix : spec.interferometers) at = std::copy(matrix.begin(), matrix.end(), at);
    return out;
}

py::array_t<u32> site_numbers(const ProgramSpec& spec, u32 PhaseSite::*member) {
    std::vector<u32> numbers;
    for (const PhaseSite& site : spec.phases) numbers.push_back(site.*member);
    return to_array(numbers);
}

/// A simulator with the precision that it was created with, which the interface does not tell.
struct BoundSimulator {
    std::unique_ptr<Simulator> simulator;
    std::shared_ptr<const ProgramSpec> spec;
    Precision precision;

    py::array results(std::size_t rows, const std::optional<py::array>& out) const;
    py::array run(const Array<double>& phases, const std::optional<Array<u64>>& ids, u64 seed, u32 shots,
                  const std::optional<py::array>& given, std::vector<RowReport>* reports) const;
    py::tuple run_report(const Array<double>& phases, const std::optional<Array<u64>>& ids, u64 seed, u32 shots) const;
};

/// An array for this many rows of results: the caller's, if it is one, or a new one.
py::array BoundSimulator::results(std::size_t rows, const std::optional<py::array>& out) const {
    const py::dtype type = precision == Precision::Float32 ? py::dtype::of<float>() : py::dtype::of<double>();
    const std::size_t outputs = simulator->output_size();
    if (!out) return {type, {rows, outputs}};
    if (!out->dtype().is(type) || !out->writeable() || (out->flags() & py::array::c_style) == 0 ||
        check_rows(*out, outputs, "results") != rows)
        throw ProgramError("out has shape " + shape_of(*out) + " and dtype " + std::string(py::str(out->dtype())) +
                           "; expected a writeable, C-contiguous array of shape (" + std::to_string(rows) + ", " +
                           std::to_string(outputs) + ") and dtype " + std::string(py::str(type)));
    return *out;
}

py::array BoundSimulator::run(const Array<double>& phases, const std::optional<Array<u64>>& ids, u64 seed, u32 shots,
                              const std::optional<py::array>& given, std::vector<RowReport>* reports) const {
    const std::size_t rows = check_rows(phases, spec->phases.size(), "phases");
    std::vector<u64> keys(rows);
    for (std::size_t row = 0; row < rows; ++row) keys[row] = row;
    if (ids) keys = to_vector(*ids, "ids");
    if (keys.size() != rows)
        throw ProgramError("there are " + std::to_string(keys.size()) + " ids for " + std::to_string(rows) +
                           " rows of phases; expected one each");
    const std::size_t outputs = simulator->output_size();
    const std::size_t bytes = precision == Precision::Float32 ? sizeof(float) : sizeof(double);
    py::array out = results(rows, given);
    std::vector<void*> targets(rows);
    for (std::size_t row = 0; row < rows; ++row)
        targets[row] = static_cast<char*>(out.mutable_data()) + row * outputs * bytes;
    if (reports != nullptr) reports->resize(rows);
    SimulationBatch batch;
    batch.rows = rows;
    batch.phases = phases.data();
    batch.ids = keys.data();
    batch.seed = seed;
    batch.shots = shots;
    batch.observables = targets.data();
    batch.reports = reports == nullptr ? nullptr : reports->data();
    const py::gil_scoped_release release;
    simulator->run(batch);
    return out;
}

py::tuple BoundSimulator::run_report(const Array<double>& phases, const std::optional<Array<u64>>& ids, u64 seed,
                                     u32 shots) const {
    std::vector<RowReport> reports;
    py::array observables = run(phases, ids, seed, shots, std::nullopt, &reports);
    std::vector<double> kept, errors;
    py::list counts;
    for (const RowReport& report : reports) {
        kept.push_back(report.kept_fraction);
        errors.insert(errors.end(), report.standard_errors.begin(), report.standard_errors.end());
        counts.append(py::make_tuple(to_array(report.state_index), to_array(report.counts)));
    }
    py::dict details;
    details["kept_fraction"] = to_array(kept);
    details["standard_errors"] = py::none();
    if (shots > 0) details["standard_errors"] = to_array(errors).reshape({reports.size(), simulator->output_size()});
    details["counts"] = counts;
    return py::make_tuple(observables, details);
}

void check_enumerable(u64 count, u32 modes, const char* what) {
    if (saturating_mul(count, modes) > (u64{1} << 32))
        throw ProgramError(std::string("listing all ") + what +
                           " would take more than 4 GiB; use fewer modes or photons");
}

void bind_spec(py::module_& module) {
    py::class_<ProgramSpec, std::shared_ptr<ProgramSpec>>(module, "ProgramSpec")
        .def(py::init(&make_spec), py::arg("modes"), py::arg("input"), py::arg("interferometers"),
             py::arg("phase_layers"), py::arg("phase_modes"), py::arg("readout_kind"), py::arg("space"),
             py::arg("grouping") = "none", py::arg("groups") = 0, py::arg("interference") = true,
             py::arg("digest") = "")
        .def_readonly("modes", &ProgramSpec::modes)
        .def_readonly("input", &ProgramSpec::input)
        .def_property_readonly("photons", &ProgramSpec::photons)
        .def_property_readonly("interferometers", &interferometers_of)
        .def_property_readonly("phase_layers", [](const ProgramSpec& s) { return site_numbers(s, &PhaseSite::layer); })
        .def_property_readonly("phase_modes", [](const ProgramSpec& s) { return site_numbers(s, &PhaseSite::mode); })
        .def_property_readonly("readout_kind", [](const ProgramSpec& s) { return print(kKinds, s.readout.kind); })
        .def_property_readonly("space", [](const ProgramSpec& s) { return print(kSpaces, s.readout.space); })
        .def_property_readonly("grouping", [](const ProgramSpec& s) { return print(kGroupings, s.readout.grouping); })
        .def_property_readonly("groups", [](const ProgramSpec& s) { return s.readout.groups; })
        .def_readonly("interference", &ProgramSpec::interference)
        .def_readwrite("noise", &ProgramSpec::noise)
        .def_readonly("digest", &ProgramSpec::digest);
    module.def("check_spec", &check_spec, py::arg("spec"), "Raises ProgramError unless the spec can be simulated.");
    module.def("output_size", &output_size, py::arg("spec"), "Values per datapoint.");
    module.def(
        "predict_bytes",
        [](const ProgramSpec& spec, const std::string& precision, bool sampled) {
            return predict_bytes(spec, precision_of(precision), sampled);
        },
        py::arg("spec"), py::arg("precision"), py::arg("sampled") = false, "Least memory of a simulator, in bytes.");
}

void bind_bases(py::module_& module) {
    module.def(
        "basis_size",
        [](u32 modes, u32 photons, const std::string& space) {
            return state_count(parse(kSpaces, space, "space"), modes, photons);
        },
        py::arg("modes"), py::arg("photons"), py::arg("space"));
    module.def(
        "basis_states",
        [](u32 modes, u32 photons, const std::string& name) {
            const Space space = parse(kSpaces, name, "space");
            check_enumerable(state_count(space, modes, photons), modes, "states");
            return to_matrix(basis_states(space, modes, photons), modes);
        },
        py::arg("modes"), py::arg("photons"), py::arg("space"), "The basis in order, (states, modes) uint8.");
    module.def(
        "states_at",
        [](u32 modes, u32 photons, const std::string& space, const Array<u32>& positions) {
            const Basis basis(parse(kSpaces, space, "space"), modes, photons);
            const std::vector<u32> ranks = to_vector(positions, "positions");
            std::vector<u8> states(ranks.size() * modes);
            for (const u32 rank : ranks)
                if (rank >= basis.size())
                    throw ProgramError("position " + std::to_string(rank) + " lies beyond the " +
                                       std::to_string(basis.size()) + " states of the basis");
            basis.unrank(ranks.data(), ranks.size(), states.data());
            return to_matrix(states, modes);
        },
        py::arg("modes"), py::arg("photons"), py::arg("space"), py::arg("positions"),
        "States at positions of the basis, (positions, modes) uint8, without listing the others.");
    module.def(
        "click_patterns",
        [](u32 modes, u32 photons, const std::string& name) {
            const Space space = parse(kSpaces, name, "space");
            check_enumerable(click_pattern_count(space, modes, photons), modes, "click patterns");
            return to_matrix(click_patterns(space, modes, photons), modes);
        },
        py::arg("modes"), py::arg("photons"), py::arg("space"),
        "Threshold patterns in order, (patterns, modes) uint8.");
}

void bind_simulator(py::module_& module) {
    py::class_<BoundSimulator>(module, "Simulator")
        .def(py::init([](std::shared_ptr<ProgramSpec> spec, const std::string& name, std::size_t memory_limit,
                         bool sampled, u32 threads) {
                 const Precision precision = precision_of(name);
                 const py::gil_scoped_release release;
                 return BoundSimulator{Simulator::create(spec, precision, memory_limit, sampled, threads), spec,
                                       precision};
             }),
             py::arg("spec"), py::arg("precision"), py::arg("memory_limit"), py::arg("sampled") = false,
             py::arg("threads") = 0)
        .def_property_readonly("threads", [](const BoundSimulator& s) { return s.simulator->threads(); })
        .def_property_readonly("sampler", [](const BoundSimulator& s) { return s.simulator->sampler(); })
        .def_property_readonly("output_size", [](const BoundSimulator& s) { return s.simulator->output_size(); })
        .def_property_readonly("basis_size", [](const BoundSimulator& s) { return s.simulator->basis_size(); })
        .def_property_readonly("preferred_batch",
                               [](const BoundSimulator& s) { return s.simulator->preferred_batch(); })
        .def_property_readonly("memory_bytes", [](const BoundSimulator& s) { return s.simulator->memory_bytes(); })
        .def_property_readonly("kernel_profile", [](const BoundSimulator& s) { return s.simulator->kernel_profile(); })
        .def(
            "run",
            [](const BoundSimulator& s, const Array<double>& phases, const std::optional<Array<u64>>& ids, u64 seed,
               u32 shots,
               const std::optional<py::array>& out) { return s.run(phases, ids, seed, shots, out, nullptr); },
            py::arg("phases"), py::arg("ids") = py::none(), py::arg("seed") = 0, py::arg("shots") = 0,
            py::arg("out") = py::none(),
            "Observables (rows, output_size) of phases (rows, phases) in radians, written into `out` if it is given.")
        .def("run_report", &BoundSimulator::run_report, py::arg("phases"), py::arg("ids") = py::none(),
             py::arg("seed") = 0, py::arg("shots") = 0,
             "Observables, and a dict of kept_fraction, standard_errors and counts per row.");
    module.def(
        "simd_profile", [] { return std::string(select_kernel_profile().name); },
        "The SIMD profile that simulators take now: the fastest, or the one that PHOTONLINK_SIMD names.");
    module.def(
        "multiply_add_peak", [](const std::string& precision) { return multiply_add_peak(precision_of(precision)); },
        py::arg("precision"), py::call_guard<py::gil_scoped_release>(),
        "Flops per second of one core that does nothing but multiply-adds, in the SIMD profile in use.");
    module.def(
        "simd_profiles",
        [] {
            std::vector<std::string> names;
            for (const KernelProfile* profile : kernel_profiles())
                if (profile->supported()) names.emplace_back(profile->name);
            return names;
        },
        "SIMD profiles that this machine can run, fastest first.");
}

}  // namespace

void bind_optics(py::module_& module) {
    bind_noise_spec(module);
    bind_spec(module);
    bind_noise(module);
    bind_bases(module);
    bind_simulator(module);
}

}  // namespace photonlink::bind
