#include "arrays.hpp"
#include "bind.hpp"
#include "photonlink/optics/amplitudes.hpp"

namespace py = pybind11;

namespace photonlink::bind {
namespace {

using namespace photonlink::optics;

/// A simulator with what its interface does not tell.
struct BoundAmplitudes {
    std::unique_ptr<AmplitudeSimulator> simulator;
    std::size_t phases;
    Precision precision;

    py::array run(const Array<double>& rows_of_phases) const {
        const std::size_t rows = check_rows(rows_of_phases, phases, "phases");
        const py::dtype type = precision == Precision::Float32 ? py::dtype::of<std::complex<float>>()
                                                               : py::dtype::of<std::complex<double>>();
        py::array amplitudes(type, {rows, simulator->basis_size()});
        void* const out = amplitudes.mutable_data();
        const py::gil_scoped_release release;
        simulator->run(rows, rows_of_phases.data(), out);
        return amplitudes;
    }
};

}  // namespace

void bind_amplitudes(py::module_& module) {
    py::class_<BoundAmplitudes>(module, "AmplitudeSimulator")
        .def(py::init([](const ProgramSpec& spec, const std::string& name, std::size_t memory_limit, u32 threads) {
                 const Precision precision = precision_of(name);
                 const py::gil_scoped_release release;
                 return BoundAmplitudes{AmplitudeSimulator::create(spec, precision, memory_limit, threads),
                                        spec.phases.size(), precision};
             }),
             py::arg("spec"), py::arg("precision"), py::arg("memory_limit"), py::arg("threads") = 0)
        .def_property_readonly("basis_size", [](const BoundAmplitudes& a) { return a.simulator->basis_size(); })
        .def_property_readonly("memory_bytes", [](const BoundAmplitudes& a) { return a.simulator->memory_bytes(); })
        .def_property_readonly("threads", [](const BoundAmplitudes& a) { return a.simulator->threads(); })
        .def_property_readonly("lanes", [](const BoundAmplitudes& a) { return a.simulator->lanes(); })
        .def("run", &BoundAmplitudes::run, py::arg("phases"),
             "Complex amplitudes (rows, basis_size) of phases (rows, phases) in radians.");
    module.def(
        "predict_amplitude_bytes",
        [](const ProgramSpec& spec, const std::string& precision) {
            return predict_amplitude_bytes(spec, precision_of(precision));
        },
        py::arg("spec"), py::arg("precision"), "Least memory of an amplitude simulator, in bytes, without results.");
}

}  // namespace photonlink::bind
