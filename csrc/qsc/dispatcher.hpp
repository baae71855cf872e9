// The thread that answers a session's requests.
//
// It goes round the ports; at each one it answers what needs no processor at once, queues datapoints by id, and
// executes at most one batch before it goes on. It reads no clock, takes no lock and allocates nothing on that way,
// except where the realtime clock waits, and what a carrier does: time limits, lost clients and heartbeats are
// the supervisor's business (controller.cpp).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "acquisition.hpp"
#include "photonlink/qsc/dispatcher_options.hpp"
#include "served_port.hpp"

namespace photonlink::qsc {

// A counter of the dispatcher thread. One writer, so that a plain load and store will do; relaxed, because a count
// carries nothing with it.
inline void count_up(std::atomic<u64>& counter, u64 by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

class Dispatcher {
  public:
    /// `on_end` is called by the thread as its last act.
    Dispatcher(Processor& processor, Ledger& ledger, const SessionPlan& plan, const DispatcherOptions& options,
               std::function<void()> on_end);
    ~Dispatcher();  // the thread must have been stopped
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    void attach(std::shared_ptr<ServedPort> port);
    void carry(Carrier carrier);
    /// Some port's `leave` was set.
    void notice();
    /// finishes_accepted() reasons execute what was accepted, within drain_s; others refuse it. Then the ports are
    /// closed. The first reason stays.
    void stop(EndReason reason);

    /// Nobody will ever wait for the thread: this object must then stay as long as the process.
    void let_go() { thread_.detach(); }

    /// Its ports are closed, or are about to be: true for whoever has seen one of them closed by it.
    bool ending() const { return ending_.load(std::memory_order_acquire); }
    bool ended() const { return ended_.load(std::memory_order_acquire); }
    /// After ended(): the reason of stop(), or DispatcherDied.
    EndReason end_reason() const { return end_reason_; }
    /// Why it died, or what the processor raised last.
    std::string error() const;

    // Signs of life, for the supervisor.
    u64 turns() const { return turns_.load(std::memory_order_relaxed); }
    u64 requests() const { return requests_.load(std::memory_order_relaxed); }
    bool acquiring() const { return acquiring_.load(std::memory_order_relaxed); }

  private:
    void run();
    void loop();
    bool turn();
    void back_off(u32 idle_turns);
    void look_around();
    bool look(ServedPort& port);
    bool collect(ServedPort& port);
    void collect_all(ServedPort& port);
    u32 sort_in(ServedPort& port, u32 arrived);
    bool serve(ServedPort& port);
    void fill_batch(ServedPort& port);
    wire::Status admit(ServedPort& port, const Request& request, u64 rows);
    bool inject_fault();
    void execute(ServedPort& port);
    void publish(ServedPort& port, u64 started_ns);
    void record(const Acquisition::Task& task, Stages stages) const;
    void answer_now(ServedPort& port, const Request& request);
    u32 answer_status(ServedPort& port, const Request& request);
    void drain(EndReason reason);
    void close_ports(EndReason reason);
    bool wait_until(u64 deadline_ns);
    bool interrupted(u64 now_ns) const;
    u64 drain_deadline_ns() const;
    void set_error(const std::string& error);

    Ledger& ledger_;
    const SessionPlan plan_;
    const DispatcherOptions options_;
    const std::function<void()> on_end_;

    // The dispatcher thread's own.
    Acquisition batch_;
    std::vector<std::shared_ptr<ServedPort>> ports_;
    std::vector<Carrier> carriers_;
    Counts counts_;
    u64 admitted_ = 0;    // datapoints taken into batches: what the budget is compared with
    u64 id_ranges_ = 0;   // given to ports that brought none
    u64 datapoints_ = 0;  // datapoints seen, for Faults
    EndReason end_reason_ = EndReason::None;

    // Shared with the control plane.
    std::atomic<bool> attention_{false};
    std::atomic<EndReason> stop_{EndReason::None};
    std::atomic<u64> stop_ns_{0};
    std::atomic<bool> ending_{false};
    std::atomic<bool> ended_{false};
    std::atomic<bool> acquiring_{false};
    alignas(kCacheLine) std::atomic<u64> turns_{0};
    std::atomic<u64> requests_{0};
    mutable std::mutex mutex_;  // guards the three below
    std::vector<std::shared_ptr<ServedPort>> arriving_;
    std::vector<Carrier> arriving_carriers_;
    std::string error_;

    std::thread thread_;  // last: starts when everything above is there
};

}  // namespace photonlink::qsc
