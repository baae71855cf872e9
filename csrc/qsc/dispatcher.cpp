#include "dispatcher.hpp"

#include <algorithm>
#include <iterator>

namespace photonlink::qsc {

namespace {

constexpr u64 kNsPerSecond = 1'000'000'000;

/// True while an acquisition runs, however it ends.
class Acquiring {
  public:
    explicit Acquiring(std::atomic<bool>& flag) : flag_(flag) { flag_.store(true, std::memory_order_relaxed); }
    ~Acquiring() { flag_.store(false, std::memory_order_relaxed); }
    Acquiring(const Acquiring&) = delete;
    Acquiring& operator=(const Acquiring&) = delete;

  private:
    std::atomic<bool>& flag_;
};

}  // namespace

Dispatcher::Dispatcher(Processor& processor, Ledger& ledger, const SessionPlan& plan, const DispatcherOptions& options,
                       std::function<void()> on_end)
    : ledger_(ledger),
      plan_(plan),
      options_(options),
      on_end_(std::move(on_end)),
      batch_(processor, plan_),
      thread_(&Dispatcher::run, this) {}

Dispatcher::~Dispatcher() { thread_.join(); }

void Dispatcher::attach(std::shared_ptr<ServedPort> port) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        arriving_.push_back(std::move(port));
    }
    notice();
}

void Dispatcher::carry(Carrier carrier) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        arriving_carriers_.push_back(std::move(carrier));
    }
    notice();
}

// Release here, acquire in look_around(): whoever sees the flag sees what it was raised for.
void Dispatcher::notice() { attention_.store(true, std::memory_order_release); }

void Dispatcher::stop(EndReason reason) {
    EndReason none = EndReason::None;
    stop_ns_.store(platform::clock_ns(), std::memory_order_relaxed);
    stop_.compare_exchange_strong(none, reason, std::memory_order_release, std::memory_order_relaxed);
    notice();
}

std::string Dispatcher::error() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return error_;
}

void Dispatcher::set_error(const std::string& error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    error_ = error;
}

void Dispatcher::run() {
    end_reason_ = EndReason::DispatcherDied;
    if (options_.latency) options_.latency->settle_dispatcher();
    try {
        loop();
        end_reason_ = stop_.load(std::memory_order_acquire);
    } catch (const std::exception& problem) {
        set_error(problem.what());
    } catch (...) {
        set_error("the processor threw something that is no std::exception");
    }
    look_around();  // ports attached meanwhile are closed too
    // Carried to clients by the release with which their port is closed; a client that has seen that may reserve.
    ending_.store(true, std::memory_order_release);  // pairs with ending()
    close_ports(end_reason_);
    ended_.store(true, std::memory_order_release);  // pairs with ended()
    on_end_();
}

void Dispatcher::loop() {
    u32 idle_turns = 0;
    for (;;) {
        if (attention_.load(std::memory_order_relaxed)) {
            look_around();
            const EndReason reason = stop_.load(std::memory_order_acquire);
            if (reason != EndReason::None) return drain(reason);
        }
        if (turn())
            idle_turns = 0;
        else
            back_off(++idle_turns);
        count_up(turns_, 1);
    }
}

bool Dispatcher::turn() {
    bool worked = false;
    for (const Carrier& carry : carriers_) worked |= carry();
    for (const auto& port : ports_) {
        worked |= collect(*port);
        worked |= serve(*port);
    }
    return worked;
}

void Dispatcher::back_off(u32 idle_turns) {
    constexpr u32 kEagerTurns = 64;  // a turn is short, and a pause would lengthen every answer to a hot caller
    if (idle_turns <= kEagerTurns) return;
    if (idle_turns <= options_.spin_iterations) return platform::pause();
    const u32 slow = idle_turns - options_.spin_iterations;
    if (slow <= options_.yield_iterations) return platform::yield();
    // Twice as long each time, up to the cap.
    const u32 doublings = std::min(slow - options_.yield_iterations, 20u);
    platform::sleep_ns(std::min(1000u << doublings, std::min(options_.max_sleep_us, 100'000u) * 1000u));
}

/// Takes in new ports and carriers, and lets go of the ports that have left.
void Dispatcher::look_around() {
    // An exchange, not a store: it reads whatever notice() it wipes out, and so sees what that was raised for.
    attention_.exchange(false, std::memory_order_acquire);
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        ports_.insert(ports_.end(), arriving_.begin(), arriving_.end());
        arriving_.clear();
        std::move(arriving_carriers_.begin(), arriving_carriers_.end(), std::back_inserter(carriers_));
        arriving_carriers_.clear();
    }
    const auto left = [](const std::shared_ptr<ServedPort>& port) {
        const EndReason reason = port->leave.load(std::memory_order_relaxed);
        if (reason != EndReason::None) port->server.close(static_cast<u64>(reason));
        return reason != EndReason::None;
    };
    ports_.erase(std::remove_if(ports_.begin(), ports_.end(), left), ports_.end());
}

/// Executes at most one batch of what waits in a port.
bool Dispatcher::serve(ServedPort& port) {
    if (port.waiting.empty()) return false;
    fill_batch(port);
    if (batch_.rows() != 0) execute(port);
    return true;
}

void Dispatcher::fill_batch(ServedPort& port) {
    auto next = port.waiting.begin();
    for (; next != port.waiting.end(); ++next) {
        const u64 rows = rows_of(next->header, plan_);
        if (!batch_.takes(output_of(next->header.function_id), rows)) break;
        if (inject_fault()) continue;
        const wire::Status status = admit(port, *next, rows);
        if (status != wire::Status::Ok) port.answer(*next, status, 0);
    }
    port.waiting.erase(port.waiting.begin(), next);
}

/// Ok if the request's datapoints are in the batch now, else the status to refuse it with; nothing was executed then.
wire::Status Dispatcher::admit(ServedPort& port, const Request& request, u64 rows) {
    const void* payload = port.request_payload(request);
    wire::Status status = check_key(payload, request.header.arg_len, plan_.key);
    if (status != wire::Status::Ok) return status;
    if (rows > batch_.row_limit()) return wire::Status::BadLength;
    status = read_datapoints(payload, request.header, plan_, batch_.next_phases());
    if (status != wire::Status::Ok) return status;
    if (plan_.options.token_budget && admitted_ + rows > *plan_.options.token_budget) return wire::Status::BudgetSpent;
    status = batch_.add(port, request, rows);
    if (status == wire::Status::Ok) admitted_ += rows;
    return status;
}

/// True if the request is to be swallowed; with faults it has one datapoint.
bool Dispatcher::inject_fault() {
    const u64 datapoint = datapoints_++;
    if (options_.faults.die_at && datapoint >= *options_.faults.die_at)
        throw std::runtime_error("injected fault: the dispatcher died at datapoint " + std::to_string(datapoint));
    return options_.faults.mute_from && datapoint >= *options_.faults.mute_from;
}

void Dispatcher::execute(ServedPort& port) {
    const Acquiring acquiring(acquiring_);
    const bool timed = plan_.options.clock == ClockMode::Realtime || options_.stages != nullptr;
    const u64 started_ns = timed ? platform::clock_ns() : 0;
    try {
        batch_.run();
    } catch (...) {
        ledger_.count(plan_.session, batch_.counts());
        throw;
    }
    if (batch_.failed()) set_error(batch_.error());
    const Counts counts = batch_.counts();
    ledger_.count(plan_.session, counts);  // before anybody can hold a result
    counts_.add(counts);
    publish(port, started_ns);
    batch_.clear();
}

void Dispatcher::publish(ServedPort& port, u64 started_ns) {
    Stages stages;
    stages.begun_ns = started_ns;
    if (options_.stages) stages.executed_ns = platform::clock_ns();
    for (const Acquisition::Task& task : batch_.tasks()) {
        bool done = !batch_.failed();
        // In real time a batch is one datapoint.
        if (done && plan_.options.clock == ClockMode::Realtime && batch_.quantum_ns(task.first) != kNoQuantumTime)
            done = wait_until(started_ns + static_cast<u64>(batch_.quantum_ns(task.first)));
        if (options_.stages) record(task, stages);
        if (done)
            batch_.publish(port, task);
        else
            port.answer(task.request, wire::Status::ProcessorFailed, 0);
    }
}

void Dispatcher::record(const Acquisition::Task& task, Stages stages) const {
    stages.session = plan_.session;
    stages.accepted_ns = task.request.accepted_ns;
    stages.published_ns = platform::clock_ns();
    for (u64 row = 0; row < task.rows; ++row) {
        stages.id = task.request.id + row;
        options_.stages->record(stages);
    }
}

/// Never returns true early. False if the session was stopped and cannot wait that long.
bool Dispatcher::wait_until(u64 deadline_ns) {
    constexpr u64 kSpinNs = 100'000;  // a sleep may overshoot by as much: the end is spun
    constexpr u64 kSleepNs = 5'000'000;
    for (;;) {
        const u64 now = platform::clock_ns();
        if (now >= deadline_ns) return true;
        if (interrupted(now)) return false;
        const u64 left = deadline_ns - now;
        if (left > kSpinNs)
            platform::sleep_ns(static_cast<u32>(std::min(left - kSpinNs, kSleepNs)));
        else
            platform::pause();
    }
}

bool Dispatcher::interrupted(u64 now_ns) const {
    const EndReason reason = stop_.load(std::memory_order_acquire);
    if (reason == EndReason::None) return false;
    return !finishes_accepted(reason) || now_ns >= drain_deadline_ns();
}

u64 Dispatcher::drain_deadline_ns() const {
    return stop_ns_.load(std::memory_order_relaxed) +
           static_cast<u64>(options_.drain_s * static_cast<double>(kNsPerSecond));
}

/// The last answers. One look at the ports settles what was accepted; later requests find the port closed.
void Dispatcher::drain(EndReason reason) {
    for (const auto& port : ports_) collect_all(*port);
    bool more = finishes_accepted(reason);
    while (more && platform::clock_ns() < drain_deadline_ns()) {
        more = false;
        for (const auto& port : ports_) more |= serve(*port);
        count_up(turns_, 1);
    }
    for (const auto& port : ports_) {
        for (const Request& request : port->waiting) port->answer(request, wire::Status::SessionExpired, 0);
        port->waiting.clear();
    }
}

void Dispatcher::close_ports(EndReason reason) {
    for (const auto& port : ports_) port->server.close(static_cast<u64>(reason));
    ports_.clear();
}

}  // namespace photonlink::qsc
