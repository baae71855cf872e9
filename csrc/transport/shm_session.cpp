#include "photonlink/transport/shm_session.hpp"

#include <chrono>
#include <utility>

namespace photonlink::transport {

namespace {

// How soon a dead controller is noticed, and how long a stop may have to wait for the watcher to look up.
constexpr auto kWatchPeriod = std::chrono::milliseconds(5);

struct Kept {
    std::shared_ptr<ShmClient> port;
    std::shared_ptr<const Encoding> encoding;
};

u64 nanoseconds(double seconds) { return static_cast<u64>(seconds * 1e9); }

}  // namespace

ShmSession::ShmSession(const std::string& address, std::shared_ptr<const Encoding> encoding,
                       const ShmSessionConfig& config)
    : output_size_(config.output_size),
      port_(ShmClient::connect(address, nanoseconds(config.connect_timeout_s), nanoseconds(config.stall_limit_s))) {
    qsc::ClientConfig client;
    client.key = port_->session_key();
    // The controller adds the high bits of the ids: it knows which range this port was given.
    client.first_id = 0;
    client.output_size = config.output_size;
    client.max_counts = config.max_counts;
    client.precision = config.precision;
    client.encoding = encoding->view();
    client_ = std::make_unique<qsc::SessionClient>(port_->client(), client,
                                                   std::make_shared<Kept>(Kept{port_, std::move(encoding)}));
    watcher_ = std::thread(&ShmSession::watch, this);
}

ShmSession::~ShmSession() {
    if (fork_guard_.inherited()) {
        watcher_.detach();  // the thread never came along, and the memory of the port neither
        return;
    }
    client_->finish();
    stopping_.store(true, std::memory_order_relaxed);  // joined below: the join orders everything
    watcher_.join();
}

void ShmSession::watch() {
    while (!stopping_.load(std::memory_order_relaxed) && port_->watchdog().check())
        std::this_thread::sleep_for(kWatchPeriod);
}

}  // namespace photonlink::transport
