#include "bind.hpp"

PYBIND11_MODULE(_core, module) {
    module.doc() = "Native core of photonlink: link, optics and controller. Private: use the photonlink package.";
    photonlink::bind::bind_errors(module);
    photonlink::bind::bind_encoding(module);
    photonlink::bind::bind_dlpack(module);
    photonlink::bind::bind_optics(module);
    photonlink::bind::bind_amplitudes(module);
    photonlink::bind::bind_gradients(module);
    photonlink::bind::bind_link(module);
    photonlink::bind::bind_device_port(module);
    photonlink::bind::bind_processor(module);
    photonlink::bind::bind_qsc(module);
    photonlink::bind::bind_transport(module);
    photonlink::bind::bind_bridge(module);
    photonlink::bind::bind_device_call(module);
}
