// Sessions across processes, over shared memory or UDP: the controller's side and the client's side.
#include "arrays.hpp"
#include "bind.hpp"
#include "closable.hpp"
#include "photonlink/qsc/client_config.hpp"
#include "photonlink/qsc/local_session.hpp"
#include "photonlink/transport/shm_service.hpp"
#include "photonlink/transport/shm_session.hpp"
#include "photonlink/transport/udp_gateway.hpp"
#include "photonlink/transport/udp_session.hpp"

namespace photonlink::bind {

namespace {

using qsc::LocalSession;
using transport::ShmService;
using transport::ShmSession;
using transport::UdpGateway;
using transport::UdpSession;

using Service = Closable<ShmService>;
using Gateway = Closable<UdpGateway>;

constexpr const char* kService = "service";

std::shared_ptr<Service> make_service(const std::shared_ptr<LocalSession>& session, const std::string& address,
                                      std::optional<u32> slots) {
    const py::gil_scoped_release unlocked;
    const link::Geometry geometry = session->remote_geometry(slots.value_or(session->client().slots()));
    auto service = std::make_unique<ShmService>(session->controller(), session->grant(), address, geometry);
    return closable(std::move(service), kService);
}

/// For a session that has no client in this process: ids of the first client start at 0.
std::shared_ptr<Service> serve_grant(const std::shared_ptr<qsc::Controller>& controller, const qsc::SessionGrant& grant,
                                     const qsc::SessionOptions& options, const std::shared_ptr<Encoding>& encoding,
                                     const std::string& address, u32 slots) {
    const py::gil_scoped_release unlocked;
    const link::Geometry geometry = qsc::remote_geometry(qsc::client_config(grant, options, encoding->view()), slots);
    auto service = std::make_unique<ShmService>(controller, grant, address, geometry, 0);
    return closable(std::move(service), kService);
}

std::shared_ptr<Gateway> make_gateway(const std::shared_ptr<qsc::Controller>& controller, const std::string& host,
                                      u16 port, bool tags) {
    const py::gil_scoped_release unlocked;
    transport::UdpOptions options;
    options.host = host;
    options.port = port;
    options.tags = tags;
    return closable(std::make_unique<UdpGateway>(controller, options), "gateway");
}

/// Returns what whoever may send datagrams must know: the session's key as 8 bytes, or with tags its secret as 16.
py::bytes open_gateway(const Gateway& gateway, const qsc::SessionGrant& grant, const qsc::SessionOptions& options,
                       const std::shared_ptr<Encoding>& encoding, u32 slots) {
    std::optional<wire::TagKey> tag_key;
    {
        const py::gil_scoped_release unlocked;
        const link::Geometry geometry =
            qsc::remote_geometry(qsc::client_config(grant, options, encoding->view()), slots);
        tag_key = gateway.open().open(grant, geometry);
    }
    if (tag_key) return {reinterpret_cast<const char*>(&*tag_key), sizeof *tag_key};
    return {reinterpret_cast<const char*>(&grant.key), sizeof grant.key};
}

/// Reads what open_gateway() returned.
void set_secret(const std::string& secret, transport::UdpSessionConfig& config) {
    if (secret.size() == sizeof config.key) {
        platform::copy_bytes(&config.key, secret.data(), sizeof config.key);
    } else if (secret.size() == sizeof(wire::TagKey)) {
        platform::copy_bytes(&config.tag_key.emplace(), secret.data(), sizeof(wire::TagKey));
    } else {
        throw std::invalid_argument("the secret of a session has " + std::to_string(secret.size()) +
                                    " bytes, expected 8, or 16 where frames carry tags");
    }
}

std::shared_ptr<UdpSession> make_udp_session(const std::string& host, u16 port, const py::bytes& secret,
                                             std::shared_ptr<Encoding> encoding, u32 slots, u64 output_size,
                                             u64 max_counts, const std::string& precision, double connect_timeout,
                                             double stall_limit) {
    transport::UdpSessionConfig config;
    set_secret(secret, config);
    const py::gil_scoped_release unlocked;
    static_cast<qsc::SessionTerms&>(config) = {output_size, max_counts, precision_of(precision)};
    config.host = host;
    config.port = port;
    config.slots = slots;
    config.connect_timeout_s = connect_timeout;
    config.stall_limit_s = stall_limit;
    return {new UdpSession(std::move(encoding), config), WithoutGil{}};
}

std::shared_ptr<ShmSession> make_session(const std::string& address, std::shared_ptr<Encoding> encoding,
                                         u64 output_size, u64 max_counts, const std::string& precision,
                                         double connect_timeout, double stall_limit) {
    const py::gil_scoped_release unlocked;
    const transport::ShmSessionConfig config{
        {output_size, max_counts, precision_of(precision)}, connect_timeout, stall_limit};
    return {new ShmSession(address, std::move(encoding), config), WithoutGil{}};
}

/// What a session's client can do, whichever way it reaches its controller.
template <class Session>
void define_calls(py::class_<Session, std::shared_ptr<Session>>& session) {
    using Unlocked = py::call_guard<py::gil_scoped_release>;
    session.def("infer", &infer<Session>, py::arg("x"), py::arg("out"), py::arg("limits"))
        .def("report", &report<Session>, py::arg("x"), py::arg("out"), py::arg("limits"))
        .def("echo", &echo<Session>, py::arg("rounds"), py::arg("limits"))
        .def(
            "stop", [](Session& s) { s.client().stop(); }, Unlocked())
        .def(
            "slots_in_use", [](Session& s) { return s.client().slots_in_use(); }, Unlocked())
        .def_property_readonly("slots", [](Session& s) { return s.client().slots(); });
}

}  // namespace

void bind_transport(py::module_& module) {
    using Unlocked = py::call_guard<py::gil_scoped_release>;

    py::class_<Service, std::shared_ptr<Service>> service(module, "ShmService",
                                                          "Offers a session to other processes of this machine.");
    service.def(py::init(&make_service), py::arg("session"), py::arg("address"), py::arg("slots") = py::none())
        .def_static("of_grant", &serve_grant, py::arg("controller"), py::arg("grant"), py::arg("options"),
                    py::arg("encoding"), py::arg("address"), py::arg("slots"));
    define_closable(service);

    py::class_<Gateway, std::shared_ptr<Gateway>> gateway(module, "UdpGateway",
                                                          "Offers a controller's session to clients over UDP.");
    gateway
        .def(py::init(&make_gateway), py::arg("controller"), py::arg("host"), py::arg("port"), py::arg("tags") = false)
        .def_property_readonly("host", [](const Gateway& g) { return g.open().host(); })
        .def_property_readonly("port", [](const Gateway& g) { return g.open().port(); })
        .def_property_readonly(
            "slot_bytes", [](const Gateway& g) { return g.open().slot_bytes(); },
            "Of the session that was opened last.")
        .def("open", &open_gateway, py::arg("grant"), py::arg("options"), py::arg("encoding"), py::arg("slots"),
             "Serves this session from now on; returns what clients must know: 8 bytes, or 16 where frames carry tags.")
        .def_property_readonly("counts", &counts_of<UdpGateway>, "Datagrams received, dropped, refused and repeated.");
    define_closable(gateway);

    py::class_<ShmSession, std::shared_ptr<ShmSession>> over_shm(module, "ShmSession",
                                                                 "Client of a session in another process.");
    over_shm.def(py::init(&make_session), py::arg("address"), py::arg("encoding"), py::kw_only(),
                 py::arg("output_size"), py::arg("max_counts"), py::arg("precision"), py::arg("connect_timeout") = 5.0,
                 py::arg("stall_limit") = 10.0);
    define_calls(over_shm);
    over_shm.def(
        "open_device_port", [](const ShmSession& session, u32) { return session.open_device_port(); }, Unlocked(),
        py::arg("slots") = 0, "The controller decides how many slots it has.");

    py::class_<UdpSession, std::shared_ptr<UdpSession>> over_udp(module, "UdpSession",
                                                                 "Client of a session behind a UDP gateway.");
    over_udp.def(py::init(&make_udp_session), py::arg("host"), py::arg("port"), py::arg("secret"), py::arg("encoding"),
                 py::kw_only(), py::arg("slots"), py::arg("output_size"), py::arg("max_counts"), py::arg("precision"),
                 py::arg("connect_timeout") = 5.0, py::arg("stall_limit") = 10.0);
    define_calls(over_udp);
    over_udp.def("open_device_port", &UdpSession::open_device_port, Unlocked(), py::arg("slots"));
}

}  // namespace photonlink::bind
