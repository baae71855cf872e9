#include "photonlink/transport/shm_service.hpp"

#include <chrono>

#include "photonlink/qsc/attachment.hpp"

namespace photonlink::transport {

namespace {

// How long a stop may have to wait for the listening thread to look up.
constexpr u64 kAcceptSliceNs = 50'000'000;

// Every port draws its datapoint ids from a range of its own, so that two clients never share a random stream.
constexpr u64 kIdsPerPort = 1ULL << 40;

}  // namespace

ShmService::ShmService(std::shared_ptr<qsc::Controller> controller, const qsc::SessionGrant& grant,
                       const std::string& address, const link::Geometry& geometry, u64 first_range)
    : controller_(std::move(controller)),
      grant_(grant),
      geometry_(geometry),
      first_range_(first_range),
      server_(address) {
    link::require_valid(geometry_);
    thread_ = std::thread(&ShmService::accept_loop, this);
}

ShmService::~ShmService() {
    stopping_.store(true, std::memory_order_relaxed);  // joined below: the join orders everything
    thread_.join();
}

void ShmService::accept_loop() {
    if (const auto& latency = controller_->latency()) latency->settle_transport();
    while (!stopping_.load(std::memory_order_relaxed)) {
        try {
            std::shared_ptr<ShmServerPort> port = server_.accept(kAcceptSliceNs, geometry_, grant_.key);
            if (port == nullptr) continue;
            const u64 earlier = accepted_.load(std::memory_order_relaxed);
            qsc::PortAttachment attachment;
            attachment.server = port->server();
            attachment.alive = [port] { return port->peer_alive(); };
            attachment.first_id = (first_range_ + earlier) * kIdsPerPort;
            attachment.owner = std::move(port);
            controller_->attach(grant_.session, std::move(attachment));
            accepted_.store(earlier + 1, std::memory_order_relaxed);
        } catch (const std::exception&) {
            // The session has ended, or the system refused one client's memory. The port goes with this scope and its
            // client sees a hang-up; the next client may fare better, after a moment.
            std::this_thread::sleep_for(std::chrono::nanoseconds(kAcceptSliceNs));
        }
    }
}

}  // namespace photonlink::transport
