// Sessions as devices of device_call. The runtime library is found and loaded by Python, so that processes without
// CUDA-Q never see its symbols: its functions come as addresses.
#include "bind.hpp"
#include "photonlink/device_call/session_link.hpp"
#include "photonlink/qsc/local_session.hpp"
#include "photonlink/transport/shm_session.hpp"
#include "photonlink/transport/udp_session.hpp"
#include "session_calls.hpp"

namespace photonlink::bind {

namespace {

using device_call::SessionLink;
using OpenDevice = decltype(&photonlink_device_open);

/// Opens `device` with a link to `session`, which lives as long as the device is open.
template <class Session>
i32 open_device(u64 open_function, u32 device, const std::shared_ptr<Session>& session,
                const optics::ProgramSpec& program, u32 shots, double timeout_s) {
    auto link =
        std::make_shared<SessionLink>(session->client(), session, program, shots, static_cast<u64>(timeout_s * 1e9));
    const photonlink_device_link table = SessionLink::table(std::move(link));
    const i32 status = reinterpret_cast<OpenDevice>(open_function)(device, &table);
    if (status != PHOTONLINK_DEVICE_OK) table.drop(table.context);
    return status;
}

template <class Session>
void bind_open(py::module_& module) {
    module.def("open_device", &open_device<Session>, py::arg("open_function"), py::arg("device"), py::arg("session"),
               py::arg("program"), py::arg("shots"), py::arg("timeout"),
               "Opens a device of libphotonlink_device_call with a link to the session; a photonlink_device_status.");
}

}  // namespace

void bind_device_call(py::module_& module) {
    module.attr("DEVICE_CALL_ABI") = PHOTONLINK_DEVICE_CALL_ABI;
    bind_open<qsc::LocalSession>(module);
    bind_open<transport::ShmSession>(module);
    bind_open<transport::UdpSession>(module);
}

}  // namespace photonlink::bind
