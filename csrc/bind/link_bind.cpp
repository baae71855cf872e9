// What the benchmark of the link needs beside a session's echo: the floor under it.
#include <pybind11/numpy.h>

#include "bind.hpp"
#include "photonlink/link/bench.hpp"

namespace py = pybind11;

namespace photonlink::bind {

namespace {

py::array_t<u32> bare_ping_pong(u64 rounds) {
    link::PingPongStats stats;
    {
        const py::gil_scoped_release unlocked;
        stats = link::bare_ping_pong(rounds);
    }
    return py::array_t<u32>(static_cast<py::ssize_t>(stats.round_trips_ns.size()), stats.round_trips_ns.data());
}

}  // namespace

void bind_link(py::module_& module) {
    module.def("bare_ping_pong", &bare_ping_pong, py::arg("rounds"),
               "Round trips of a bare cache-line ping-pong between two threads, uint32 (rounds,), nanoseconds.");
}

}  // namespace photonlink::bind
