// A session's client that reaches its controller by UDP datagrams, through a UdpGateway: it calls like any other. The
// caller works on a port of its own process; a thread carries the requests.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "photonlink/encoding.hpp"
#include "photonlink/link/fork.hpp"
#include "photonlink/qsc/client_config.hpp"
#include "photonlink/qsc/device_port.hpp"
#include "photonlink/wire/tag.hpp"

namespace photonlink::transport {

struct UdpSessionConfig : qsc::SessionTerms {
    std::string host;  // IPv4 address in numbers
    u16 port = 0;
    u64 key = 0;
    std::optional<wire::TagKey> tag_key;  // the session's, where frames carry tags; its key need not be known then
    u32 slots = 16;                       // at most as many as the gateway was opened with
    double connect_timeout_s = 5.0;
    double stall_limit_s = 10.0;  // silence of the controller after which it counts as lost
};

class UdpPump;

class UdpSession {
  public:
    /// Throws link::LinkError: Closed (nobody listens there, or the session has ended), Timeout (also of a wrong
    /// `tag_key`, which nobody answers), Rejected (another session's key); std::invalid_argument for an unusable
    /// address, std::system_error when the system refuses.
    UdpSession(std::shared_ptr<const Encoding> encoding, const UdpSessionConfig& config);
    ~UdpSession();
    UdpSession(const UdpSession&) = delete;
    UdpSession& operator=(const UdpSession&) = delete;

    qsc::SessionClient& client() { return *client_; }
    u64 output_size() const { return config_.output_size; }

    /// A port of its own for calls from a device, of at most `slots` slots and no more than this session has; a client
    /// of its own to the gateway. It may outlive this object. Throws what the constructor throws.
    std::shared_ptr<qsc::DevicePort> open_device_port(u32 slots) const;

  private:
    qsc::ClientConfig client_config() const;

    const link::ForkGuard fork_guard_;
    const std::shared_ptr<const Encoding> encoding_;
    const UdpSessionConfig config_;
    std::unique_ptr<qsc::SessionClient> client_;  // keeps the port
    std::unique_ptr<UdpPump> pump_;               // works on it
};

}  // namespace photonlink::transport
