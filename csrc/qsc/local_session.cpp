#include "photonlink/qsc/local_session.hpp"

#include "photonlink/qsc/attachment.hpp"
#include "photonlink/qsc/client_config.hpp"

namespace photonlink::qsc {

namespace {

struct PortMemory {
    link::InProcessPort port;
    std::shared_ptr<const Encoding> encoding;
};

struct DevicePortOwner {
    link::DevicePortMemory port;
    std::shared_ptr<const Encoding> encoding;
};

struct Attached {
    std::shared_ptr<PortMemory> memory;
    std::shared_ptr<const void> lent;
};

}  // namespace

LocalSession::LocalSession(std::shared_ptr<Controller> controller, std::shared_ptr<const optics::ProgramSpec> program,
                           std::shared_ptr<const Encoding> encoding, const SessionOptions& options, u32 slots)
    : controller_(std::move(controller)),
      encoding_(std::move(encoding)),
      options_(options),
      grant_(controller_->reserve(std::move(program), options)) {
    try {
        open_port(slots);
    } catch (...) {
        controller_->release(grant_.session);
        throw;
    }
}

ClientConfig LocalSession::client_config() const { return qsc::client_config(grant_, options_, encoding_->view()); }

void LocalSession::open_port(u32 slots) {
    ClientConfig config = client_config();
    config.most_request_rows = grant_.most_request_rows;  // their results go straight into the caller's rows
    const LocalMemory local(controller_->latency().get());
    const auto memory =
        std::make_shared<PortMemory>(PortMemory{link::InProcessPort(client_geometry(config, slots)), encoding_});
    client_ = std::make_unique<SessionClient>(memory->port.client(), config, memory);

    PortAttachment attachment;
    attachment.server = memory->port.server();
    attachment.owner = std::make_shared<Attached>(Attached{memory, client_->lent()});
    controller_->attach(grant_.session, std::move(attachment));
}

link::Geometry LocalSession::remote_geometry(u32 slots) const { return qsc::remote_geometry(client_config(), slots); }

std::shared_ptr<DevicePort> LocalSession::open_device_port(u32 slots) const {
    ClientConfig config = client_config();
    config.sample_bytes = 0;  // device code asks for none
    const auto owner = std::make_shared<DevicePortOwner>(
        DevicePortOwner{link::DevicePortMemory(qsc::remote_geometry(config, slots)), encoding_});
    PortAttachment attachment;
    attachment.server = owner->port.server();
    attachment.owner = owner;
    controller_->attach(grant_.session, std::move(attachment));
    return std::make_shared<DevicePort>(owner->port.geometry(), owner->port.requests(), owner->port.responses(), true,
                                        config, owner);
}

LocalSession::~LocalSession() {
    if (!inherited()) close();
}

Usage LocalSession::close() {
    const std::lock_guard<std::mutex> lock(close_mutex_);
    if (!closed_) {
        client_->finish();
        closed_ = controller_->release(grant_.session);
    }
    return *closed_;
}

}  // namespace photonlink::qsc
