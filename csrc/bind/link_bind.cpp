// What the benchmark of the link needs beside a session's echo: the floor under it.
#include <pybind11/numpy.h>

#include "bind.hpp"
#include "photonlink/link/bench.hpp"
#include "photonlink/transport/udp_bench.hpp"

namespace py = pybind11;

namespace photonlink::bind {

namespace {

py::array_t<u32> array_of(const std::vector<u32>& values) {
    return py::array_t<u32>(static_cast<py::ssize_t>(values.size()), values.data());
}

py::array_t<u32> bare_ping_pong(u64 rounds) {
    link::PingPongStats stats;
    {
        const py::gil_scoped_release unlocked;
        stats = link::bare_ping_pong(rounds);
    }
    return array_of(stats.round_trips_ns);
}

/// An echo that can be closed before Python lets go of it.
struct Echo {
    std::unique_ptr<transport::UdpEcho> echo;
};

py::tuple udp_ping_pong(const std::string& host, u16 port, const py::bytes& frame, u64 rounds) {
    const std::string request = frame;
    transport::UdpPingPong done;
    {
        const py::gil_scoped_release unlocked;
        done = transport::udp_ping_pong(host, port, {request.begin(), request.end()}, rounds);
    }
    return py::make_tuple(array_of(done.round_trips_ns),
                          py::bytes(reinterpret_cast<const char*>(done.answer.data()), done.answer.size()));
}

}  // namespace

void bind_link(py::module_& module) {
    module.def("bare_ping_pong", &bare_ping_pong, py::arg("rounds"),
               "Round trips of a bare cache-line ping-pong between two threads, uint32 (rounds,), nanoseconds.");
    module.def("udp_ping_pong", &udp_ping_pong, py::arg("host"), py::arg("port"), py::arg("request"), py::arg("rounds"),
               "Round trips of one frame, sent with a socket and nothing else, uint32 (rounds,), nanoseconds; and the "
               "last answer.");

    py::class_<Echo, std::shared_ptr<Echo>>(module, "UdpEcho", "A thread that sends datagrams back as they come.")
        .def(py::init([](u32 datagram_bytes) {
                 return std::make_shared<Echo>(Echo{std::make_unique<transport::UdpEcho>(datagram_bytes)});
             }),
             py::arg("datagram_bytes"))
        .def_property_readonly("port", [](const Echo& e) { return e.echo ? e.echo->port() : 0; })
        .def(
            "close", [](Echo& e) { e.echo.reset(); }, py::call_guard<py::gil_scoped_release>());
}

}  // namespace photonlink::bind
