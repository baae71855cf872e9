#include "photonlink/transport/udp_session.hpp"

#include <algorithm>
#include <utility>

#include "photonlink/link/memory.hpp"
#include "udp_join.hpp"
#include "udp_ping.hpp"
#include "udp_pump.hpp"

namespace photonlink::transport {

namespace {

struct HostPort {
    link::InProcessPort port;
    std::shared_ptr<const Encoding> encoding;
};

struct DevicePortOwner {
    link::DevicePortMemory port;
    std::shared_ptr<const Encoding> encoding;
    std::unique_ptr<UdpPump> pump;  // gone before the port
};

u64 nanoseconds(double seconds) { return static_cast<u64>(seconds * 1e9); }

std::unique_ptr<UdpPump> connect(const UdpSessionConfig& config, const UdpPumpPort& port) {
    const sockaddr_in gateway = udp_address(config.host, config.port);
    const u64 deadline_ns = platform::clock_ns() + nanoseconds(config.connect_timeout_s);
    link::UniqueFd socket = connect_udp(gateway);
    UdpMembership member{config.key, std::nullopt, 0};
    if (config.tag_key)
        member = join_gateway(socket.get(), gateway, *config.tag_key, deadline_ns);
    else
        greet_gateway(socket.get(), gateway, config.key, deadline_ns);
    return std::make_unique<UdpPump>(std::move(socket), port, member, nanoseconds(config.stall_limit_s));
}

}  // namespace

UdpSession::UdpSession(std::shared_ptr<const Encoding> encoding, const UdpSessionConfig& config)
    : encoding_(std::move(encoding)), config_(config) {
    const qsc::ClientConfig client = client_config();
    // Large results go where the call wants them: the pump lives here and can follow the pointer.
    const auto memory = std::make_shared<HostPort>(
        HostPort{link::InProcessPort(qsc::client_geometry(client, config_.slots)), encoding_});
    client_ = std::make_unique<qsc::SessionClient>(memory->port.client(), client, memory);
    pump_ = connect(config_, {memory->port.server(), memory->port.client()});
}

UdpSession::~UdpSession() {
    if (fork_guard_.inherited()) return;
    client_->finish();
    pump_.reset();  // before the port and what calls have lent to it
}

qsc::ClientConfig UdpSession::client_config() const {
    return qsc::client_config(config_.key, config_, encoding_->view());
}

std::shared_ptr<qsc::DevicePort> UdpSession::open_device_port(u32 slots) const {
    const qsc::ClientConfig client = client_config();
    const auto owner = std::make_shared<DevicePortOwner>(DevicePortOwner{
        link::DevicePortMemory(qsc::remote_geometry(client, std::min(slots, config_.slots))), encoding_, nullptr});
    const link::ClientHandle client_words(owner->port.geometry(), owner->port.requests(), owner->port.responses(),
                                          nullptr, nullptr, nullptr);  // close words only: the rest is the device's
    owner->pump = connect(config_, {owner->port.server(), client_words});
    return std::make_shared<qsc::DevicePort>(owner->port.geometry(), owner->port.requests(), owner->port.responses(),
                                             true, client, owner);
}

}  // namespace photonlink::transport
