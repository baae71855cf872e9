// A client's end of a shared-memory port with a thread that looks after the server: whoever waits on the port, a kernel
// included, learns within milliseconds that the other process died, or within the stall limit that it hangs.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "photonlink/link/fork.hpp"
#include "photonlink/transport/shm.hpp"

namespace photonlink::transport {

class WatchedClient {
  public:
    explicit WatchedClient(std::unique_ptr<ShmClient> port);
    ~WatchedClient();
    WatchedClient(const WatchedClient&) = delete;
    WatchedClient& operator=(const WatchedClient&) = delete;

    ShmClient& port() const { return *port_; }

  private:
    void watch();

    const link::ForkGuard fork_guard_;
    const std::unique_ptr<ShmClient> port_;
    std::atomic<bool> stopping_{false};
    std::thread watcher_;
};

}  // namespace photonlink::transport
