// A controller's session behind a transport provider.
#include <pybind11/stl.h>

#include "bind.hpp"
#include "closable.hpp"
#include "photonlink/encoding.hpp"
#include "photonlink/qsc/client.hpp"
#include "photonlink/qsc/client_config.hpp"
#include "photonlink/transport/bridge_gateway.hpp"

namespace photonlink::bind {

namespace {

using transport::BridgeGateway;
using transport::BridgeState;

using Bridge = Closable<BridgeGateway>;

std::shared_ptr<Bridge> make_bridge(const std::shared_ptr<qsc::Controller>& controller, const std::string& library,
                                    const std::vector<std::string>& arguments, std::optional<u32> slots) {
    const py::gil_scoped_release unlocked;
    transport::BridgeOptions options;
    options.library = library;
    options.arguments = arguments;
    options.slots = slots;
    return closable(std::make_unique<BridgeGateway>(controller, options), "bridge gateway");
}

/// Returns the session's key, which whoever sends requests must know, as 8 bytes.
py::bytes open_bridge(const Bridge& bridge, const qsc::SessionGrant& grant, const qsc::SessionOptions& options,
                      const std::shared_ptr<Encoding>& encoding) {
    {
        const py::gil_scoped_release unlocked;
        BridgeGateway& gateway = bridge.open();
        const qsc::ClientConfig config = qsc::client_config(grant, options, encoding->view());
        gateway.open(grant, qsc::remote_geometry(config, gateway.slots()),
                     wire::kHeaderBytes + qsc::largest_request(config));
    }
    return {reinterpret_cast<const char*>(&grant.key), sizeof grant.key};
}

const char* name_of(BridgeState state) {
    switch (state) {
        case BridgeState::Starting:
            return "starting";
        case BridgeState::Connecting:
            return "connecting";
        case BridgeState::Serving:
            return "serving";
        case BridgeState::Failed:
            return "failed";
        case BridgeState::Ended:
            break;
    }
    return "ended";
}

}  // namespace

void bind_bridge(py::module_& module) {
    py::class_<Bridge, std::shared_ptr<Bridge>> type(
        module, "BridgeGateway", "Offers a controller's session through a transport provider of CUDA-Q realtime.");
    type.def(py::init(&make_bridge), py::arg("controller"), py::arg("library"), py::arg("arguments"),
             py::arg("slots") = py::none())
        .def_property_readonly("endpoint", [](const Bridge& b) { return b.open().endpoint(); })
        .def_property_readonly("version", [](const Bridge& b) { return b.open().version(); })
        .def_property_readonly("slots", [](const Bridge& b) { return b.open().slots(); })
        .def_property_readonly("slot_bytes", [](const Bridge& b) { return b.open().slot_bytes(); })
        .def_property_readonly("state", [](const Bridge& b) { return b.object ? name_of(b.object->state()) : "ended"; })
        .def_property_readonly("problem", [](const Bridge& b) { return b.object ? b.object->problem() : ""; })
        .def("open", &open_bridge, py::arg("grant"), py::arg("options"), py::arg("encoding"),
             "Serves this session from now on; returns the 8 bytes that requests must begin with.")
        .def_property_readonly("counts", &counts_of<BridgeGateway>, "Frames received, dropped, refused and repeated.");
    define_closable(type);
}

}  // namespace photonlink::bind
