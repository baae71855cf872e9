// The life of a transport provider: loaded, created, connected, launched, disconnected, destroyed, all by one thread,
// since foreign code may block and some of it wants to be called by one thread only. Whoever waits for it waits a
// limited time; a provider that does not come back is left behind with its thread. Private to transport/.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "photonlink/transport/bridge_gateway.hpp"

namespace photonlink::transport {

class BridgeLife {
  public:
    /// Loads and creates; what fails later is in problem(). Throws BridgeError, TimedOut if it takes longer than
    /// `options.start_s`.
    explicit BridgeLife(const BridgeOptions& options);
    /// end().
    ~BridgeLife();
    BridgeLife(const BridgeLife&) = delete;
    BridgeLife& operator=(const BridgeLife&) = delete;

    const BridgePlane& plane() const { return shared_->plane; }
    const std::string& endpoint() const { return shared_->endpoint; }
    int version() const { return shared_->version; }

    /// True between launch and failure: frames may be moved.
    bool is_serving() const { return shared_->serving.load(std::memory_order_acquire); }  // pairs with run()
    BridgeState state() const;
    /// What went wrong, as whoever wants to use it is told.
    std::optional<BridgeError> problem() const;
    /// The provider cannot be worked with any more.
    void fail(const std::string& cause);

    /// Disconnects and destroys; nobody may move frames any more. False if the provider did not come back within
    /// `options.end_s`; a second call does not wait.
    bool end();

  private:
    struct Shared {
        explicit Shared(BridgeOptions chosen) : options(std::move(chosen)) {}

        const BridgeOptions options;
        // Written by the thread before `state` says so.
        BridgePlane plane{};
        std::string endpoint;
        int version = 0;
        std::unique_ptr<Bridge> bridge;
        bool connected = false;  // or it was tried; the thread's own

        std::atomic<bool> serving{false};
        std::mutex mutex;  // guards what follows
        std::condition_variable changed;
        BridgeState state = BridgeState::Starting;
        std::optional<BridgeError> problem;
        bool created = false;
        bool stop = false;
        bool in_connect = false;    // the one call that another thread may interrupt, by disconnect
        bool interrupting = false;  // and does

        void enter(BridgeState next);
        void leave_connect();
        void fail(const BridgeError& error);
        bool stopping();
    };

    static void run(const std::shared_ptr<Shared>& shared);
    static void start(Shared& shared);
    static void finish(Shared& shared);
    static void interrupt_connect(const std::shared_ptr<Shared>& shared);

    const std::shared_ptr<Shared> shared_;
};

}  // namespace photonlink::transport
