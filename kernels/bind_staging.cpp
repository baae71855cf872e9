#include <pybind11/numpy.h>

#include "bind.hpp"
#include "staging.hpp"

namespace photonlink::cuda {

void bind_staging(py::module_& module) {
    using namespace pybind11::literals;
    py::class_<Staging, std::shared_ptr<Staging>>(
        module, "Staging", "Host arrays on their way: pinned memory, as much on the device, and a stream.")
        .def(py::init([](int device, u64 nbytes) {
                 const py::gil_scoped_release released;
                 return for_python(std::make_shared<Staging>(device, nbytes));
             }),
             py::kw_only(), "device"_a, "nbytes"_a)
        .def_property_readonly("nbytes", &Staging::bytes)
        .def_property_readonly(
            "host",
            [](const py::object& self) {
                const auto& staging = self.cast<const Staging&>();
                return py::array_t<u8>({static_cast<py::ssize_t>(staging.bytes())}, {1}, staging.host(), self);
            },
            "The pinned memory, (nbytes,) uint8; keeps the object alive.")
        .def_property_readonly("address", [](const Staging& s) { return reinterpret_cast<u64>(s.device()); })
        .def_property_readonly("stream", [](const Staging& s) { return reinterpret_cast<u64>(s.stream()); })
        .def("upload", &Staging::upload, "first"_a, "count"_a, ReleaseGil(), "Copies bytes to the device, on stream.")
        .def("download", &Staging::download, "first"_a, "count"_a, ReleaseGil(), "And back.");
}

}  // namespace photonlink::cuda
