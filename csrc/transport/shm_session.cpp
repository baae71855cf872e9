#include "photonlink/transport/shm_session.hpp"

#include <utility>

namespace photonlink::transport {

namespace {

struct Kept {
    std::shared_ptr<WatchedClient> port;
    std::shared_ptr<const Encoding> encoding;
};

u64 nanoseconds(double seconds) { return static_cast<u64>(seconds * 1e9); }

}  // namespace

ShmSession::ShmSession(const std::string& address, std::shared_ptr<const Encoding> encoding,
                       const ShmSessionConfig& config)
    : address_(address), encoding_(std::move(encoding)), config_(config) {
    const std::shared_ptr<WatchedClient> port = connect();
    client_ = std::make_unique<qsc::SessionClient>(port->port().client(), client_config(port->port()),
                                                   std::make_shared<Kept>(Kept{port, encoding_}));
}

ShmSession::~ShmSession() {
    if (!fork_guard_.inherited()) client_->finish();
}

std::shared_ptr<WatchedClient> ShmSession::connect() const {
    return std::make_shared<WatchedClient>(
        ShmClient::connect(address_, nanoseconds(config_.connect_timeout_s), nanoseconds(config_.stall_limit_s)));
}

qsc::ClientConfig ShmSession::client_config(const ShmClient& port) const {
    return qsc::client_config(port.session_key(), config_, encoding_->view());
}

std::shared_ptr<qsc::DevicePort> ShmSession::open_device_port() const {
    const std::shared_ptr<WatchedClient> watched = connect();
    const link::SharedClientPort& port = watched->port().port();
    return std::make_shared<qsc::DevicePort>(port.geometry(), port.requests(), port.responses(), false,
                                             client_config(watched->port()),
                                             std::make_shared<Kept>(Kept{watched, encoding_}));
}

}  // namespace photonlink::transport
