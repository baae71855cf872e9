// The control plane: reservation, release and the questions. How a session ends is in session_end.cpp.
#include "photonlink/qsc/controller.hpp"

#include <algorithm>

#include "controller_impl.hpp"
#include "photonlink/random_word.hpp"

namespace photonlink::qsc {

namespace {

/// For a thread that never came back from its processor: whatever it may touch stays, and stays reachable.
void leave_behind(const void* impl) {
    static std::mutex mutex;
    static auto* const kept = new std::vector<const void*>;
    const std::lock_guard<std::mutex> lock(mutex);
    kept->push_back(impl);
}

double seconds_since(u64 then_ns) { return static_cast<double>(platform::clock_ns() - then_ns) * 1e-9; }

}  // namespace

Controller::Impl::Impl(std::unique_ptr<Processor> processor, ControllerOptions options)
    : name_(std::move(options.name)),
      options_(options.dispatcher),
      created_ns_(platform::clock_ns()),
      processor_(std::move(processor)),
      ledger_(options.ledger ? std::move(options.ledger) : std::make_shared<MemoryLedger>()),
      calibrated_ns_(created_ns_),
      next_session_(options.first_session) {
    if (!processor_) throw std::invalid_argument("a controller needs a processor, received none");
    info_ = processor_->info();
}

void Controller::Impl::require_process() const {
    if (inherited())
        throw ControllerFailed(
            "controller '" + name_ +
            "' belongs to the parent process and does not survive a fork; create one in this process");
}

void Controller::Impl::require_usable() const {
    if (shut_down_) throw ControllerFailed("controller '" + name_ + "' was shut down; create a new one");
    if (state_ == State::Error)
        throw ControllerFailed("controller '" + name_ + "' is in its error state: " + cause_ +
                               "; reset it or create a new one");
}

SessionGrant Controller::Impl::reserve(std::shared_ptr<const optics::ProgramSpec> program,
                                       const SessionOptions& options) {
    if (!program) throw optics::ProgramError("reserve needs a program, received none");
    take_reservation(options);
    try {
        load_program(program, options);
        const Lock lock(mutex_);
        require_usable();  // it may have been shut down meanwhile
        return open_session(*program, options);
    } catch (const optics::ProgramError&) {
        give_up_reservation(State::Idle, "");
        throw;
    } catch (const ControllerError&) {
        give_up_reservation(State::Idle, "");
        throw;
    } catch (const LedgerError&) {
        give_up_reservation(State::Idle, "");
        throw;
    } catch (const ProcessorFatal& problem) {
        give_up_reservation(State::Error, problem.what());
        throw ControllerFailed("the processor of controller '" + name_ + "' was lost: " + problem.what());
    } catch (const std::exception& problem) {
        give_up_reservation(State::Idle, problem.what());
        throw ProcessorError("the processor of controller '" + name_ +
                             "' could not load the program: " + problem.what());
    }
}

void Controller::Impl::take_reservation(const SessionOptions& options) {
    Lock lock(mutex_);
    // A session whose dispatcher has closed its ports is about to be folded: wait for that rather than call it busy.
    const auto settled = [this] { return !session_ || !session_->dispatcher || !session_->dispatcher->ending(); };
    changed_.wait_for(lock, std::chrono::seconds(1), settled);
    require_usable();
    refuse_busy();
    check_options(options);
    session_ = std::make_unique<RunningSession>();
    state_ = State::Reserved;
    cause_.clear();
}

void Controller::Impl::refuse_busy() const {
    if (options_.faults.busy) throw Busy("controller '" + name_ + "' is busy (injected fault)", std::nullopt);
    if (session_) {
        const auto retry = retry_after_s();
        throw Busy("controller '" + name_ + "' is held by another session; " +
                       (retry ? "retry in " + std::to_string(*retry) + " s" : "retry when it is released"),
                   retry);
    }
    if (maintenance_ != Maintenance::None)
        throw Busy("controller '" + name_ + "' is in maintenance; retry when that is over", std::nullopt);
}

void Controller::Impl::check_options(const SessionOptions& options) const {
    if (options.shots == 0 && !info_.supports_exact)
        throw Refused("processor '" + info_.name +
                      "' has no exact results: shots is 0 (exact), expected a number of kept samples per datapoint");
    if (!(options.idle_timeout_s >= 0) || !(options.max_duration_s >= 0))
        throw Refused("idle_timeout_s is " + std::to_string(options.idle_timeout_s) + " and max_duration_s is " +
                      std::to_string(options.max_duration_s) + ", expected at least 0 (0 = no limit)");
    try {
        validate(options.timing);
    } catch (const std::invalid_argument& problem) {
        throw Refused(problem.what());
    }
}

// Outside the lock: loading may take long, and status() must answer meanwhile. State::Reserved keeps others out.
void Controller::Impl::load_program(std::shared_ptr<const optics::ProgramSpec> program, const SessionOptions& options) {
    const u64 started_ns = platform::clock_ns();
    processor_->configure(std::move(program),
                          RunOptions{options.shots, options.seed, options.precision, options.threads});
    wait_for_configuration(options, started_ns);
}

void Controller::Impl::wait_for_configuration(const SessionOptions& options, u64 started_ns) {
    const i64 modelled_ns = configuration_ns(options.timing, options.shots);
    if (options.clock != ClockMode::Realtime || modelled_ns == kNoQuantumTime) return;
    Lock lock(mutex_);
    const u64 end_ns = started_ns + static_cast<u64>(modelled_ns);
    for (u64 now = platform::clock_ns(); now < end_ns; now = platform::clock_ns()) {
        require_usable();
        changed_.wait_for(lock, std::chrono::nanoseconds(std::min<u64>(end_ns - now, 100'000'000)));
    }
}

void Controller::Impl::give_up_reservation(State state, const std::string& cause) {
    const Lock lock(mutex_);
    session_.reset();
    state_ = state;
    cause_ = cause;
    if (maintenance_ == Maintenance::Requested) maintenance_ = Maintenance::Active;
    changed_.notify_all();
}

SessionGrant Controller::Impl::open_session(const optics::ProgramSpec& program, const SessionOptions& options) {
    info_ = processor_->info();
    RunningSession& session = *session_;
    SessionPlan& plan = session.plan;
    plan.session = next_session_++;
    plan.key = random_word();
    plan.phases = static_cast<u32>(program.phases.size());
    plan.output_size = processor_->output_size();
    plan.basis_size = processor_->basis_size();
    plan.sample_bytes = u64{options.shots} * program.modes;
    if (options.shots != 0) plan.states = std::make_shared<const optics::SectorOrder>(optics::kept_order(program));
    plan.max_batch = std::min<u64>(info_.max_batch, options_.max_batch);
    plan.datapoint_ns = info_.datapoint_ns;
    if (options_.faults.mute_from || options_.faults.die_at) plan.max_batch = 1;  // a fault strikes one datapoint
    plan.started_ns = platform::clock_ns();
    plan.options = options;
    session.digest = program.digest;
    session.last_active_ns = plan.started_ns;
    const bool timed = options.clock != ClockMode::None;
    ledger_->open(plan.session, program.digest,
                  timed ? configuration_ns(options.timing, options.shots) : kNoQuantumTime);
    state_ = State::Configured;
    if (!supervisor_.joinable()) supervisor_ = std::thread(&Impl::supervise, this);
    changed_.notify_all();
    return {plan.session, plan.key, plan.output_size, plan.basis_size, plan.sample_bytes, most_request_rows(plan)};
}

std::optional<double> Controller::Impl::retry_after_s() const {
    if (state_ == State::Reserved) return std::nullopt;
    const SessionOptions& options = session_->plan.options;
    std::optional<double> earliest;
    const auto consider = [&earliest](double limit_s, u64 since_ns) {
        if (limit_s <= 0) return;
        const double left = std::max(0.0, limit_s - seconds_since(since_ns));
        earliest = earliest ? std::min(*earliest, left) : left;
    };
    consider(options.max_duration_s, session_->plan.started_ns);
    consider(options.idle_timeout_s, session_->last_active_ns);
    return earliest;
}

RunningSession& Controller::Impl::running(u64 session) const {
    require_usable();
    if (!session_ || session_->plan.session != session || session_->ending)
        throw UnknownSession("session " + std::to_string(session) + " is not running on controller '" + name_ +
                             "'; reserve one first");
    return *session_;
}

void Controller::Impl::attach(u64 session, PortAttachment port) {
    const Lock lock(mutex_);
    RunningSession& target = running(session);
    const auto served = std::make_shared<ServedPort>(std::move(port));
    if (!target.dispatcher) {
        const auto on_end = [this] {
            { const Lock end_lock(mutex_); }  // so that a thread between its look and its wait is not missed
            changed_.notify_all();
        };
        target.dispatcher = std::make_unique<Dispatcher>(*processor_, *ledger_, target.plan, options_, on_end);
        for (Carrier& carrier : target.carriers) target.dispatcher->carry(std::move(carrier));
        target.carriers.clear();
    }
    target.ports.push_back(served);
    target.dispatcher->attach(served);
    state_ = State::Serving;
}

void Controller::Impl::carry(u64 session, Carrier carrier) {
    const Lock lock(mutex_);
    RunningSession& target = running(session);
    if (target.dispatcher)
        target.dispatcher->carry(std::move(carrier));
    else
        target.carriers.push_back(std::move(carrier));
}

Usage Controller::Impl::release(u64 session, EndReason reason) {
    Lock lock(mutex_);
    if (session_ && session_->plan.session == session) end_session(lock, reason);
    return usage_locked(session);
}

void Controller::Impl::renew(u64 session) {
    const Lock lock(mutex_);
    if (!session_ || session_->plan.session != session || session_->ending)
        throw UnknownSession("session " + std::to_string(session) + " is not running on controller '" + name_ +
                             "' and cannot be renewed; reserve one");
    session_->last_active_ns = platform::clock_ns();
}

Usage Controller::Impl::usage(u64 session) const {
    const Lock lock(mutex_);
    return usage_locked(session);
}

Usage Controller::Impl::usage_locked(u64 session) const {
    const std::optional<LedgerEntry> entry = ledger_->find(session);
    if (!entry) throw UnknownSession("controller '" + name_ + "' never granted session " + std::to_string(session));
    Usage usage{session, entry->counts, entry->configuration_ns, entry->wall_ns, entry->end};
    if (entry->end == EndReason::None && session_) usage.wall_ns = platform::clock_ns() - session_->plan.started_ns;
    return usage;
}

Status Controller::Impl::status() const {
    const Lock lock(mutex_);
    Status status;
    status.state = state_;
    status.name = name_;
    status.processor = info_;
    status.last_end = last_end_;
    status.cause = cause_;
    status.maintenance = maintenance_;
    status.calibration_age_s = seconds_since(calibrated_ns_);
    status.uptime_s = seconds_since(created_ns_);
    if (session_) {
        status.session = session_->plan.session;
        status.digest = session_->digest;
        status.retry_after_s = retry_after_s();
        if (session_->dispatcher) status.cause = session_->dispatcher->error();
    }
    return status;
}

bool Controller::Impl::request_maintenance() {
    const Lock lock(mutex_);
    if (maintenance_ == Maintenance::None) maintenance_ = session_ ? Maintenance::Requested : Maintenance::Active;
    return maintenance_ == Maintenance::Active;
}

void Controller::Impl::finish_maintenance() {
    const Lock lock(mutex_);
    maintenance_ = Maintenance::None;
}

void Controller::Impl::calibrate() {
    const Lock lock(mutex_);
    if (session_) throw Busy("calibration cannot run inside a session; request maintenance", retry_after_s());
    calibrated_ns_ = platform::clock_ns();
}

Controller::Controller(std::unique_ptr<Processor> processor, ControllerOptions options)
    : impl_(std::make_unique<Impl>(std::move(processor), std::move(options))) {}

Controller::~Controller() {
    // In a forked child there is nothing to end and nobody to join; the memory goes with the process.
    if (impl_->inherited()) {
        static_cast<void>(impl_.release());
    } else if (!impl_->shutdown()) {
        impl_->let_go();
        leave_behind(impl_.release());
    }
}

Controller::Impl& Controller::impl() const {
    impl_->require_process();
    return *impl_;
}

SessionGrant Controller::reserve(std::shared_ptr<const optics::ProgramSpec> program, const SessionOptions& options) {
    return impl().reserve(std::move(program), options);
}
void Controller::attach(u64 session, PortAttachment port) { impl().attach(session, std::move(port)); }
void Controller::carry(u64 session, Carrier carrier) { impl().carry(session, std::move(carrier)); }
Usage Controller::release(u64 session, EndReason reason) { return impl().release(session, reason); }
void Controller::renew(u64 session) { impl().renew(session); }
Usage Controller::usage(u64 session) const { return impl().usage(session); }
Status Controller::status() const { return impl().status(); }
const std::shared_ptr<const LatencySetup>& Controller::latency() const { return impl().options().latency; }
const std::shared_ptr<StageLog>& Controller::stages() const { return impl().options().stages; }
bool Controller::request_maintenance() { return impl().request_maintenance(); }
void Controller::finish_maintenance() { impl().finish_maintenance(); }
void Controller::calibrate() { impl().calibrate(); }
void Controller::reset() { impl().reset(); }
bool Controller::shutdown() { return impl().shutdown(); }

}  // namespace photonlink::qsc
