// Ports that a device maps. Addresses leave as integers: the CUDA part is a module of its own and shares no C++ type.
#include <pybind11/stl.h>

#include "bind.hpp"
#include "photonlink/qsc/device_port.hpp"

namespace py = pybind11;

namespace photonlink::bind {

namespace {

using qsc::DevicePort;

u64 address(const void* memory) { return reinterpret_cast<u64>(memory); }

}  // namespace

void bind_device_port(py::module_& module) {
    py::class_<DevicePort, std::shared_ptr<DevicePort>>(module, "DevicePort", "A session's port for calls from a GPU.")
        .def_property_readonly("slots", [](const DevicePort& p) { return p.geometry().slots; })
        .def_property_readonly("slot_bytes", [](const DevicePort& p) { return p.geometry().slot_bytes; })
        .def_property_readonly("result_bytes", [](const DevicePort& p) { return p.geometry().result_bytes; })
        .def_property_readonly("requests", [](const DevicePort& p) { return address(p.requests()); })
        .def_property_readonly("responses", [](const DevicePort& p) { return address(p.responses()); })
        .def_property_readonly("responses_writable", &DevicePort::responses_writable)
        .def_property_readonly("key", [](const DevicePort& p) { return p.config().key; })
        .def_property_readonly("output_size", [](const DevicePort& p) { return p.config().output_size; })
        .def_property_readonly(
            "observable_bytes",
            [](const DevicePort& p) { return p.config().precision == optics::Precision::Float32 ? 4 : 8; })
        .def_property_readonly(
            "encoding", [](const DevicePort& p) { return address(&p.config().encoding); },
            "Address of the EncodingView, valid while this object lives.")
        .def("close", &DevicePort::close)
        .def_property_readonly("close_reason", &DevicePort::close_reason);
}

}  // namespace photonlink::bind
