// A session's client in another process than its controller: connects to a ShmService, and calls like any other.
#pragma once

#include <memory>
#include <string>

#include "photonlink/encoding.hpp"
#include "photonlink/link/fork.hpp"
#include "photonlink/qsc/client_config.hpp"
#include "photonlink/qsc/device_port.hpp"
#include "photonlink/transport/watched_client.hpp"

namespace photonlink::transport {

/// The key comes with the port.
struct ShmSessionConfig : qsc::SessionTerms {
    double connect_timeout_s = 5.0;
    double stall_limit_s = 10.0;  // silence after which a living controller counts as lost; it may only be short of CPU
};

class ShmSession {
  public:
    /// Throws what ShmClient::connect() throws.
    ShmSession(const std::string& address, std::shared_ptr<const Encoding> encoding, const ShmSessionConfig& config);
    ~ShmSession();
    ShmSession(const ShmSession&) = delete;
    ShmSession& operator=(const ShmSession&) = delete;

    qsc::SessionClient& client() { return *client_; }
    u64 output_size() const { return config_.output_size; }

    /// A port of its own for calls from a device; it may outlive this object. Throws what ShmClient::connect() throws.
    std::shared_ptr<qsc::DevicePort> open_device_port() const;

  private:
    std::shared_ptr<WatchedClient> connect() const;
    qsc::ClientConfig client_config(const ShmClient& port) const;

    const link::ForkGuard fork_guard_;
    const std::string address_;
    const std::shared_ptr<const Encoding> encoding_;
    const ShmSessionConfig config_;
    std::unique_ptr<qsc::SessionClient> client_;
};

}  // namespace photonlink::transport
