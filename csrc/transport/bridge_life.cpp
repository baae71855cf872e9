#include "bridge_life.hpp"

#include <chrono>
#include <thread>

namespace photonlink::transport {

namespace {

using Kind = BridgeError::Kind;

std::chrono::duration<double> seconds(double value) { return std::chrono::duration<double>(value); }

}  // namespace

void BridgeLife::Shared::enter(BridgeState next) {
    {
        const std::lock_guard<std::mutex> lock(mutex);
        if (state != BridgeState::Failed || next == BridgeState::Ended) state = next;
        if (state == BridgeState::Connecting) created = in_connect = true;
    }
    changed.notify_all();
}

void BridgeLife::Shared::fail(const BridgeError& error) {
    serving.store(false, std::memory_order_relaxed);  // whoever moves frames is told by the problem that it met
    {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!problem) problem = error;
        state = BridgeState::Failed;
    }
    changed.notify_all();
}

void BridgeLife::Shared::leave_connect() {
    std::unique_lock<std::mutex> lock(mutex);
    in_connect = false;
    changed.wait(lock, [this] { return !interrupting; });
}

bool BridgeLife::Shared::stopping() {
    const std::lock_guard<std::mutex> lock(mutex);
    return stop;
}

BridgeLife::BridgeLife(const BridgeOptions& options) : shared_(std::make_shared<Shared>(options)) {
    std::thread([shared = shared_] { run(shared); }).detach();  // end() waits for it, as long as anybody would
    std::unique_lock<std::mutex> lock(shared_->mutex);
    const auto decided = [this] { return shared_->created || shared_->problem; };
    const bool in_time = shared_->changed.wait_for(lock, seconds(options.start_s), decided);
    if (shared_->created) return;
    shared_->stop = true;  // whenever it comes back, it ends by itself
    shared_->changed.notify_all();
    if (in_time) throw BridgeError(*shared_->problem);
    throw BridgeError(Kind::TimedOut, "the transport provider " + Bridge::file_of(options.library) +
                                          " was not created within " + std::to_string(options.start_s) + " s");
}

BridgeLife::~BridgeLife() { end(); }

BridgeState BridgeLife::state() const {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
    return shared_->state;
}

std::optional<BridgeError> BridgeLife::problem() const {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
    return shared_->problem;
}

void BridgeLife::fail(const std::string& cause) {
    shared_->fail({Kind::Broken, "the transport provider " + Bridge::file_of(shared_->options.library) +
                                     " cannot be worked with any more: " + cause + "; start the controller again"});
}

void BridgeLife::run(const std::shared_ptr<Shared>& shared) {
    try {
        start(*shared);
    } catch (const BridgeError& problem) {
        shared->fail(problem);
    } catch (const std::exception& problem) {
        shared->fail({Kind::Broken, "the transport provider " + Bridge::file_of(shared->options.library) +
                                        " raised an exception: " + problem.what()});
    }
    {
        std::unique_lock<std::mutex> lock(shared->mutex);
        shared->in_connect = false;
        shared->changed.wait(lock, [&shared] { return shared->stop && !shared->interrupting; });
    }
    finish(*shared);
    shared->enter(BridgeState::Ended);
}

void BridgeLife::start(Shared& shared) {
    const BridgeOptions& options = shared.options;
    shared.bridge = std::make_unique<Bridge>(options.library, options.arguments);
    shared.plane = shared.bridge->plane(options.slots);
    shared.version = shared.bridge->version();
    shared.endpoint = shared.bridge->endpoint();
    shared.bridge->offer_functions();
    if (shared.stopping()) return;
    shared.connected = true;
    shared.enter(BridgeState::Connecting);
    shared.bridge->connect();
    shared.leave_connect();
    if (shared.stopping()) return;
    shared.bridge->launch();
    shared.serving.store(true, std::memory_order_release);  // pairs with is_serving(): the plane may be used
    shared.enter(BridgeState::Serving);
}

void BridgeLife::finish(Shared& shared) {
    if (!shared.bridge) return;
    try {
        if (shared.connected) shared.bridge->disconnect();
    } catch (const std::exception& problem) {
        shared.fail({Kind::CallFailed, problem.what()});
    }
    shared.bridge.reset();
}

/// Some connects return when somebody disconnects meanwhile.
void BridgeLife::interrupt_connect(const std::shared_ptr<Shared>& shared) {
    std::thread([shared] {
        try {
            shared->bridge->disconnect();
        } catch (const std::exception&) {  // it is asked again when it has come back
        }
        {
            const std::lock_guard<std::mutex> lock(shared->mutex);
            shared->interrupting = false;
        }
        shared->changed.notify_all();
    }).detach();
}

bool BridgeLife::end() {
    std::unique_lock<std::mutex> lock(shared_->mutex);
    const auto over = [this] { return shared_->state == BridgeState::Ended; };
    if (shared_->stop) return over();
    shared_->stop = true;
    shared_->serving.store(false, std::memory_order_relaxed);
    shared_->interrupting = shared_->in_connect && !shared_->problem;
    if (shared_->interrupting) interrupt_connect(shared_);
    shared_->changed.notify_all();
    return shared_->changed.wait_for(lock, seconds(shared_->options.end_s), over);
}

}  // namespace photonlink::transport
