// Inside of Controller: the lock, the state machine and the supervisor.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "dispatcher.hpp"
#include "photonlink/link/fork.hpp"
#include "photonlink/qsc/controller.hpp"

namespace photonlink::qsc {

/// The session that holds the lock.
struct RunningSession {
    SessionPlan plan;
    std::string digest;
    std::vector<std::shared_ptr<ServedPort>> ports;
    std::vector<Carrier> carriers;           // that came before the dispatcher
    std::unique_ptr<Dispatcher> dispatcher;  // from the first port on
    bool ending = false;                     // one thread is at it; the others wait

    // What the supervisor saw last.
    u64 last_active_ns = 0;
    u64 last_requests = 0;
    u64 last_turns = 0;
};

class Controller::Impl {
  public:
    Impl(std::unique_ptr<Processor> processor, ControllerOptions options);

    SessionGrant reserve(std::shared_ptr<const optics::ProgramSpec> program, const SessionOptions& options);
    void attach(u64 session, PortAttachment port);
    void carry(u64 session, Carrier carrier);
    Usage release(u64 session, EndReason reason);
    void renew(u64 session);
    Usage usage(u64 session) const;
    Status status() const;
    const DispatcherOptions& options() const { return options_; }
    bool request_maintenance();
    void finish_maintenance();
    void calibrate();
    void reset();
    bool shutdown();
    /// After a shutdown that left a thread behind: nobody will wait for it, so this object must stay.
    void let_go();

    /// Threads do not survive a fork: in a child nothing may be locked or joined.
    bool inherited() const { return fork_guard_.inherited(); }
    void require_process() const;

  private:
    using Lock = std::unique_lock<std::mutex>;

    void require_usable() const;
    void take_reservation(const SessionOptions& options);
    void refuse_busy() const;
    void check_options(const SessionOptions& options) const;
    void load_program(std::shared_ptr<const optics::ProgramSpec> program, const SessionOptions& options);
    void wait_for_configuration(const SessionOptions& options, u64 started_ns);
    void give_up_reservation(State state, const std::string& cause);
    SessionGrant open_session(const optics::ProgramSpec& program, const SessionOptions& options);
    RunningSession& running(u64 session) const;
    std::optional<double> retry_after_s() const;
    Usage usage_locked(u64 session) const;

    void end_session(Lock& lock, EndReason reason);
    EndReason finish_dispatcher(Lock& lock, EndReason reason);
    bool finish_stuck(Lock& lock);
    bool wait_patiently(Lock& lock, const std::function<bool()>& back);
    std::chrono::duration<double> patience() const;
    void enter_error(const std::string& cause);

    void supervise();
    void supervise_once(Lock& lock);
    bool observe(RunningSession& session, u64 now_ns) const;
    EndReason due(const RunningSession& session, u64 now_ns) const;

    const link::ForkGuard fork_guard_;
    const std::string name_;
    const DispatcherOptions options_;
    const u64 created_ns_;
    std::unique_ptr<Processor> processor_;
    std::shared_ptr<Ledger> ledger_;

    std::mutex shutdown_mutex_;  // one shutdown at a time; taken before mutex_
    mutable std::mutex mutex_;   // everything below
    std::condition_variable changed_;
    State state_ = State::Idle;
    ProcessorInfo info_;
    std::string cause_;
    EndReason last_end_ = EndReason::None;
    Maintenance maintenance_ = Maintenance::None;
    u64 calibrated_ns_;
    u64 next_session_;
    bool shut_down_ = false;
    std::unique_ptr<RunningSession> session_;  // from reserve on; its dispatcher comes later
    std::unique_ptr<Dispatcher> stuck_;        // never came back from the processor
    bool left_behind_ = false;                 // shutdown() did not wait any longer for what uses the processor
    std::thread supervisor_;
};

}  // namespace photonlink::qsc
