// Exceptions of the core as the classes of photonlink.errors, so that callers meet one error tree.
#include <pybind11/stl.h>

#include "bind.hpp"
#include "photonlink/link/memory.hpp"
#include "photonlink/qsc/session.hpp"
#include "photonlink/transport/bridge.hpp"

namespace py = pybind11;

namespace photonlink::bind {

namespace {

/// Sets photonlink.errors.<name>(message, **fields) as the current Python error.
void raise_as(const char* name, const std::exception& problem, const py::dict& fields = {}) {
    const py::object type = py::module_::import("photonlink.errors").attr(name);
    const py::object error = type(py::str(problem.what()), **fields);
    PyErr_SetObject(type.ptr(), error.ptr());
}

const char* error_of(link::LinkStatus status) {
    switch (status) {
        case link::LinkStatus::Timeout:
            return "LinkTimeout";
        case link::LinkStatus::ProtocolError:
            return "ProtocolError";
        default:
            return "LinkClosed";
    }
}

void translate(std::exception_ptr pending) {
    if (!pending) return;
    try {
        std::rethrow_exception(pending);
    } catch (const optics::ProgramError& problem) {
        raise_as("ProgramError", problem);
    } catch (const optics::PostSelectionError& problem) {
        raise_as("ProcessorError", problem);
    } catch (const qsc::Busy& problem) {
        raise_as("SessionBusy", problem, py::dict(py::arg("retry_after") = problem.retry_after_s));
    } catch (const qsc::UnknownSession& problem) {
        raise_as("SessionClosed", problem);
    } catch (const qsc::Refused& problem) {
        raise_as("ProgramError", problem);
    } catch (const qsc::ProcessorError& problem) {
        raise_as("ProcessorError", problem);
    } catch (const qsc::LedgerError& problem) {
        raise_as("LedgerError", problem);
    } catch (const qsc::ControllerFailed& problem) {
        raise_as("LinkClosed", problem);
    } catch (const transport::BridgeError& problem) {
        raise_as("ServiceError", problem);
    } catch (const link::LinkError& problem) {
        raise_as(error_of(problem.status()), problem);
    }
}

}  // namespace

void bind_errors(py::module_&) { py::register_local_exception_translator(translate); }

}  // namespace photonlink::bind
