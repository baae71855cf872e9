#include "photonlink/qsc/local_session.hpp"

#include <algorithm>

#include "photonlink/qsc/attachment.hpp"

namespace photonlink::qsc {

namespace {

struct PortMemory {
    link::InProcessPort port;
    std::shared_ptr<const Encoding> encoding;
};

struct Attached {
    std::shared_ptr<PortMemory> memory;
    std::shared_ptr<const void> lent;
};

}  // namespace

LocalSession::LocalSession(std::shared_ptr<Controller> controller, std::shared_ptr<const optics::ProgramSpec> program,
                           std::shared_ptr<const Encoding> encoding, const SessionOptions& options, u32 slots)
    : controller_(std::move(controller)), grant_(controller_->reserve(std::move(program), options)) {
    try {
        open_port(std::move(encoding), options, slots);
    } catch (...) {
        controller_->release(grant_.session);
        throw;
    }
}

void LocalSession::open_port(std::shared_ptr<const Encoding> encoding, const SessionOptions& options, u32 slots) {
    ClientConfig config;
    config.key = grant_.key;
    config.first_id = grant_.first_id;
    config.output_size = grant_.output_size;
    config.max_counts = std::min<u64>(options.shots, grant_.basis_size);
    config.precision = options.precision;
    config.encoding = encoding->view();
    const auto memory =
        std::make_shared<PortMemory>(PortMemory{link::InProcessPort(client_geometry(config, slots)), encoding});
    client_ = std::make_unique<SessionClient>(memory->port.client(), config, memory);

    PortAttachment attachment;
    attachment.server = memory->port.server();
    attachment.owner = std::make_shared<Attached>(Attached{memory, client_->lent()});
    attachment.first_id = grant_.first_id;
    controller_->attach(grant_.session, std::move(attachment));
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
