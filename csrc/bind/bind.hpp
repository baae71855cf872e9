// One registration function per bound header; module.cpp calls them in layer order.
#pragma once

#include <pybind11/pybind11.h>

namespace photonlink::bind {

void bind_errors(pybind11::module_& module);
void bind_encoding(pybind11::module_& module);
void bind_dlpack(pybind11::module_& module);
void bind_noise_spec(pybind11::module_& module);
void bind_noise(pybind11::module_& module);
void bind_optics(pybind11::module_& module);
void bind_amplitudes(pybind11::module_& module);
void bind_gradients(pybind11::module_& module);
void bind_link(pybind11::module_& module);
void bind_processor(pybind11::module_& module);
void bind_qsc(pybind11::module_& module);
void bind_device_port(pybind11::module_& module);
void bind_transport(pybind11::module_& module);
void bind_bridge(pybind11::module_& module);
void bind_device_call(pybind11::module_& module);

}  // namespace photonlink::bind
