// Offers one running session of a controller to other processes of this machine: every client that connects gets a
// port of its own in shared memory, which the controller's dispatcher serves beside the others.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "photonlink/qsc/controller.hpp"
#include "photonlink/transport/shm.hpp"

namespace photonlink::transport {

class ShmService {
  public:
    /// Listens on `address` ("@name" or a path) until destroyed. Clients get ports of `geometry` and the session's
    /// key; they are turned away once the session has ended. The datapoint ids of the first client start in range
    /// `first_range`: 0 unless a port in this process has that. Throws std::invalid_argument for an unusable address or
    /// geometry, std::system_error when the address is taken.
    ShmService(std::shared_ptr<qsc::Controller> controller, const qsc::SessionGrant& grant, const std::string& address,
               const link::Geometry& geometry, u64 first_range = 1);
    /// Stops listening; ports that were handed out live on until the session ends.
    ~ShmService();
    ShmService(const ShmService&) = delete;
    ShmService& operator=(const ShmService&) = delete;

    const std::string& address() const { return server_.address(); }
    /// Clients that were given a port so far.
    u64 accepted() const { return accepted_.load(std::memory_order_relaxed); }

  private:
    void accept_loop();

    const std::shared_ptr<qsc::Controller> controller_;
    const qsc::SessionGrant grant_;
    const link::Geometry geometry_;
    const u64 first_range_;
    ShmServer server_;
    std::atomic<bool> stopping_{false};
    std::atomic<u64> accepted_{0};
    std::thread thread_;
};

}  // namespace photonlink::transport
