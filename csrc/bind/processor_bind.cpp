// The desk between a controller and a processor's driver in Python. The core holds no Python object and never takes the
// interpreter lock on a driver's behalf: a Python thread comes to the desk, and lets go of the lock while it waits.
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bind.hpp"
#include "photonlink/qsc/driver.hpp"

namespace py = pybind11;

namespace photonlink::bind {

namespace {

using qsc::DriverAnswer;
using qsc::DriverDesk;
using qsc::Order;

DriverAnswer::Failure failure_of(const std::string& name) {
    if (name == "program") return DriverAnswer::Failure::Program;
    if (name == "datapoint") return DriverAnswer::Failure::Datapoint;
    return DriverAnswer::Failure::Fatal;
}

void answer_events(DriverDesk& desk, u64 number, const Array<u8>& states, const Array<u32>& counts) {
    DriverAnswer answer;
    answer.events.states.assign(states.data(), states.data() + states.size());
    answer.events.counts = to_vector(counts, "counts");
    desk.answer(number, std::move(answer));
}

}  // namespace

void bind_processor(py::module_& module) {
    using Unlocked = py::call_guard<py::gil_scoped_release>;

    py::class_<Order>(module, "Order", "One thing that a driver is to do.")
        .def_readonly("number", &Order::number)
        .def_property_readonly("program",
                               [](const Order& o) { return std::const_pointer_cast<optics::ProgramSpec>(o.program); })
        .def_property_readonly("shots", [](const Order& o) { return o.options.shots; })
        .def_property_readonly("seed", [](const Order& o) { return o.options.seed; })
        .def_property_readonly("phases", [](const Order& o) { return to_array(o.phases); })
        .def_readonly("datapoint", &Order::datapoint)
        .def_readonly("events", &Order::events);

    py::class_<DriverDesk, std::shared_ptr<DriverDesk>>(module, "DriverDesk", "Where a driver finds its orders.")
        .def(py::init([](std::string name, bool simulated, bool exact, double timeout_s) {
                 return std::make_shared<DriverDesk>(qsc::DriverInfo{std::move(name), simulated, exact, timeout_s});
             }),
             py::arg("name"), py::arg("simulated"), py::arg("exact"), py::arg("timeout_s"))
        .def("take", &DriverDesk::take, Unlocked())
        .def(
            "loaded", [](DriverDesk& desk, u64 number) { desk.answer(number, {}); }, py::arg("number"))
        .def(
            "probabilities",
            [](DriverDesk& desk, u64 number, const Array<double>& values) {
                DriverAnswer answer;
                answer.probabilities = to_vector(values, "probabilities");
                desk.answer(number, std::move(answer));
            },
            py::arg("number"), py::arg("values"))
        .def("events", &answer_events, py::arg("number"), py::arg("states"), py::arg("counts"))
        .def(
            "failed",
            [](DriverDesk& desk, u64 number, const std::string& kind, std::string error) {
                DriverAnswer answer;
                answer.failure = failure_of(kind);
                answer.error = std::move(error);
                desk.answer(number, std::move(answer));
            },
            py::arg("number"), py::arg("kind"), py::arg("error"))
        .def("wait_while_wanted", &DriverDesk::wait_while_wanted, py::arg("number"), py::arg("seconds"), Unlocked())
        .def("close", &DriverDesk::close, Unlocked());
}

}  // namespace photonlink::bind
