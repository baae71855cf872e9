// The simulated processor on the GPU for Python. No logic; see bind.cpp.
#include "../csrc/bind/program_arguments.hpp"
#include "bind.hpp"
#include "simulator.hpp"

namespace photonlink::cuda {
namespace {

using bind::Array;
using optics::Complex;

std::shared_ptr<Simulator> create(int device, u32 modes, std::vector<u32> input, const Array<Complex>& interferometers,
                                  const Array<u32>& phase_layers, const Array<u32>& phase_modes,
                                  const std::string& kind, const std::string& space, const std::string& grouping,
                                  u32 groups, bool interference, const std::string& precision, u64 encoding, u64 seed,
                                  u32 shots, u64 memory_limit) {
    SimulatorConfig config;
    config.device = device;
    config.program = *bind::make_spec(modes, std::move(input), interferometers, phase_layers, phase_modes, kind, space,
                                      grouping, groups, interference, "");
    config.precision = bind::precision_of(precision);
    config.encoding = pointer<const EncodingView>(encoding);
    config.seed = seed;
    config.shots = shots;
    config.memory_limit = memory_limit;
    const py::gil_scoped_release released;
    return for_python(std::make_shared<Simulator>(config));
}

u64 predict_bytes(u32 modes, std::vector<u32> input, const Array<Complex>& interferometers,
                  const Array<u32>& phase_layers, const Array<u32>& phase_modes, const std::string& kind,
                  const std::string& space, const std::string& grouping, u32 groups, bool interference,
                  const std::string& precision, u32 shots, u64 rows) {
    const auto spec = bind::make_spec(modes, std::move(input), interferometers, phase_layers, phase_modes, kind, space,
                                      grouping, groups, interference, "");
    return predict_simulator_bytes(*spec, bind::precision_of(precision), shots, rows);
}

void set_interferometers(Simulator& simulator, const Array<Complex>& matrices) {
    auto values = bind::to_interferometers(simulator.modes(), matrices);
    const py::gil_scoped_release released;
    simulator.set_interferometers(std::move(values));
}

}  // namespace

void bind_simulator(py::module_& module) {
    using namespace pybind11::literals;
    py::class_<Simulator, std::shared_ptr<Simulator>>(module, "Simulator", "A simulated processor on a GPU.")
        .def(py::init(&create), py::kw_only(), "device"_a, "modes"_a, "input"_a, "interferometers"_a, "phase_layers"_a,
             "phase_modes"_a, "kind"_a, "space"_a, "grouping"_a, "groups"_a, "interference"_a, "precision"_a,
             "encoding"_a, "seed"_a, "shots"_a, "memory_limit"_a)
        .def_static("predict_bytes", &predict_bytes, py::kw_only(), "modes"_a, "input"_a, "interferometers"_a,
                    "phase_layers"_a, "phase_modes"_a, "kind"_a, "space"_a, "grouping"_a, "groups"_a, "interference"_a,
                    "precision"_a, "shots"_a, "rows"_a, "Bytes of device memory for tiles of so many rows.")
        .def_property_readonly("device", &Simulator::device)
        .def_property_readonly("output_size", &Simulator::output_size)
        .def_property_readonly("basis_size", &Simulator::basis_size)
        .def_property_readonly("memory_bytes", &Simulator::memory_bytes)
        .def_property_readonly("tile_rows", &Simulator::tile_rows)
        .def_property_readonly("sampler", &Simulator::sampler)
        .def_property_readonly("observable_bytes", &Simulator::observable_bytes)
        .def(
            "infer",
            [](Simulator& simulator, u64 features, u32 feature_bytes, i64 feature_stride, u64 out, i64 out_stride,
               u64 statuses, u64 kept_fractions, u64 rows, u64 stream, u64 shot_states) {
                simulator.infer({{pointer<const void>(features), feature_bytes, feature_stride, pointer<void>(out),
                                  out_stride, pointer<u32>(statuses), rows},
                                 pointer<double>(kept_fractions),
                                 pointer<u32>(shot_states)},
                                stream_of(stream));
            },
            "features"_a, "feature_bytes"_a, "feature_stride"_a, "out"_a, "out_stride"_a, "statuses"_a,
            "kept_fractions"_a, "rows"_a, "stream"_a, "shot_states"_a = 0, ReleaseGil(),
            "Any number of rows; strides in elements, 0 for no statuses (u32), kept fractions (float64) or basis "
            "states "
            "of shots (u32, rows x shots without gaps).")
        .def(
            "vjp",
            [](Simulator& simulator, u64 features, u32 feature_bytes, i64 feature_stride, u64 cotangents, u64 values,
               u64 phase_gradients, u64 interferometer_gradients, u64 rows, u64 stream) {
                simulator.vjp({{pointer<const void>(features), feature_bytes, feature_stride},
                               rows,
                               pointer<const void>(cotangents),
                               pointer<void>(values),
                               pointer<double>(phase_gradients),
                               pointer<optics::gpu::Complex64>(interferometer_gradients)},
                              stream_of(stream));
            },
            "features"_a, "feature_bytes"_a, "feature_stride"_a, "cotangents"_a, "values"_a, "phase_gradients"_a,
            "interferometer_gradients"_a, "rows"_a, "stream"_a, ReleaseGil(),
            "Vector-Jacobian products: from cotangents (rows x outputs, of the precision) to derivatives with respect "
            "to "
            "phases (rows x phases, float64) and, summed over rows, to interferometers (layers + 1, modes, modes, "
            "complex128: dL = Re(sum of conj(G) dU)). Without gaps; 0 for what is not asked for, values included.")
        .def("set_interferometers", &set_interferometers, "matrices"_a,
             "Waits for calls in flight; later calls and replays use them.")
        .def("executed", &Simulator::executed, ReleaseGil(), "Datapoints so far, those of replayed graphs included.")
        .def("take_failure", &Simulator::take_failure, ReleaseGil())
        .def(
            "synchronize",
            [](Simulator& simulator, u64 stream, double timeout) {
                return simulator.synchronize(stream_of(stream), timeout);
            },
            "stream"_a, "timeout"_a, ReleaseGil())
        .def("close", &Simulator::close, "timeout"_a, ReleaseGil());
}

}  // namespace photonlink::cuda
