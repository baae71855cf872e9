#include "photonlink/transport/bridge_gateway.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <thread>
#include <utility>

#include "bridge_desk.hpp"
#include "bridge_life.hpp"
#include "gateway_carrier.hpp"
#include "remote_peer.hpp"

namespace photonlink::transport {

namespace {

constexpr u32 kRequestsPerTurn = 16;                // then answers have their turn
constexpr std::chrono::microseconds kBusyWait{50};  // nothing wakes the gateway's thread: it looks
constexpr std::chrono::microseconds kIdleWait{1000};
constexpr u64 kIdsPerClient = 1ULL << 40;  // as behind a UdpGateway

/// The client at the other end, whose answers go into the slots of its requests.
class BridgePeer : public RemotePeer {
  public:
    BridgePeer(BridgeDesk& desk, const link::Geometry& geometry, u64 silence_ns, std::atomic<u64>& repeated)
        : RemotePeer(geometry, silence_ns, repeated), desk_(desk) {}

    void answer(u32 place, const wire::ResponseHeader& header, const void* result) override {
        desk_.answer(place, header, result);
    }

  private:
    void await_answer(u32 place, u32 first) override { desk_.await_answer(place, first); }
    std::optional<wire::Status> overload() const override { return wire::Status::NotServing; }

    BridgeDesk& desk_;  // the gateway's, and not touched once that is gone
};

}  // namespace

class BridgeGateway::Impl {
  public:
    Impl(std::shared_ptr<qsc::Controller> controller, const BridgeOptions& options)
        : controller_(std::move(controller)),
          silence_ns_(static_cast<u64>(options.silence_s * 1e9)),
          life_(std::make_shared<BridgeLife>(options)),
          desk_(life_->plane(), silence_ns_),
          carrier_(std::make_shared<GatewayCarrier>([this] { return turn(); })) {
        thread_ = std::thread(&Impl::run, this);
    }

    ~Impl() {
        if (fork_guard_.inherited()) {  // neither thread nor provider came along
            thread_.detach();
            new std::shared_ptr<BridgeLife>(life_);  // never waited for
            return;
        }
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        thread_.join();
        {
            const GatewayCarrier::Hold hold(*carrier_);
            if (life_->is_serving()) end_session();
            carrier_->let_go();
        }
        life_->end();
    }

    const BridgeLife& life() const { return *life_; }
    u64 accepted() const { return accepted_.load(std::memory_order_relaxed); }

    BridgeCounts counts() const {
        const auto read = [](const std::atomic<u64>& counter) { return counter.load(std::memory_order_relaxed); };
        return {read(received_), read(dropped_), read(refused_), read(repeated_)};
    }

    void open(const qsc::SessionGrant& grant, const link::Geometry& geometry, u64 request_bytes, u64 first_range) {
        if (fork_guard_.inherited())
            throw qsc::ControllerFailed(
                "the bridge gateway belongs to the parent process and does not survive a fork; create one in this "
                "process");
        if (const std::optional<BridgeError> problem = life_->problem()) throw BridgeError(*problem);
        const link::Geometry shape = shape_of(geometry, request_bytes);
        const GatewayCarrier::Hold hold(*carrier_);
        controller_->carry(grant.session, [carrier = carrier_] { return carrier->dispatch(); });
        if (life_->is_serving()) end_session();
        if (peer_) peer_->leave();
        peer_.reset();
        over_ = false;
        grant_ = grant;
        geometry_ = shape;
        first_id_ = first_range * kIdsPerClient;
        accepted_.store(0, std::memory_order_relaxed);
    }

  private:
    /// The provider decides how many slots there are, and how long they are.
    link::Geometry shape_of(const link::Geometry& wanted, u64 request_bytes) const {
        const BridgePlane& plane = life_->plane();
        if (request_bytes > plane.slot_bytes)
            throw std::invalid_argument("a request has " + std::to_string(request_bytes) +
                                        " bytes, and a slot of the transport provider " +
                                        std::to_string(plane.slot_bytes) + ": start the provider with larger slots");
        link::Geometry shape{plane.slots, plane.slot_bytes, wanted.result_bytes};
        if (wanted.slot_bytes > plane.slot_bytes && shape.result_bytes == 0)
            shape.result_bytes = link::round_up(wanted.slot_bytes, kCacheLine);
        link::require_valid(shape);
        return shape;
    }

    /// Takes in what came and answers what is done; true if there was anything. Under a Hold, or by the dispatcher.
    bool turn() {
        if (!life_->is_serving()) return false;
        // Providers fill their slots in order: behind one that is owed an answer, nothing may get in.
        if (peer_ && desk_.owes()) peer_->excuse_silence();
        const bool received = receive();
        const bool answered = peer_ && !over_ && peer_->harvest();
        if (peer_ && !over_ && peer_->close_reason() != 0) end_session();
        if (over_ && desk_.owes()) desk_.refuse_all(wire::Status::SessionExpired);
        if (const auto& problem = desk_.problem()) life_->fail(*problem);
        return received || answered;
    }

    bool receive() {
        u32 taken = 0;
        u32 place = 0;
        for (; taken < kRequestsPerTurn && desk_.take(&place); ++taken) {
            count_up(received_);
            accept(place);
        }
        return taken != 0;
    }

    void accept(u32 place) {
        wire::RequestHeader header;
        const wire::ParseError problem = wire::parse_request(desk_.frame(), desk_.slot_bytes(), &header);
        if (problem == wire::ParseError::WrongMagic) {
            count_up(dropped_);
            return desk_.drop(place);
        }
        std::optional<wire::Status> refusal = wire::Status::BadLength;
        if (problem == wire::ParseError::None) refusal = judge(header, place);
        if (!refusal) return;
        count_up(refused_);
        desk_.refuse(place, *refusal);
    }

    std::optional<wire::Status> judge(const wire::RequestHeader& header, u32 place) {
        if (!wire::is_known_to_datagrams(header.function_id)) return wire::Status::UnknownFunction;
        if (grant_.session == 0) return wire::Status::NotServing;
        if (header.arg_len < wire::kKeyBytes) return wire::Status::BadLength;
        u64 key;
        platform::copy_bytes(&key, wire::payload(desk_.frame()), sizeof key);
        if (key != grant_.key) return wire::Status::BadKey;
        if (!peer_ && !admit()) return wire::Status::SessionExpired;
        return peer_->accept(header, desk_.frame(), place);
    }

    /// Makes the peer a client of the session; false if that has ended.
    bool admit() {
        if (over_) return false;
        try {
            const auto peer = std::make_shared<BridgePeer>(desk_, geometry_, silence_ns_, repeated_);
            qsc::PortAttachment attachment = RemotePeer::attachment(peer, first_id_);
            attachment.alive = [peer, life = life_] { return life->is_serving() && peer->alive(); };
            controller_->attach(grant_.session, std::move(attachment));
            peer_ = peer;
            accepted_.store(1, std::memory_order_relaxed);
        } catch (const std::exception&) {  // the session has ended, or memory is short
            over_ = true;
        }
        return !over_;
    }

    /// The last answers; whoever waits for another is told that there will be none. The peer still knows what was
    /// answered, and answers it again.
    void end_session() {
        if (peer_ && !over_) peer_->harvest();
        over_ = true;
        desk_.refuse_all(wire::Status::SessionExpired);
    }

    void run() {
        if (const auto& latency = controller_->latency()) latency->settle_transport();
        std::unique_lock<std::mutex> lock(mutex_);
        const auto stopping = [this] { return stopping_; };
        while (!stopping_) {
            if (carrier_->is_dispatched()) {
                wake_.wait_for(lock, std::chrono::nanoseconds(GatewayCarrier::kAwayNs), stopping);
                continue;
            }
            lock.unlock();
            const auto rest = work();
            lock.lock();
            if (rest.count() != 0) wake_.wait_for(lock, rest, stopping);
        }
    }

    /// How long nothing needs to be done.
    std::chrono::microseconds work() {
        const GatewayCarrier::Hold hold(*carrier_);
        if (turn()) return std::chrono::microseconds{0};
        return desk_.owes() ? kBusyWait : kIdleWait;
    }

    const link::ForkGuard fork_guard_;
    const std::shared_ptr<qsc::Controller> controller_;
    const u64 silence_ns_;
    const std::shared_ptr<BridgeLife> life_;

    // Of whoever has a turn or a Hold.
    BridgeDesk desk_;
    qsc::SessionGrant grant_;
    link::Geometry geometry_;
    u64 first_id_ = 0;
    bool over_ = false;  // the open session has ended
    std::shared_ptr<BridgePeer> peer_;

    std::atomic<u64> accepted_{0};
    std::atomic<u64> received_{0};
    std::atomic<u64> dropped_{0};
    std::atomic<u64> refused_{0};
    std::atomic<u64> repeated_{0};

    const std::shared_ptr<GatewayCarrier> carrier_;
    std::mutex mutex_;  // guards stopping_
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

BridgeGateway::BridgeGateway(std::shared_ptr<qsc::Controller> controller, const BridgeOptions& options)
    : impl_(std::make_unique<Impl>(std::move(controller), options)) {}

BridgeGateway::~BridgeGateway() = default;

const std::string& BridgeGateway::endpoint() const { return impl_->life().endpoint(); }
int BridgeGateway::version() const { return impl_->life().version(); }
BridgePlane::Form BridgeGateway::form() const { return impl_->life().plane().form; }
u32 BridgeGateway::slots() const { return impl_->life().plane().slots; }
u32 BridgeGateway::slot_bytes() const { return impl_->life().plane().slot_bytes; }
BridgeState BridgeGateway::state() const { return impl_->life().state(); }
u64 BridgeGateway::accepted() const { return impl_->accepted(); }
BridgeCounts BridgeGateway::counts() const { return impl_->counts(); }

std::string BridgeGateway::problem() const {
    const std::optional<BridgeError> problem = impl_->life().problem();
    return problem ? problem->what() : "";
}

void BridgeGateway::open(const qsc::SessionGrant& grant, const link::Geometry& geometry, u64 request_bytes,
                         u64 first_range) {
    impl_->open(grant, geometry, request_bytes, first_range);
}

}  // namespace photonlink::transport
