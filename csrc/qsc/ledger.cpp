#include "photonlink/qsc/ledger.hpp"

#include <chrono>
#include <limits>

namespace photonlink::qsc {

const char* to_string(EndReason reason) {
    switch (reason) {
        case EndReason::None:
            return "running";
        case EndReason::Released:
            return "released";
        case EndReason::IdleTimeout:
            return "idle timeout";
        case EndReason::MaxDuration:
            return "maximum duration";
        case EndReason::ClientLost:
            return "client lost";
        case EndReason::DispatcherDied:
            return "dispatcher died";
        case EndReason::Shutdown:
            return "shutdown";
        case EndReason::ProcessorHung:
            return "processor hung";
        case EndReason::Stopped:
            return "controller stopped";
        case EndReason::Interrupted:
            return "controller killed";
    }
    return "unknown";
}

void Counts::add(const Counts& more) {
    tokens += more.tokens;
    shots += more.shots;
    kept_samples += more.kept_samples;
    if (more.quantum_ns == kNoQuantumTime) return;
    if (quantum_ns == kNoQuantumTime) quantum_ns = 0;
    constexpr i64 kMost = std::numeric_limits<i64>::max();
    quantum_ns = quantum_ns > kMost - more.quantum_ns ? kMost : quantum_ns + more.quantum_ns;
}

i64 unix_time_ns() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

void MemoryLedger::open(u64 session, const std::string& digest, i64 configuration_ns) {
    const std::lock_guard<std::mutex> lock(mutex_);
    LedgerEntry& entry = entries_[session];
    entry.session = session;
    entry.digest = digest;
    entry.configuration_ns = configuration_ns;
    entry.started_unix_ns = unix_time_ns();
}

void MemoryLedger::count(u64 session, const Counts& executed) {
    const std::lock_guard<std::mutex> lock(mutex_);
    entries_.at(session).counts.add(executed);
}

void MemoryLedger::close(u64 session, u64 wall_ns, EndReason end) {
    const std::lock_guard<std::mutex> lock(mutex_);
    LedgerEntry& entry = entries_.at(session);
    entry.wall_ns = wall_ns;
    entry.end = end;
}

std::optional<LedgerEntry> MemoryLedger::find(u64 session) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = entries_.find(session);
    if (found == entries_.end()) return std::nullopt;
    return found->second;
}

std::vector<LedgerEntry> MemoryLedger::entries() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<LedgerEntry> all;
    for (const auto& [session, entry] : entries_) all.push_back(entry);
    return all;
}

}  // namespace photonlink::qsc
