// The vocabulary of the control plane: what a session is reserved with, what comes back, how it is refused, and what a
// controller says about itself.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

#include "photonlink/optics/program.hpp"
#include "photonlink/qsc/ledger.hpp"
#include "photonlink/qsc/processor.hpp"

namespace photonlink::qsc {

struct SessionOptions {
    u32 shots = 0;  // kept samples per datapoint; 0 = exact
    u64 seed = 0;
    optics::Precision precision = optics::Precision::Float64;
    u32 threads = 0;  // of a simulator, at most; 0 = see optics::usable_threads()
    ClockMode clock = ClockMode::Virtual;
    TimingModel timing;
    std::optional<u64> token_budget;
    double idle_timeout_s = 0;  // released after this long without a request; 0 = never
    double max_duration_s = 0;  // 0 = unlimited
};

/// One exclusive reservation of a configured controller.
struct SessionGrant {
    u64 session = 0;  // never 0, never reused by this controller
    u64 key = 0;      // random, never 0: first argument of every data-plane request
    u64 output_size = 0;
    u64 basis_size = 0;
    u64 sample_bytes = 0;       // of a datapoint's samples, a byte for each shot and mode; 0 for exact results
    u32 most_request_rows = 1;  // datapoints that a client may well put into one request
};

enum class State : u32 { Idle = 0, Reserved = 1, Configured = 2, Serving = 3, Released = 4, Error = 5 };
enum class Maintenance : u32 { None = 0, Requested = 1, Active = 2 };  // Requested waits for the session to end

const char* to_string(State state);
const char* to_string(Maintenance maintenance);

struct Usage {
    u64 session = 0;
    Counts counts;                          // counts.quantum_ns: modelled time of the datapoints
    i64 configuration_ns = kNoQuantumTime;  // modelled time of loading the program
    u64 wall_ns = 0;                        // since the reservation, or its whole length once it ended
    EndReason end = EndReason::None;
};

struct Status {
    State state = State::Idle;
    std::string name;
    ProcessorInfo processor;
    u64 session = 0;     // 0: none
    std::string digest;  // of the configured program
    EndReason last_end = EndReason::None;
    std::string cause;  // why State::Error; else the last error that the processor raised, or empty
    Maintenance maintenance = Maintenance::None;
    double calibration_age_s = 0;
    double uptime_s = 0;
    std::optional<double> retry_after_s;  // earliest moment that the session may end by itself, if known
};

struct ControllerError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Somebody else holds the controller, or maintenance does.
struct Busy : ControllerError {
    Busy(const std::string& message, std::optional<double> retry_after)
        : ControllerError(message), retry_after_s(retry_after) {}
    std::optional<double> retry_after_s;  // earliest moment that the present session may end by itself, if known
};

/// The options ask for what this controller cannot do; the message names the fix.
struct Refused : ControllerError {
    using ControllerError::ControllerError;
};

/// The controller is in State::Error (the message carries the cause), or was shut down.
struct ControllerFailed : ControllerError {
    using ControllerError::ControllerError;
};

/// The processor raised while it loaded the program; the message carries its words.
struct ProcessorError : ControllerError {
    using ControllerError::ControllerError;
};

/// The session is not the running one (release and usage also know sessions that ended).
struct UnknownSession : ControllerError {
    using ControllerError::ControllerError;
};

}  // namespace photonlink::qsc
