// Owns one processor and lends it to one session at a time.
//
//   idle -> reserved -> configured -> serving -> released -> reserved -> ...        any -> error (explicit, with cause)
//
// Thread-safe. Two threads work for it during a session: the dispatcher, which answers requests, and a supervisor,
// which keeps heartbeats going, watches idle time, duration and lost clients, and ends the session when it must.
#pragma once

#include <memory>

#include "photonlink/qsc/attachment.hpp"
#include "photonlink/qsc/dispatcher_options.hpp"
#include "photonlink/qsc/session.hpp"

namespace photonlink::qsc {

struct ControllerOptions {
    std::string name = "qsc";
    DispatcherOptions dispatcher;
    std::shared_ptr<Ledger> ledger;  // null: a MemoryLedger of its own
    u64 first_session = 1;           // a ledger that outlives controllers has used the numbers before
};

class Controller {
  public:
    explicit Controller(std::unique_ptr<Processor> processor, ControllerOptions options = {});
    /// shutdown(). What a processor that never comes back may still touch is then kept until the process ends.
    ~Controller();
    Controller(const Controller&) = delete;
    Controller& operator=(const Controller&) = delete;

    /// Takes the lock and loads the program. Throws Busy, Refused (exact results from a processor without them, timing
    /// that cannot be computed with), optics::ProgramError, ProcessorError, LedgerError, or ControllerFailed; then
    /// nothing is reserved.
    SessionGrant reserve(std::shared_ptr<const optics::ProgramSpec> program, const SessionOptions& options);

    /// Serves `port` from now on, until the session ends. Throws UnknownSession or ControllerFailed.
    void attach(u64 session, PortAttachment port);

    /// Lets `carrier` carry for the session, from its first port on and whichever ports leave. Throws as attach().
    void carry(u64 session, Carrier carrier);

    /// Ends the session: finishes what was accepted (bounded by DispatcherOptions::drain_s), closes its ports, folds
    /// the ledger. A session that has ended already is reported again. Throws UnknownSession for one never granted.
    /// `reason` is what clients and ledger are told: Released, or Stopped.
    Usage release(u64 session, EndReason reason = EndReason::Released);

    /// Starts the session's idle time anew. Throws UnknownSession unless it is running.
    void renew(u64 session);

    /// Counts so far; also of sessions that ended. Throws UnknownSession.
    Usage usage(u64 session) const;
    Status status() const;
    /// Null unless ControllerOptions asked for something, or for a record.
    const std::shared_ptr<const LatencySetup>& latency() const;
    const std::shared_ptr<StageLog>& stages() const;

    /// Asks for the controller: true if it is in maintenance now, false if that waits for the session to end. Until
    /// finish_maintenance, every reserve is refused as Busy.
    bool request_maintenance();
    void finish_maintenance();
    /// Marks the processor as calibrated now. Throws Busy inside a session.
    void calibrate();

    /// Leaves State::Error. Throws Busy inside a session, ControllerFailed if the dispatcher never came back.
    void reset();

    /// Ends the session, if any, every thread and the processor; afterwards each call that needs them throws
    /// ControllerFailed. False if the processor did not come back within DispatcherOptions::drain_s +
    /// processor_grace_s: its thread is left behind, and status() says so.
    bool shutdown();

  private:
    class Impl;
    Impl& impl() const;
    std::unique_ptr<Impl> impl_;
};

}  // namespace photonlink::qsc
