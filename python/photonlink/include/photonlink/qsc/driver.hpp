// A processor that other code operates in a thread of its own: a hardware driver, or somebody else's simulator. Orders
// and answers cross a desk, so that the controller's threads never run foreign code, take no foreign lock, and never
// wait for longer than the driver's own limit.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "photonlink/optics/detection.hpp"
#include "photonlink/qsc/processor.hpp"

namespace photonlink::qsc {

struct DriverInfo {
    std::string name;
    bool simulated = true;
    bool exact = false;       // answers with probabilities, from which samples are drawn here; else with events
    double timeout_s = 60.0;  // that loading a program, or one datapoint, may take
};

/// One thing to do: load a program, or execute phases.
struct Order {
    u64 number = 0;
    std::shared_ptr<const optics::ProgramSpec> program;  // to be loaded; null: execute the one that is
    RunOptions options;
    std::vector<double> phases;  // radians
    u64 datapoint = 0;           // its 64-bit id
    u64 events = 0;              // wanted; 0: probabilities
};

struct DriverAnswer {
    enum class Failure : u8 { None, Program, Datapoint, Fatal };
    Failure failure = Failure::None;
    std::string error;
    std::vector<double> probabilities;  // of the kept states, in their order
    optics::DetectedEvents events;
};

class DriverDesk {
  public:
    explicit DriverDesk(DriverInfo info) : info_(std::move(info)) {}

    const DriverInfo& info() const { return info_; }

    // The driver's side, in one thread.

    /// Waits for the next order; none once the desk is closed.
    std::optional<Order> take();
    /// Does nothing if nobody waits for the answer any more.
    void answer(u64 number, DriverAnswer answer);
    /// Waits, but not for longer than somebody wants the answer. Returns whether that is still so.
    bool wait_while_wanted(u64 number, double seconds);

    // The controller's side.

    /// Returns the driver's answer. Throws ProcessorFatal if there is none in time or the desk is closed,
    /// std::runtime_error if it was interrupted, and what the answer's failure stands for.
    DriverAnswer ask(Order order, u64 deadline_ns);
    /// Whoever is asking gives up.
    void interrupt();
    /// Nobody takes or asks any more. May be repeated.
    void close();

  private:
    bool wanted(u64 number) const { return !closed_ && asked_ == number; }

    const DriverInfo info_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Order> pending_;
    std::optional<DriverAnswer> answer_;
    u64 last_ = 0;
    u64 asked_ = 0;  // number of the order that somebody waits for, or 0
    bool interrupted_ = false;
    bool closed_ = false;
};

/// Lets whoever serves `desk` execute programs. The desk is closed with the processor.
std::unique_ptr<Processor> make_driver_processor(std::shared_ptr<DriverDesk> desk, std::size_t memory_limit_bytes);

}  // namespace photonlink::qsc
