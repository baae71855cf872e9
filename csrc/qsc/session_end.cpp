// How sessions end: by release, by shutdown, or because the supervisor finds a reason.
#include <algorithm>

#include "controller_impl.hpp"

namespace photonlink::qsc {

namespace {

constexpr auto kSupervisorPeriod = std::chrono::milliseconds(20);

u64 to_ns(double seconds) { return static_cast<u64>(std::min(seconds, 9e9) * 1e9); }

struct ClientCheck {
    bool some_left = false;
    bool all_lost = false;  // nobody is left who could release the session
};

/// Marks the ports whose client has closed or is gone. A client that only closed its port may still release.
ClientCheck check_clients(const std::vector<std::shared_ptr<ServedPort>>& ports) {
    ClientCheck check;
    check.all_lost = !ports.empty();
    for (const auto& port : ports) {
        const bool lost = port->alive && !port->alive();
        if (!lost) check.all_lost = false;
        const EndReason leave =
            lost ? EndReason::ClientLost : (port->server.client_closed() ? EndReason::Released : EndReason::None);
        if (leave == EndReason::None || port->leave.load(std::memory_order_relaxed) != EndReason::None) continue;
        port->leave.store(leave, std::memory_order_relaxed);
        check.some_left = true;
    }
    return check;
}

}  // namespace

/// Ends the running session, or waits for the thread that is already ending it.
void Controller::Impl::end_session(Lock& lock, EndReason reason) {
    if (state_ == State::Reserved) return;  // still loading; there is no session yet
    const u64 id = session_->plan.session;
    if (session_->ending) {
        changed_.wait(lock, [this, id] { return !session_ || session_->plan.session != id; });
        return;
    }
    session_->ending = true;
    reason = finish_dispatcher(lock, reason);
    ledger_->close(id, platform::clock_ns() - session_->plan.started_ns, reason);
    last_end_ = reason;
    if (state_ != State::Error) state_ = State::Released;
    if (maintenance_ == Maintenance::Requested) maintenance_ = Maintenance::Active;
    session_.reset();
    changed_.notify_all();
}

/// Stops and joins the dispatcher, with the lock released meanwhile; returns the reason that counts.
EndReason Controller::Impl::finish_dispatcher(Lock& lock, EndReason reason) {
    if (!session_->dispatcher) return reason;
    Dispatcher& dispatcher = *session_->dispatcher;
    dispatcher.stop(reason);
    if (!wait_patiently(lock, [&dispatcher] { return dispatcher.ended(); })) {
        for (const auto& port : session_->ports) port->server.close(static_cast<u64>(EndReason::ProcessorHung));
        stuck_ = std::move(session_->dispatcher);
        enter_error("the processor did not come back within " + std::to_string(patience().count()) + " s of a stop");
        return EndReason::ProcessorHung;
    }
    cause_ = dispatcher.error();
    if (dispatcher.end_reason() == EndReason::DispatcherDied) enter_error(cause_);
    reason = dispatcher.end_reason();
    std::unique_ptr<Dispatcher> finished = std::move(session_->dispatcher);
    lock.unlock();  // its thread takes our lock in its last act
    finished.reset();
    lock.lock();
    return reason;
}

/// Gives a processor that is at something its time, then asks it to give up. False if it does not come back.
bool Controller::Impl::wait_patiently(Lock& lock, const std::function<bool()>& back) {
    constexpr std::chrono::milliseconds kBetweenInterrupts{50};
    if (changed_.wait_for(lock, std::chrono::duration<double>(options_.drain_s), back)) return true;
    const u64 end_ns = platform::clock_ns() + to_ns(options_.processor_grace_s);
    do {
        processor_->interrupt();  // again and again: the one before may have come between two datapoints
        if (changed_.wait_for(lock, kBetweenInterrupts, back)) return true;
    } while (platform::clock_ns() < end_ns);
    return false;
}

std::chrono::duration<double> Controller::Impl::patience() const {
    return std::chrono::duration<double>(options_.drain_s + options_.processor_grace_s);
}

/// True if no dispatcher is at the processor any more. One that was given up before gets a last chance, once.
bool Controller::Impl::finish_stuck(Lock& lock) {
    if (!stuck_) return true;
    const auto wait = std::chrono::duration<double>(left_behind_ ? 0.0 : options_.processor_grace_s);
    if (!changed_.wait_for(lock, wait, [this] { return stuck_->ended(); })) return false;
    std::unique_ptr<Dispatcher> finished = std::move(stuck_);
    lock.unlock();  // its thread takes our lock in its last act
    finished.reset();
    lock.lock();
    return true;
}

void Controller::Impl::enter_error(const std::string& cause) {
    state_ = State::Error;
    cause_ = cause;
}

void Controller::Impl::reset() {
    std::unique_ptr<Dispatcher> finished;  // joined after the lock is given back
    const Lock lock(mutex_);
    if (session_) throw Busy("a reset cannot run inside a session; release it first", retry_after_s());
    if (stuck_ && !stuck_->ended())
        throw ControllerFailed("controller '" + name_ + "' cannot be reset: " + cause_ + ", and is still running");
    finished = std::move(stuck_);
    if (state_ == State::Error) state_ = State::Idle;
    cause_.clear();
}

bool Controller::Impl::shutdown() {
    const std::lock_guard<std::mutex> one_at_a_time(shutdown_mutex_);
    {
        Lock lock(mutex_);
        shut_down_ = true;
        changed_.notify_all();
        const auto loaded = [this] { return state_ != State::Reserved; };
        const bool loading = !(left_behind_ ? loaded() : wait_patiently(lock, loaded));
        if (session_) end_session(lock, EndReason::Shutdown);
        const bool left = loading || !finish_stuck(lock);
        if (left && !left_behind_)
            enter_error((loading ? "the processor is still loading a program" : cause_) +
                        "; its thread was left behind");
        left_behind_ = left;
    }
    if (supervisor_.joinable()) supervisor_.join();
    if (!left_behind_) processor_.reset();  // nobody is at it, and its threads end with it
    return !left_behind_;
}

void Controller::Impl::let_go() {
    const Lock lock(mutex_);
    if (stuck_) stuck_->let_go();
}

void Controller::Impl::supervise() {
    Lock lock(mutex_);
    for (;;) {
        const auto watching = [this] { return session_ && !session_->ending && state_ != State::Reserved; };
        changed_.wait(lock, [&] { return shut_down_ || watching(); });
        if (shut_down_) return;
        changed_.wait_for(lock, kSupervisorPeriod);
        if (watching() && !shut_down_) supervise_once(lock);
    }
}

void Controller::Impl::supervise_once(Lock& lock) {
    const u64 id = session_->plan.session;
    const auto ports = session_->ports;
    if (session_->dispatcher && observe(*session_, platform::clock_ns()))
        for (const auto& port : ports) port->server.beat();

    lock.unlock();  // the predicates are foreign code
    const ClientCheck clients = check_clients(ports);
    lock.lock();
    if (!session_ || session_->plan.session != id || session_->ending) return;

    if (clients.some_left && session_->dispatcher) session_->dispatcher->notice();
    const EndReason reason = clients.all_lost ? EndReason::ClientLost : due(*session_, platform::clock_ns());
    if (reason != EndReason::None) end_session(lock, reason);
}

/// Notes what the dispatcher has done since the last look. True if it is alive: a heartbeat says that requests will be
/// answered, and stands still when the dispatcher does.
bool Controller::Impl::observe(RunningSession& session, u64 now_ns) const {
    const Dispatcher& dispatcher = *session.dispatcher;
    const bool acquiring = dispatcher.acquiring();
    const u64 requests = dispatcher.requests();
    const u64 turns = dispatcher.turns();
    if (acquiring || requests != session.last_requests) session.last_active_ns = now_ns;
    const bool alive = acquiring || turns != session.last_turns;
    session.last_requests = requests;
    session.last_turns = turns;
    return alive;
}

EndReason Controller::Impl::due(const RunningSession& session, u64 now_ns) const {
    const SessionOptions& options = session.plan.options;
    if (session.dispatcher && session.dispatcher->ended()) return session.dispatcher->end_reason();
    if (options.max_duration_s > 0 && now_ns - session.plan.started_ns >= to_ns(options.max_duration_s))
        return EndReason::MaxDuration;
    if (options.idle_timeout_s > 0 && now_ns - session.last_active_ns >= to_ns(options.idle_timeout_s))
        return EndReason::IdleTimeout;
    return EndReason::None;
}

}  // namespace photonlink::qsc
