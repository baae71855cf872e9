// Controller and session. Every call that may wait releases the interpreter lock first, and so do destructors that
// join threads: those threads may be about to take it.
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bind.hpp"
#include "photonlink/qsc/driver.hpp"
#include "photonlink/qsc/ledger_file.hpp"
#include "photonlink/qsc/local_session.hpp"
#include "session_calls.hpp"

namespace py = pybind11;

namespace photonlink::bind {

namespace {

using qsc::CallResult;
using qsc::CallStatus;
using qsc::Controller;
using qsc::LocalSession;

std::shared_ptr<Controller> make_controller(std::size_t memory_limit, bool busy, std::optional<u64> mute_from,
                                            std::optional<u64> die_at, double drain_s, const std::string& name,
                                            std::optional<std::shared_ptr<qsc::FileLedger>> ledger, u64 first_session,
                                            std::optional<std::shared_ptr<qsc::DriverDesk>> driver,
                                            const std::optional<qsc::LatencyOptions>& latency, u64 stages) {
    qsc::ControllerOptions options;
    options.name = name;
    options.ledger = ledger.value_or(nullptr);
    options.first_session = first_session;
    options.dispatcher.drain_s = drain_s;
    options.dispatcher.faults = qsc::Faults{busy, mute_from, die_at};
    if (latency && latency->any()) options.dispatcher.latency = std::make_shared<qsc::LatencySetup>(*latency);
    if (stages != 0) options.dispatcher.stages = std::make_shared<qsc::StageLog>(stages);
    std::unique_ptr<qsc::Processor> processor = driver ? qsc::make_driver_processor(std::move(*driver), memory_limit)
                                                       : qsc::make_native_processor(memory_limit);
    return {new Controller(std::move(processor), options), WithoutGil{}};
}

std::vector<qsc::LatencyOutcome> latency_report(const Controller& controller) {
    return controller.latency() ? controller.latency()->report() : std::vector<qsc::LatencyOutcome>{};
}

std::tuple<u64, py::array_t<u64>> stages_of(const Controller& controller) {
    static_assert(sizeof(qsc::Stages) == 6 * sizeof(u64), "a row of the array is one entry");
    const auto& log = controller.stages();
    const std::vector<qsc::Stages> entries = log ? log->entries() : std::vector<qsc::Stages>{};
    py::array_t<u64> table({entries.size(), std::size_t{6}});
    std::copy_n(reinterpret_cast<const u64*>(entries.data()), 6 * entries.size(), table.mutable_data());
    return {log ? log->seen() : 0, table};
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
        .value("BAD_PHASE", CallStatus::BadPhase)
        .value("FULL", CallStatus::Full)
        .value("WRONG_TYPE", CallStatus::WrongType);

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
        .def_readwrite("threads", &qsc::SessionOptions::threads)
        .def_property(
            "precision",
            [](const qsc::SessionOptions& o) {
                return o.precision == optics::Precision::Float32 ? "float32" : "float64";
            },
            [](qsc::SessionOptions& o, const std::string& name) { o.precision = precision_of(name); })
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
        .def_property_readonly("threads", [](const qsc::Status& s) { return s.processor.threads; })
        .def_property_readonly("sampler", [](const qsc::Status& s) { return s.processor.sampler; })
        .def_property_readonly("datapoint_timeout_s",
                               [](const qsc::Status& s) { return s.processor.datapoint_timeout_s; })
        .def_readonly("name", &qsc::Status::name)
        .def_readonly("session", &qsc::Status::session)
        .def_readonly("digest", &qsc::Status::digest)
        .def_property_readonly("last_end",
                               [](const qsc::Status& s) -> std::optional<std::string> {
                                   if (s.last_end == qsc::EndReason::None) return std::nullopt;  // nothing ended yet
                                   return qsc::to_string(s.last_end);
                               })
        .def_property_readonly("maintenance", [](const qsc::Status& s) { return qsc::to_string(s.maintenance); })
        .def_readonly("uptime_s", &qsc::Status::uptime_s)
        .def_readonly("retry_after_s", &qsc::Status::retry_after_s)
        .def_readonly("cause", &qsc::Status::cause)
        .def_readonly("calibration_age_s", &qsc::Status::calibration_age_s);

    py::class_<qsc::SessionGrant>(module, "SessionGrant", "One exclusive reservation.")
        .def_readonly("session", &qsc::SessionGrant::session)
        .def_readonly("output_size", &qsc::SessionGrant::output_size)
        .def_readonly("basis_size", &qsc::SessionGrant::basis_size);

    module.def(
        "end_reason", [](u64 reason) { return qsc::to_string(static_cast<qsc::EndReason>(reason)); },
        "Name of the reason that a port was closed with.");
}

void bind_latency(py::module_& module) {
    using qsc::LatencyOptions;
    using qsc::LatencyOutcome;
    py::class_<LatencyOptions>(module, "LatencyOptions", "What a controller's threads ask of the system.")
        .def(py::init([](std::vector<u32> dispatcher_cpus, std::vector<u32> transport_cpus, bool lock_memory,
                         u32 realtime_priority, bool local_memory) {
                 return LatencyOptions{std::move(dispatcher_cpus), std::move(transport_cpus), lock_memory,
                                       realtime_priority, local_memory};
             }),
             py::kw_only(), py::arg("dispatcher_cpus"), py::arg("transport_cpus"), py::arg("lock_memory"),
             py::arg("realtime_priority"), py::arg("local_memory"));
    py::class_<LatencyOutcome>(module, "LatencyOutcome", "One thing that was asked for, and what came of it.")
        .def_readonly("measure", &LatencyOutcome::measure)
        .def_readonly("asked", &LatencyOutcome::asked)
        .def_readonly("granted", &LatencyOutcome::granted)
        .def_readonly("detail", &LatencyOutcome::detail);
}

void bind_ledger(py::module_& module) {
    using qsc::LedgerEntry;
    py::class_<LedgerEntry>(module, "LedgerEntry", "What the ledger knows of one session.")
        .def_readonly("session", &LedgerEntry::session)
        .def_readonly("digest", &LedgerEntry::digest)
        .def_property_readonly("tokens", [](const LedgerEntry& e) { return e.counts.tokens; })
        .def_property_readonly("shots", [](const LedgerEntry& e) { return e.counts.shots; })
        .def_property_readonly("kept_samples", [](const LedgerEntry& e) { return e.counts.kept_samples; })
        .def_property_readonly("quantum_ns", [](const LedgerEntry& e) { return e.counts.quantum_ns; })
        .def_readonly("configuration_ns", &LedgerEntry::configuration_ns)
        .def_readonly("wall_ns", &LedgerEntry::wall_ns)
        .def_readonly("started_unix_ns", &LedgerEntry::started_unix_ns)
        .def_property_readonly("ended", [](const LedgerEntry& e) { return e.end != qsc::EndReason::None; })
        .def_property_readonly("end", [](const LedgerEntry& e) { return qsc::to_string(e.end); });

    py::class_<qsc::FileLedger, std::shared_ptr<qsc::FileLedger>>(module, "FileLedger",
                                                                  "Counts in a mapped file that survive their process.")
        .def(py::init<std::string, u32>(), py::arg("path"), py::arg("records") = 64)
        .def("entries", &qsc::FileLedger::entries)
        .def("forget", &qsc::FileLedger::forget, py::arg("session"));
}

}  // namespace

void bind_qsc(py::module_& module) {
    bind_vocabulary(module);
    bind_ledger(module);
    bind_latency(module);
    using Unlocked = py::call_guard<py::gil_scoped_release>;

    py::class_<CancelFlag, std::shared_ptr<CancelFlag>>(module, "CancelFlag", "Ends calls from another thread.")
        .def(py::init<>())
        .def("set", [](CancelFlag& flag) { flag.set.store(true); })
        .def("is_set", [](const CancelFlag& flag) { return flag.set.load(); });

    py::class_<CallLimits>(module, "CallLimits", "Deadlines of calls, in seconds.")
        .def(py::init([](std::optional<double> timeout, std::optional<double> row_timeout, u32 in_flight,
                         std::optional<std::shared_ptr<CancelFlag>> cancel) {
                 return CallLimits{timeout, row_timeout, in_flight, cancel.value_or(nullptr)};
             }),
             py::arg("timeout") = py::none(), py::arg("row_timeout") = py::none(), py::arg("in_flight") = 0,
             py::arg("cancel") = py::none());

    py::class_<Controller, std::shared_ptr<Controller>>(
        module, "Controller", "Controller of the native simulator, or of a driver's processor.")
        .def(py::init(&make_controller), py::arg("memory_limit"), py::kw_only(), py::arg("busy") = false,
             py::arg("mute_from") = py::none(), py::arg("die_at") = py::none(), py::arg("drain_s") = 0.25,
             py::arg("name") = "sim", py::arg("ledger") = py::none(), py::arg("first_session") = 1,
             py::arg("driver") = py::none(), py::arg("latency") = py::none(), py::arg("stages") = 0)
        .def("latency", &latency_report, "What was asked of the system for low latency, and what was granted.")
        .def("stages", &stages_of,
             "Datapoints answered so far, and the first of them as uint64 (N, 6): session, id, and the times in "
             "nanoseconds at which each was accepted, begun, executed and published.")
        .def(
            "reserve",
            [](Controller& controller, const std::shared_ptr<optics::ProgramSpec>& program,
               const qsc::SessionOptions& options) { return controller.reserve(program, options); },
            py::arg("program"), py::arg("options"), Unlocked())
        .def(
            "release",
            [](Controller& controller, u64 session, bool stopped) {
                return controller.release(session, stopped ? qsc::EndReason::Stopped : qsc::EndReason::Released);
            },
            py::arg("session"), py::arg("stopped") = false, Unlocked())
        .def("renew", &Controller::renew, py::arg("session"), Unlocked())
        .def("usage", &Controller::usage, py::arg("session"), Unlocked())
        .def("request_maintenance", &Controller::request_maintenance, Unlocked())
        .def("finish_maintenance", &Controller::finish_maintenance, Unlocked())
        .def("reset", &Controller::reset, Unlocked())
        .def("status", &Controller::status, Unlocked())
        .def("calibrate", &Controller::calibrate, Unlocked())
        .def("shutdown", &Controller::shutdown, Unlocked());

    py::class_<LocalSession, std::shared_ptr<LocalSession>>(module, "LocalSession", "One session, in this process.")
        .def(py::init(&make_session), py::arg("controller"), py::arg("program"), py::arg("encoding"),
             py::arg("options"), py::arg("slots"))
        .def("infer", &infer<LocalSession>, py::arg("x"), py::arg("out"), py::arg("limits"),
             "One datapoint per row of x (B, F) float32 or float64 into out (B, O) of the session's precision; rows "
             "contiguous.")
        .def("report", &report<LocalSession>, py::arg("x"), py::arg("out"), py::arg("limits"))
        .def("echo", &echo<LocalSession>, py::arg("rounds"), py::arg("limits"))
        .def("open_device_port", &LocalSession::open_device_port, py::arg("slots"), Unlocked())
        .def("usage", &LocalSession::usage, Unlocked())
        .def("close", &LocalSession::close, Unlocked())
        .def(
            "stop", [](LocalSession& session) { session.client().stop(); }, Unlocked())
        .def(
            "slots_in_use", [](LocalSession& session) { return session.client().slots_in_use(); }, Unlocked())
        .def_property_readonly("slots", [](LocalSession& session) { return session.client().slots(); })
        .def_property_readonly("basis_size", [](const LocalSession& session) { return session.grant().basis_size; })
        .def_property_readonly("output_size", &LocalSession::output_size);
}

}  // namespace photonlink::bind
