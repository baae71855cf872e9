// Calls on a session's client, for every kind of session: arguments to views, the interpreter lock released while the
// call may wait, signals looked at meanwhile.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "photonlink/qsc/client.hpp"

namespace photonlink::bind {

namespace py = pybind11;
using qsc::CallResult;
using qsc::CallStatus;

struct CancelFlag {
    std::atomic<bool> set{false};
};

/// Deleter for objects whose destructor waits for threads. One of them may own another: then the lock is released
/// already.
struct WithoutGil {
    template <class T>
    void operator()(T* object) const {
        std::optional<py::gil_scoped_release> unlocked;
        if (PyGILState_Check() != 0) unlocked.emplace();
        delete object;
    }
};

/// Keeps a Python object alive from threads that do not hold the interpreter lock.
inline std::shared_ptr<void> hold(const py::object& object) {
    return {object.inc_ref().ptr(), [](void* held) {
                const py::gil_scoped_acquire locked;
                Py_DECREF(static_cast<PyObject*>(held));
            }};
}

inline bool signal_pending(void*) {
    const py::gil_scoped_acquire locked;
    return PyErr_CheckSignals() != 0;
}

inline u64 deadline_after(std::optional<double> seconds) {
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

inline qsc::Features features_of(const py::array& x) {
    const auto type = x.itemsize() == 8 ? optics::Precision::Float64 : optics::Precision::Float32;
    return {x.data(), type, static_cast<u64>(x.shape(0)), static_cast<i64>(x.strides(0))};
}

inline qsc::Output output_of(py::array& out) {
    return {out.mutable_data(), static_cast<i64>(out.strides(0)), hold(out)};
}

/// The result, unless a signal handler raised: then that exception goes on.
inline CallResult unless_interrupted(const CallResult& result) {
    if (result.status == CallStatus::Interrupted && PyErr_Occurred() != nullptr) throw py::error_already_set();
    return result;
}

template <class Session>
CallResult infer(Session& session, const py::array& x, py::array out, const CallLimits& limits) {
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
using ReportColumns = std::tuple<CallResult, py::array_t<double>, py::array_t<double>, py::array_t<i64>,
                                 py::array_t<u32>, py::array_t<u64>, py::array_t<u32>, py::array_t<u32>>;

template <class Session>
ReportColumns report(Session& session, const py::array& x, py::array out, const CallLimits& limits) {
    const qsc::Features features = features_of(x);
    const qsc::Output output = output_of(out);
    const auto rows = static_cast<py::ssize_t>(features.rows);
    py::array_t<double> kept(rows);
    py::array_t<double> errors({rows, static_cast<py::ssize_t>(session.output_size())});
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
    return ReportColumns(unless_interrupted(result), kept, errors, quantum_ns, changed, as_array(reports.row_begin),
                         as_array(reports.state_index), as_array(reports.counts));
}

template <class Session>
std::tuple<CallResult, py::array_t<u64>> echo(Session& session, u64 rounds, const CallLimits& limits) {
    py::array_t<u64> latencies_ns(static_cast<py::ssize_t>(rounds));
    u64* out = latencies_ns.mutable_data();
    CallResult result;
    {
        const py::gil_scoped_release unlocked;
        result = session.client().echo(rounds, out, limits.options());
    }
    return {unless_interrupted(result), latencies_ns};
}

}  // namespace photonlink::bind
