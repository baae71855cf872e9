#include "photonlink/transport/watched_client.hpp"

#include <chrono>
#include <utility>

namespace photonlink::transport {

namespace {

// How soon a dead controller is noticed, and how long a stop may have to wait for the watcher to look up.
constexpr auto kWatchPeriod = std::chrono::milliseconds(5);

}  // namespace

WatchedClient::WatchedClient(std::unique_ptr<ShmClient> port)
    : port_(std::move(port)), watcher_(&WatchedClient::watch, this) {}

WatchedClient::~WatchedClient() {
    if (fork_guard_.inherited()) {
        watcher_.detach();  // the thread never came along, and the memory of the port neither
        return;
    }
    stopping_.store(true, std::memory_order_relaxed);  // joined below: the join orders everything
    watcher_.join();
}

void WatchedClient::watch() {
    while (!stopping_.load(std::memory_order_relaxed) && port_->watchdog().check())
        std::this_thread::sleep_for(kWatchPeriod);
}

}  // namespace photonlink::transport
