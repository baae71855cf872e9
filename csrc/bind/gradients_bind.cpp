#include <pybind11/complex.h>
#include <pybind11/stl.h>

#include <utility>

#include "arrays.hpp"
#include "bind.hpp"
#include "photonlink/optics/gradient_circuit.hpp"
#include "photonlink/optics/gradients.hpp"

namespace py = pybind11;

namespace photonlink::bind {
namespace {

using namespace photonlink::optics;

void check_shape(const py::array& array, const std::vector<std::size_t>& shape, const char* what) {
    bool same = static_cast<std::size_t>(array.ndim()) == shape.size();
    std::string expected;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        same = same && static_cast<std::size_t>(array.shape(static_cast<py::ssize_t>(i))) == shape[i];
        expected += (i > 0 ? ", " : "") + std::to_string(shape[i]);
    }
    if (!same)
        throw ProgramError(std::string(what) + " have shape " + shape_of(array) + "; expected (" + expected + ")");
}

/// A differentiator with what its interface does not tell.
struct BoundDifferentiator {
    std::unique_ptr<Differentiator> differentiator;
    std::shared_ptr<const ProgramSpec> spec;
    Precision precision;

    std::vector<std::size_t> matrices_shape() const { return {spec->interferometers.size(), spec->modes, spec->modes}; }
    void set_interferometers(const Array<Complex>& matrices) const {
        check_shape(matrices, matrices_shape(), "interferometers");
        differentiator->set_interferometers(matrices.data());
    }
    py::array value(const Array<double>& phases) const;
    py::tuple pull_back(const Array<double>& phases, const py::array& cotangents, bool want_values,
                        bool want_interferometers) const;

  private:
    py::array empty_values(std::size_t rows) const {
        const py::dtype type = precision == Precision::Float32 ? py::dtype::of<float>() : py::dtype::of<double>();
        return py::array(type, {rows, differentiator->output_size()});
    }
    void run(const GradientBatch& batch) const {
        const py::gil_scoped_release release;
        differentiator->run(batch);
    }
};

py::array BoundDifferentiator::value(const Array<double>& phases) const {
    GradientBatch batch;
    batch.rows = check_rows(phases, spec->phases.size(), "phases");
    batch.phases = phases.data();
    py::array values = empty_values(batch.rows);
    batch.values = values.mutable_data();
    run(batch);
    return values;
}

py::tuple BoundDifferentiator::pull_back(const Array<double>& phases, const py::array& cotangents, bool want_values,
                                         bool want_interferometers) const {
    GradientBatch batch;
    batch.rows = check_rows(phases, spec->phases.size(), "phases");
    batch.phases = phases.data();
    check_shape(cotangents, {batch.rows, differentiator->output_size()}, "cotangents");
    const py::array typed =
        precision == Precision::Float32 ? py::array(Array<float>(cotangents)) : py::array(Array<double>(cotangents));
    batch.cotangents = typed.data();
    py::array_t<double> phase_gradients({batch.rows, spec->phases.size()});
    batch.phase_gradients = phase_gradients.mutable_data();
    py::object values = py::none(), matrix_gradients = py::none();
    if (want_values) {
        py::array made = empty_values(batch.rows);
        batch.values = made.mutable_data();
        values = std::move(made);
    }
    if (want_interferometers) {
        py::array_t<Complex> made(matrices_shape());
        batch.interferometer_gradients = made.mutable_data();
        matrix_gradients = std::move(made);
    }
    run(batch);
    return py::make_tuple(values, phase_gradients, matrix_gradients);
}

std::vector<AngleTerm> terms_of(const std::vector<std::pair<u32, double>>& pairs) {
    std::vector<AngleTerm> terms;
    for (const auto& [parameter, weight] : pairs) terms.push_back({parameter, weight});
    return terms;
}

const double* checked_values(const TrainableCircuit& circuit, const Array<double>& values) {
    check_shape(values, {circuit.parameters()}, "parameter values");
    return values.data();
}

void bind_circuit(py::module_& module) {
    py::class_<TrainableCircuit>(module, "TrainableCircuit")
        .def(py::init<u32, u32>(), py::arg("modes"), py::arg("parameters"))
        .def_property_readonly("modes", &TrainableCircuit::modes)
        .def_property_readonly("parameters", &TrainableCircuit::parameters)
        .def_property_readonly("interferometers", &TrainableCircuit::interferometers)
        .def(
            "append_fixed",
            [](TrainableCircuit& c, std::vector<u32> modes, const Array<Complex>& matrix) {
                c.append_fixed(std::move(modes), std::vector<Complex>(matrix.data(), matrix.data() + matrix.size()));
            },
            py::arg("modes"), py::arg("matrix"))
        .def(
            "append_phase",
            [](TrainableCircuit& c, u32 mode, double offset, const std::vector<std::pair<u32, double>>& terms) {
                c.append_phase(mode, offset, terms_of(terms));
            },
            py::arg("mode"), py::arg("offset"), py::arg("terms"))
        .def("append_interferometer", &TrainableCircuit::append_interferometer)
        .def(
            "compose",
            [](const TrainableCircuit& c, const Array<double>& values) {
                const double* const at = checked_values(c, values);
                py::array_t<Complex> out(std::vector<std::size_t>{c.interferometers(), c.modes(), c.modes()});
                c.compose(at, out.mutable_data());
                return out;
            },
            py::arg("values"), "Interferometers (interferometers, modes, modes) for values (parameters,) in radians.")
        .def(
            "pull_back",
            [](const TrainableCircuit& c, const Array<double>& values, const Array<Complex>& cotangents) {
                const double* const at = checked_values(c, values);
                check_shape(cotangents, {c.interferometers(), c.modes(), c.modes()}, "cotangents");
                py::array_t<double> out(static_cast<py::ssize_t>(c.parameters()));
                c.pull_back(at, cotangents.data(), out.mutable_data());
                return out;
            },
            py::arg("values"), py::arg("cotangents"), "Derivatives (parameters,) from those of the interferometers.");
}

}  // namespace

void bind_gradients(py::module_& module) {
    py::class_<BoundDifferentiator>(module, "Differentiator")
        .def(py::init(
                 [](std::shared_ptr<ProgramSpec> spec, const std::string& name, std::size_t memory_limit, u32 threads) {
                     const Precision precision = precision_of(name);
                     const py::gil_scoped_release release;
                     return BoundDifferentiator{Differentiator::create(spec, precision, {memory_limit, threads}), spec,
                                                precision};
                 }),
             py::arg("spec"), py::arg("precision"), py::arg("memory_limit"), py::arg("threads"))
        .def_property_readonly("output_size",
                               [](const BoundDifferentiator& d) { return d.differentiator->output_size(); })
        .def_property_readonly("memory_bytes",
                               [](const BoundDifferentiator& d) { return d.differentiator->memory_bytes(); })
        .def_property_readonly("kernel_profile",
                               [](const BoundDifferentiator& d) { return d.differentiator->kernel_profile(); })
        .def_property_readonly("lanes", [](const BoundDifferentiator& d) { return d.differentiator->lanes(); })
        .def_property_readonly("threads", [](const BoundDifferentiator& d) { return d.differentiator->threads(); })
        .def_property_readonly("levels", [](const BoundDifferentiator& d) { return d.differentiator->levels(); })
        .def_property_readonly("kept_levels",
                               [](const BoundDifferentiator& d) { return d.differentiator->kept_levels(); })
        .def("set_interferometers", &BoundDifferentiator::set_interferometers, py::arg("matrices"))
        .def("value", &BoundDifferentiator::value, py::arg("phases"), "Values (rows, output_size).")
        .def("pull_back", &BoundDifferentiator::pull_back, py::arg("phases"), py::arg("cotangents"),
             py::arg("want_values") = true, py::arg("want_interferometers") = true,
             "Values (rows, output_size), derivatives (rows, phases), and of the interferometers; None where not "
             "asked.");
    module.def(
        "predict_gradient_bytes",
        [](const ProgramSpec& spec, const std::string& precision, u32 threads) {
            return predict_gradient_bytes(spec, precision_of(precision), threads);
        },
        py::arg("spec"), py::arg("precision"), py::arg("threads") = 1, "Least memory of a differentiator, in bytes.");
    module.def("phase_degree", &phase_degree, py::arg("spec"),
               "Degree of the trigonometric polynomials that observables are in each phase.");
    bind_circuit(module);
}

}  // namespace photonlink::bind
