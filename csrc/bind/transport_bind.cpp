// Sessions across processes of one machine: the controller's side and the client's side.
#include "bind.hpp"
#include "photonlink/qsc/client_config.hpp"
#include "photonlink/qsc/local_session.hpp"
#include "photonlink/transport/shm_service.hpp"
#include "photonlink/transport/shm_session.hpp"
#include "session_calls.hpp"

namespace photonlink::bind {

namespace {

using qsc::LocalSession;
using transport::ShmService;
using transport::ShmSession;

/// A service that can be closed before Python lets go of it.
struct Service {
    std::unique_ptr<ShmService> service;
};

std::shared_ptr<Service> make_service(const std::shared_ptr<LocalSession>& session, const std::string& address,
                                      std::optional<u32> slots) {
    const py::gil_scoped_release unlocked;
    const link::Geometry geometry = session->remote_geometry(slots.value_or(session->client().slots()));
    auto service = std::make_unique<ShmService>(session->controller(), session->grant(), address, geometry);
    return {new Service{std::move(service)}, WithoutGil{}};
}

/// For a session that has no client in this process: ids of the first client start at 0.
std::shared_ptr<Service> serve_grant(const std::shared_ptr<qsc::Controller>& controller, const qsc::SessionGrant& grant,
                                     const qsc::SessionOptions& options, const std::shared_ptr<Encoding>& encoding,
                                     const std::string& address, u32 slots) {
    const py::gil_scoped_release unlocked;
    const link::Geometry geometry = qsc::remote_geometry(qsc::client_config(grant, options, encoding->view()), slots);
    auto service = std::make_unique<ShmService>(controller, grant, address, geometry, 0);
    return {new Service{std::move(service)}, WithoutGil{}};
}

std::shared_ptr<ShmSession> make_session(const std::string& address, std::shared_ptr<Encoding> encoding,
                                         u64 output_size, u64 max_counts, const std::string& precision,
                                         double connect_timeout, double stall_limit) {
    const py::gil_scoped_release unlocked;
    const auto type = precision == "float32" ? optics::Precision::Float32 : optics::Precision::Float64;
    const transport::ShmSessionConfig config{output_size, max_counts, type, connect_timeout, stall_limit};
    return {new ShmSession(address, std::move(encoding), config), WithoutGil{}};
}

}  // namespace

void bind_transport(py::module_& module) {
    using Unlocked = py::call_guard<py::gil_scoped_release>;

    py::class_<Service, std::shared_ptr<Service>>(module, "ShmService",
                                                  "Offers a session to other processes of this machine.")
        .def(py::init(&make_service), py::arg("session"), py::arg("address"), py::arg("slots") = py::none())
        .def_static("of_grant", &serve_grant, py::arg("controller"), py::arg("grant"), py::arg("options"),
                    py::arg("encoding"), py::arg("address"), py::arg("slots"))
        .def_property_readonly("accepted", [](const Service& s) { return s.service ? s.service->accepted() : 0; })
        .def(
            "close", [](Service& s) { s.service.reset(); }, Unlocked());

    py::class_<ShmSession, std::shared_ptr<ShmSession>>(module, "ShmSession", "Client of a session in another process.")
        .def(py::init(&make_session), py::arg("address"), py::arg("encoding"), py::kw_only(), py::arg("output_size"),
             py::arg("max_counts"), py::arg("precision"), py::arg("connect_timeout") = 5.0,
             py::arg("stall_limit") = 2.0)
        .def("infer", &infer<ShmSession>, py::arg("x"), py::arg("out"), py::arg("limits"))
        .def("report", &report<ShmSession>, py::arg("x"), py::arg("out"), py::arg("limits"))
        .def("echo", &echo<ShmSession>, py::arg("rounds"), py::arg("limits"))
        .def("open_device_port", &ShmSession::open_device_port, Unlocked())
        .def(
            "stop", [](ShmSession& session) { session.client().stop(); }, Unlocked())
        .def(
            "slots_in_use", [](ShmSession& session) { return session.client().slots_in_use(); }, Unlocked())
        .def_property_readonly("slots", [](ShmSession& session) { return session.client().slots(); });
}

}  // namespace photonlink::bind
