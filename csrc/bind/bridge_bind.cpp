// A controller's session behind a transport provider.
#include <pybind11/stl.h>

#include "bind.hpp"
#include "photonlink/encoding.hpp"
#include "photonlink/qsc/client.hpp"
#include "photonlink/qsc/client_config.hpp"
#include "photonlink/transport/bridge_gateway.hpp"
#include "session_calls.hpp"

namespace photonlink::bind {

namespace {

using transport::BridgeGateway;
using transport::BridgeState;

/// A gateway that can be closed before Python lets go of it.
struct Bridge {
    std::unique_ptr<BridgeGateway> gateway;

    BridgeGateway& open() const {
        if (!gateway) throw std::invalid_argument("the bridge gateway is closed");
        return *gateway;
    }
};

std::shared_ptr<Bridge> make_bridge(const std::shared_ptr<qsc::Controller>& controller, const std::string& library,
                                    const std::vector<std::string>& arguments, std::optional<u32> slots) {
    const py::gil_scoped_release unlocked;
    transport::BridgeOptions options;
    options.library = library;
    options.arguments = arguments;
    options.slots = slots;
    return {new Bridge{std::make_unique<BridgeGateway>(controller, options)}, WithoutGil{}};
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

py::dict counts_of(const Bridge& bridge) {
    const transport::BridgeCounts counts = bridge.gateway ? bridge.gateway->counts() : transport::BridgeCounts{};
    py::dict result;
    result["received"] = counts.received;
    result["dropped"] = counts.dropped;
    result["refused"] = counts.refused;
    result["repeated"] = counts.repeated;
    return result;
}

}  // namespace

void bind_bridge(py::module_& module) {
    using Unlocked = py::call_guard<py::gil_scoped_release>;

    py::class_<Bridge, std::shared_ptr<Bridge>>(
        module, "BridgeGateway", "Offers a controller's session through a transport provider of CUDA-Q realtime.")
        .def(py::init(&make_bridge), py::arg("controller"), py::arg("library"), py::arg("arguments"),
             py::arg("slots") = py::none())
        .def_property_readonly("endpoint", [](const Bridge& b) { return b.open().endpoint(); })
        .def_property_readonly("version", [](const Bridge& b) { return b.open().version(); })
        .def_property_readonly("slots", [](const Bridge& b) { return b.open().slots(); })
        .def_property_readonly("slot_bytes", [](const Bridge& b) { return b.open().slot_bytes(); })
        .def_property_readonly("state",
                               [](const Bridge& b) { return b.gateway ? name_of(b.gateway->state()) : "ended"; })
        .def_property_readonly("problem", [](const Bridge& b) { return b.gateway ? b.gateway->problem() : ""; })
        .def("open", &open_bridge, py::arg("grant"), py::arg("options"), py::arg("encoding"),
             "Serves this session from now on; returns the 8 bytes that requests must begin with.")
        .def_property_readonly("accepted", [](const Bridge& b) { return b.gateway ? b.gateway->accepted() : 0; })
        .def_property_readonly("counts", &counts_of, "Frames received, dropped, refused and repeated.")
        .def(
            "close", [](Bridge& b) { b.gateway.reset(); }, Unlocked());
}

}  // namespace photonlink::bind
