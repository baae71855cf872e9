// What a session has used. Counts are stored before the response that they belong to is published, so that no caller
// can hold a result that was never counted.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "photonlink/qsc/clock.hpp"

namespace photonlink::qsc {

/// Why a session ended. The number is also the reason that the session's ports are closed with.
enum class EndReason : u64 {
    None = 0,  // still running
    Released = 1,
    IdleTimeout = 2,
    MaxDuration = 3,
    ClientLost = 4,
    DispatcherDied = 5,  // see Status::cause
    Shutdown = 6,
    ProcessorHung = 7,  // it never came back, and may still write into memory lent with a request
    Stopped = 8,        // its service was stopped, in good order
    Interrupted = 9,    // the controller's process was killed; found by the next one that opens the ledger
};

const char* to_string(EndReason reason);

/// Whether requests accepted before such an end are still executed.
constexpr bool finishes_accepted(EndReason reason) {
    return reason == EndReason::Released || reason == EndReason::Stopped;
}

/// The ledger cannot take what it must keep; the message names the file and the fix. Nothing is executed then.
struct LedgerError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Sums over executed datapoints.
struct Counts {
    u64 tokens = 0;        // datapoints executed, failed ones included
    u64 shots = 0;         // samples asked for by executed datapoints
    u64 kept_samples = 0;  // samples that came back
    i64 quantum_ns = kNoQuantumTime;

    void add(const Counts& more);
};

struct LedgerEntry {
    u64 session = 0;
    std::string digest;
    Counts counts;
    i64 configuration_ns = kNoQuantumTime;  // modelled time of loading the program
    u64 wall_ns = 0;
    EndReason end = EndReason::None;
    i64 started_unix_ns = 0;  // wall-clock time of the reservation
};

/// Wall-clock time, in nanoseconds since 1970.
i64 unix_time_ns();

/// Where counts are kept. `count` comes from the dispatcher thread, the rest from the control plane.
class Ledger {
  public:
    virtual ~Ledger() = default;
    /// Throws LedgerError if there is no room for one more session.
    virtual void open(u64 session, const std::string& digest, i64 configuration_ns) = 0;
    /// Must have stored `executed` when it returns: the responses follow.
    virtual void count(u64 session, const Counts& executed) = 0;
    virtual void close(u64 session, u64 wall_ns, EndReason end) = 0;
    virtual std::optional<LedgerEntry> find(u64 session) const = 0;
    virtual std::vector<LedgerEntry> entries() const = 0;
};

/// A ledger that lives as long as its process.
class MemoryLedger : public Ledger {
  public:
    void open(u64 session, const std::string& digest, i64 configuration_ns) override;
    void count(u64 session, const Counts& executed) override;
    void close(u64 session, u64 wall_ns, EndReason end) override;
    std::optional<LedgerEntry> find(u64 session) const override;
    std::vector<LedgerEntry> entries() const override;

  private:
    mutable std::mutex mutex_;
    std::map<u64, LedgerEntry> entries_;
};

}  // namespace photonlink::qsc
