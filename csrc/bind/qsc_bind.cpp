// Controller and session. Every call that may wait releases the interpreter lock first, and so do destructors that
// join threads: those threads may be about to take it.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <atomic>

#include "bind.hpp"
#include "photonlink/qsc/local_session.hpp"

namespace py = pybind11;

namespace photonlink::bind {

namespace {

using qsc::CallResult;
using qsc::CallStatus;
using qsc::Controller;
using qsc::LocalSession;

struct CancelFlag {
    std::atomic<bool> set{false};
};

/// Deleter for objects whose destructor waits for threads.
struct WithoutGil {
    template <class T>
    void operator()(T* object) const {
        const py::gil_scoped_release unlocked;
        delete object;
    }
};

/// Keeps a Python object alive from threads that do not hold the interpreter lock.
std::shared_ptr<void> hold(const py::object& object) {
    return {object.inc_ref().ptr(), [](void* held) {
                const py::gil_scoped_acquire locked;
                Py_DECREF(static_cast<PyObject*>(held));
            }};
}

bool signal_pending(void*) {
    const py::gil_scoped_acquire locked;
    return PyErr_CheckSignals() != 0;
}

u64 deadline_after(std::optional<double> seconds) {
    if (!seconds) return qsc::kNever;
    return platform::clock_ns() + static_cast<u64>(std::min(std::max(*seconds, 0.0), 9e9) * 1e9);
}

struct CallLimits {
    std::optional<double> timeout_s;      // of the whole call
    std::optional<double> row_timeout_s;  // from one result to the next
    u32 in_flight = 0;
    std::shared_ptr<CancelFlag> cancel;

    qsc::CallOptions options() const {
        qsc::CallOptions made;
        made.deadline_ns = deadline_after(timeout_s);
        if (row_timeout_s) made.row_timeout_ns = static_cast<u64>(std::min(std::max(*row_timeout_s, 0.0), 9e9) * 1e9);
        made.in_flight = in_flight;
        made.cancelled = cancel ? &cancel->set : nullptr;
        made.interrupted = signal_pending;
        return made;
    }
};

qsc::Features features_of(const py::array& x) {
    const auto type = x.itemsize() == 8 ? optics::Precision::Float64 : optics::Precision::Float32;
    return {x.data(), type, static_cast<u64>(x.shape(0)), static_cast<i64>(x.strides(0))};
}

qsc::Output output_of(py::array& out) { return {out.mutable_data(), static_cast<i64>(out.strides(0)), hold(out)}; }

/// The result, unless a signal handler raised: then that exception goes on.
CallResult unless_interrupted(const CallResult& result) {
    if (result.status == CallStatus::Interrupted && PyErr_Occurred() != nullptr) throw py::error_already_set();
    return result;
}

CallResult infer(LocalSession& session, const py::array& x, py::array out, const CallLimits& limits) {
    const qsc::Features features = features_of(x);
    const qsc::Output output = output_of(out);
    CallResult result;
    {
        const py::gil_scoped_release unlocked;
        result = session.client().infer(features, output, limits.options());
    }
    return unless_interrupted(result);
}

template <class T>
py::array_t<T> as_array(const std::vector<T>& values) {
    return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

/// (result, kept_fraction, standard_errors, quantum_ns, changed_phases, row_begin, state_index, counts)
py::tuple report(LocalSession& session, const py::array& x, py::array out, const CallLimits& limits) {
    const qsc::Features features = features_of(x);
    const qsc::Output output = output_of(out);
    const auto rows = static_cast<py::ssize_t>(features.rows);
    py::array_t<double> kept(rows);
    py::array_t<double> errors({rows, static_cast<py::ssize_t>(session.grant().output_size)});
    py::array_t<i64> quantum_ns(rows);
    py::array_t<u32> changed(rows);
    qsc::Reports reports;
    reports.kept_fraction = kept.mutable_data();
    reports.standard_errors = errors.mutable_data();
    reports.quantum_ns = quantum_ns.mutable_data();
    reports.changed_phases = changed.mutable_data();
    CallResult result;
    {
        const py::gil_scoped_release unlocked;
        result = session.client().report(features, output, &reports, limits.options());
    }
    return py::make_tuple(unless_interrupted(result), kept, errors, quantum_ns, changed, as_array(reports.row_begin),
                          as_array(reports.state_index), as_array(reports.counts));
}

py::tuple echo(LocalSession& session, u64 rounds, const CallLimits& limits) {
    py::array_t<u64> latencies_ns(static_cast<py::ssize_t>(rounds));
    u64* out = latencies_ns.mutable_data();
    CallResult result;
    {
        const py::gil_scoped_release unlocked;
        result = session.client().echo(rounds, out, limits.options());
    }
    return py::make_tuple(unless_interrupted(result), latencies_ns);
}

std::shared_ptr<Controller> make_controller(std::size_t memory_limit, bool busy, std::optional<u64> mute_from,
                                            std::optional<u64> die_at, double drain_s) {
    qsc::ControllerOptions options;
    options.name = "sim";
    options.dispatcher.drain_s = drain_s;
    options.dispatcher.faults = qsc::Faults{busy, mute_from, die_at};
    return {new Controller(qsc::make_native_processor(memory_limit), options), WithoutGil{}};
}

std::shared_ptr<LocalSession> make_session(std::shared_ptr<Controller> controller,
                                           const std::shared_ptr<optics::ProgramSpec>& program,
                                           std::shared_ptr<Encoding> encoding, const qsc::SessionOptions& options,
                                           u32 slots) {
    const py::gil_scoped_release unlocked;
    return {new LocalSession(std::move(controller), program, std::move(encoding), options, slots), WithoutGil{}};
}

void bind_vocabulary(py::module_& module) {
    py::enum_<qsc::ClockMode>(module, "ClockMode")
        .value("virtual", qsc::ClockMode::Virtual)
        .value("realtime", qsc::ClockMode::Realtime)
        .value("none", qsc::ClockMode::None);

    py::enum_<CallStatus>(module, "CallStatus")
        .value("OK", CallStatus::Ok)
        .value("TIMEOUT", CallStatus::Timeout)
        .value("CLOSED", CallStatus::Closed)
        .value("PEER_LOST", CallStatus::PeerLost)
        .value("REFUSED", CallStatus::Refused)
        .value("PROTOCOL_ERROR", CallStatus::ProtocolError)
        .value("CANCELLED", CallStatus::Cancelled)
        .value("INTERRUPTED", CallStatus::Interrupted)
        .value("BAD_FEATURE", CallStatus::BadFeature)
        .value("BAD_PHASE", CallStatus::BadPhase);

    py::class_<CallResult>(module, "CallResult", "How one call ended.")
        .def_readonly("status", &CallResult::status)
        .def_readonly("row", &CallResult::row)
        .def_readonly("column", &CallResult::column)
        .def_readonly("wire_status", &CallResult::wire_status)
        .def_readonly("request_id", &CallResult::request_id)
        .def_readonly("close_reason", &CallResult::close_reason)
        .def_property_readonly("elapsed", [](const CallResult& r) { return static_cast<double>(r.elapsed_ns) * 1e-9; });

    py::class_<qsc::TimingModel>(module, "TimingModel", "Hardware figures of the clock; see photonlink.presets.")
        .def(py::init<>())
        .def_readwrite("name", &qsc::TimingModel::name)
        .def_readwrite("configuration_s", &qsc::TimingModel::configuration_s)
        .def_readwrite("phase_update_s", &qsc::TimingModel::phase_update_s)
        .def_readwrite("full_update_s", &qsc::TimingModel::full_update_s)
        .def_readwrite("quick_phase_limit", &qsc::TimingModel::quick_phase_limit)
        .def_readwrite("flat", &qsc::TimingModel::flat)
        .def_readwrite("kept_rate_hz", &qsc::TimingModel::kept_rate_hz)
        .def_readwrite("clock_hz", &qsc::TimingModel::clock_hz)
        .def_readwrite("transmittance", &qsc::TimingModel::transmittance)
        .def_readwrite("photons", &qsc::TimingModel::photons);

    py::class_<qsc::SessionOptions>(module, "SessionOptions")
        .def(py::init<>())
        .def_readwrite("shots", &qsc::SessionOptions::shots)
        .def_readwrite("seed", &qsc::SessionOptions::seed)
        .def_property(
            "precision",
            [](const qsc::SessionOptions& o) {
                return o.precision == optics::Precision::Float32 ? "float32" : "float64";
            },
            [](qsc::SessionOptions& o, const std::string& name) {
                o.precision = name == "float32" ? optics::Precision::Float32 : optics::Precision::Float64;
            })
        .def_readwrite("clock", &qsc::SessionOptions::clock)
        .def_readwrite("timing", &qsc::SessionOptions::timing)
        .def_readwrite("token_budget", &qsc::SessionOptions::token_budget)
        .def_readwrite("idle_timeout_s", &qsc::SessionOptions::idle_timeout_s)
        .def_readwrite("max_duration_s", &qsc::SessionOptions::max_duration_s);

    py::class_<qsc::Usage>(module, "Usage")
        .def_property_readonly("tokens", [](const qsc::Usage& u) { return u.counts.tokens; })
        .def_property_readonly("shots", [](const qsc::Usage& u) { return u.counts.shots; })
        .def_property_readonly("kept_samples", [](const qsc::Usage& u) { return u.counts.kept_samples; })
        .def_property_readonly("quantum_ns", [](const qsc::Usage& u) { return u.counts.quantum_ns; })
        .def_readonly("configuration_ns", &qsc::Usage::configuration_ns)
        .def_readonly("wall_ns", &qsc::Usage::wall_ns)
        .def_property_readonly("end", [](const qsc::Usage& u) { return qsc::to_string(u.end); });

    py::class_<qsc::Status>(module, "ControllerStatus")
        .def_property_readonly("state", [](const qsc::Status& s) { return qsc::to_string(s.state); })
        .def_property_readonly("processor", [](const qsc::Status& s) { return s.processor.name; })
        .def_property_readonly("simulated", [](const qsc::Status& s) { return s.processor.simulated; })
        .def_readonly("digest", &qsc::Status::digest)
        .def_readonly("cause", &qsc::Status::cause)
        .def_readonly("calibration_age_s", &qsc::Status::calibration_age_s);

    module.def(
        "end_reason", [](u64 reason) { return qsc::to_string(static_cast<qsc::EndReason>(reason)); },
        "Name of the reason that a port was closed with.");
}

}  // namespace

void bind_qsc(py::module_& module) {
    bind_vocabulary(module);
    using Unlocked = py::call_guard<py::gil_scoped_release>;

    py::class_<CancelFlag, std::shared_ptr<CancelFlag>>(module, "CancelFlag", "Ends calls from another thread.")
        .def(py::init<>())
        .def("set", [](CancelFlag& flag) { flag.set.store(true); })
        .def("is_set", [](const CancelFlag& flag) { return flag.set.load(); });

    py::class_<CallLimits>(module, "CallLimits", "Deadlines of calls, in seconds.")
        .def(py::init([](std::optional<double> timeout, std::optional<double> row_timeout, u32 in_flight,
                         std::shared_ptr<CancelFlag> cancel) {
                 return CallLimits{timeout, row_timeout, in_flight, std::move(cancel)};
             }),
             py::arg("timeout") = py::none(), py::arg("row_timeout") = py::none(), py::arg("in_flight") = 0,
             py::arg("cancel") = py::none());

    py::class_<Controller, std::shared_ptr<Controller>>(module, "Controller", "Controller of the native simulator.")
        .def(py::init(&make_controller), py::arg("memory_limit"), py::kw_only(), py::arg("busy") = false,
             py::arg("mute_from") = py::none(), py::arg("die_at") = py::none(), py::arg("drain_s") = 0.25)
        .def("status", &Controller::status, Unlocked())
        .def("calibrate", &Controller::calibrate, Unlocked())
        .def("shutdown", &Controller::shutdown, Unlocked());

    py::class_<LocalSession, std::shared_ptr<LocalSession>>(module, "LocalSession", "One session, in this process.")
        .def(py::init(&make_session), py::arg("controller"), py::arg("program"), py::arg("encoding"),
             py::arg("options"), py::arg("slots"))
        .def("infer", &infer, py::arg("x"), py::arg("out"), py::arg("limits"),
             "One datapoint per row of x (B, F) float32 or float64 into out (B, O) of the session's precision; rows "
             "contiguous.")
        .def("report", &report, py::arg("x"), py::arg("out"), py::arg("limits"))
        .def("echo", &echo, py::arg("rounds"), py::arg("limits"))
        .def("usage", &LocalSession::usage, Unlocked())
        .def("close", &LocalSession::close, Unlocked())
        .def(
            "stop", [](LocalSession& session) { session.client().stop(); }, Unlocked())
        .def(
            "slots_in_use", [](LocalSession& session) { return session.client().slots_in_use(); }, Unlocked())
        .def_property_readonly("slots", [](LocalSession& session) { return session.client().slots(); })
        .def_property_readonly("basis_size", [](const LocalSession& session) { return session.grant().basis_size; })
        .def_property_readonly("output_size", [](const LocalSession& session) { return session.grant().output_size; });
}

}  // namespace photonlink::bind
