// A session's client in another process than its controller: connects to a ShmService, and calls like any other.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "photonlink/encoding.hpp"
#include "photonlink/qsc/client.hpp"
#include "photonlink/transport/shm.hpp"

namespace photonlink::transport {

/// What a client in another process must be told about its session by the control plane; the key comes with the port.
struct ShmSessionConfig {
    u64 output_size = 0;
    u64 max_counts = 0;  // most distinct states in one report: min(shots, basis size)
    optics::Precision precision = optics::Precision::Float64;
    double connect_timeout_s = 5.0;
    double stall_limit_s = 2.0;  // silence of the controller after which it counts as lost
};

class ShmSession {
  public:
    /// Throws what ShmClient::connect() throws.
    ShmSession(const std::string& address, std::shared_ptr<const Encoding> encoding, const ShmSessionConfig& config);
    ~ShmSession();
    ShmSession(const ShmSession&) = delete;
    ShmSession& operator=(const ShmSession&) = delete;

    qsc::SessionClient& client() { return *client_; }
    u64 output_size() const { return output_size_; }

  private:
    void watch();

    const link::ForkGuard fork_guard_;
    const u64 output_size_;
    const std::shared_ptr<ShmClient> port_;
    std::unique_ptr<qsc::SessionClient> client_;
    std::atomic<bool> stopping_{false};
    std::thread watcher_;
};

}  // namespace photonlink::transport
