#include "photonlink/transport/udp_gateway.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>
#include <vector>

#include "gateway_carrier.hpp"
#include "udp_clients.hpp"
#include "udp_ping.hpp"
#include "udp_tags.hpp"

namespace photonlink::transport {

namespace {

constexpr u32 kDatagramsPerTurn = 16;     // then answers have their turn
constexpr u64 kBusySleepNs = 100'000;     // while the dispatcher owes an answer, which wakes nobody
constexpr u64 kIdleSleepNs = 20'000'000;  // the last answers of a session that ends can come when none is owed

sockaddr_in checked_address(const UdpOptions& options) {
    const sockaddr_in address = udp_address(options.host, options.port);
    if (!options.tags && !is_loopback(address))
        throw std::invalid_argument("UDP address " + options.host +
                                    " can be reached from other machines: let frames carry authentication tags "
                                    "(tags), or listen on 127.0.0.1");
    return address;
}

link::UniqueFd make_event() {
    link::UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) throw std::system_error(errno, std::generic_category(), "cannot make an event descriptor");
    return fd;
}

}  // namespace

class UdpGateway::Impl {
  public:
    Impl(std::shared_ptr<qsc::Controller> controller, const UdpOptions& options)
        : controller_(std::move(controller)),
          host_(options.host),
          tagged_(options.tags),
          socket_(bind_udp(checked_address(options))),
          port_(ntohs(local_address(socket_.get()).sin_port)),
          wake_(make_event()),
          carrier_(std::make_shared<GatewayCarrier>([this] { return turn(); })),
          outbox_(socket_.get()),
          clients_(controller_, options, outbox_, repeated_),
          in_(wire::kMaxDatagramBytes + 1) {
        thread_ = std::thread(&Impl::run, this);
    }

    ~Impl() {
        if (fork_guard_.inherited()) {
            thread_.detach();  // it never came along
            return;
        }
        stopping_.store(true, std::memory_order_relaxed);  // joined below: the join orders everything
        const u64 one = 1;
        static_cast<void>(!::write(wake_.get(), &one, sizeof one));
        thread_.join();
        const GatewayCarrier::Hold hold(*carrier_);
        clients_.harvest();
        carrier_->let_go();
    }

    const std::string& host() const { return host_; }
    u16 port() const { return port_; }
    u64 accepted() const { return clients_.accepted(); }
    u32 slot_bytes() const { return slot_bytes_.load(std::memory_order_relaxed); }

    UdpCounts counts() const {
        const auto read = [](const std::atomic<u64>& counter) { return counter.load(std::memory_order_relaxed); };
        return {read(received_), read(dropped_), read(refused_), read(repeated_)};
    }

    std::optional<wire::TagKey> open(const qsc::SessionGrant& grant, const link::Geometry& geometry, u64 first_range) {
        if (fork_guard_.inherited())  // the lock may be held by a thread that never came along
            throw qsc::ControllerFailed(
                "the UDP gateway belongs to the parent process and does not survive a fork; create one in this "
                "process");
        if (tagged_ && geometry.slot_bytes > wire::kMaxDatagramBytes - wire::kTagBytes)
            throw std::invalid_argument("a slot of " + std::to_string(geometry.slot_bytes) +
                                        " bytes and a tag fit no datagram: use shared memory");
        const GatewayCarrier::Hold hold(*carrier_);
        controller_->carry(grant.session, [carrier = carrier_] { return carrier->dispatch(); });
        if (tagged_) tags_ = UdpTags();  // first: no session without its secrets, should there be no randomness
        clients_.open(grant, geometry, first_range);
        slot_bytes_.store(geometry.slot_bytes, std::memory_order_relaxed);  // a number by itself, as those of counts()
        return tagged_ ? std::optional(tags_->key()) : std::nullopt;
    }

  private:
    /// Sends what was answered and takes in what came; true if there was anything. Under a Hold, or by the dispatcher.
    bool turn() {
        const bool sent = clients_.harvest();  // first: a look at the socket that finds nothing would delay it
        return receive() || sent;
    }

    void run() {
        if (const auto& latency = controller_->latency()) latency->settle_transport();
        UdpIdle idle;
        while (!stopping_.load(std::memory_order_relaxed)) {
            if (carrier_->is_dispatched()) {
                await_datagram(-1, wake_.get(), GatewayCarrier::kAwayNs);
                continue;
            }
            bool worked = false;
            bool owed = false;
            {
                const GatewayCarrier::Hold hold(*carrier_);
                worked = turn();
                owed = clients_.busy();
            }
            if (worked)
                idle.worked();
            else
                idle.wait(socket_.get(), wake_.get(), owed ? kBusySleepNs : kIdleSleepNs);
        }
    }

    bool receive() {
        u32 taken = 0;
        for (; taken < kDatagramsPerTurn; ++taken) {
            socklen_t length = sizeof from_;
            const ssize_t bytes = ::recvfrom(socket_.get(), in_.data(), in_.size(), MSG_DONTWAIT,
                                             reinterpret_cast<sockaddr*>(&from_), &length);
            if (bytes < 0) break;
            count_up(received_);
            take(static_cast<u64>(bytes));
        }
        return taken != 0;
    }

    void take(u64 bytes) {
        wire::RequestHeader header;
        const wire::ParseError problem = wire::parse_request(in_.data(), bytes, &header);
        if (problem == wire::ParseError::TooShort || problem == wire::ParseError::WrongMagic ||
            bytes > clients_.stride())
            return count_up(dropped_);
        if (tagged_) return take_tagged(header, problem);
        if (header.arg_len > clients_.stride() - wire::kHeaderBytes) return refuse(header, wire::Status::BadLength);
        if (problem != wire::ParseError::None)  // something was cut off on the way: it will come again
            return count_up(dropped_);
        if (const std::optional<wire::Status> refusal = judge(header)) refuse(header, *refusal);
    }

    std::optional<wire::Status> judge(const wire::RequestHeader& header) {
        if (!wire::is_known_to_datagrams(header.function_id)) return wire::Status::UnknownFunction;
        if (!clients_.has_session()) return wire::Status::NotServing;
        if (header.arg_len < wire::kKeyBytes) return wire::Status::BadLength;
        u64 key;
        platform::copy_bytes(&key, wire::payload(in_.data()), sizeof key);
        if (key != clients_.session_key()) return wire::Status::BadKey;
        UdpPeer* peer = clients_.find(from_);
        if (peer == nullptr) peer = clients_.admit(from_, std::nullopt);
        if (peer != nullptr) return peer->accept(header, in_.data());
        return header.function_id == wire::kPing ? tell_end(header) : clients_.turn_away();
    }

    /// Answers a ping from a client that comes when the session is over.
    std::optional<wire::Status> tell_end(const wire::RequestHeader& header) {
        if (clients_.end_reason() == 0 || header.arg_len != wire::kKeyBytes) return clients_.turn_away();
        const auto words = end_words(clients_.end_reason());
        outbox_.send(from_, wire::response_to(header, wire::Status::Ok, sizeof words), words.data(), clients_.stride());
        return std::nullopt;
    }

    void refuse(const wire::RequestHeader& header, wire::Status status) {
        count_up(refused_);
        outbox_.send(from_, wire::response_to(header, status, 0), nullptr, clients_.stride());
    }

    /// Whatever does not carry the right tag was damaged, recorded or made up, and gets no answer, unless it is a ping
    /// from the session before.
    void take_tagged(const wire::RequestHeader& header, wire::ParseError problem) {
        if (problem != wire::ParseError::None || header.arg_len < wire::kTagBytes || !clients_.has_session())
            return count_up(dropped_);
        if (header.function_id == wire::kJoin) return join(header);
        void* payload = wire::payload(in_.data());
        UdpPeer* peer = clients_.find(from_);
        if (peer == nullptr || !carries_tag(*peer->tag_key(), header, payload)) {
            if (!clients_.tell_former(from_, header, payload)) count_up(dropped_);
            return;
        }
        const u64 key = clients_.session_key();  // whom the tag has let in need not know it
        platform::copy_bytes(payload, &key, sizeof key);
        std::optional<wire::Status> refusal = wire::Status::UnknownFunction;
        if (wire::is_known_to_datagrams(header.function_id)) refusal = peer->accept(header, in_.data());
        if (!refusal) return;
        count_up(refused_);
        peer->answer(0, wire::response_to(header, *refusal, 0), nullptr);
    }

    void join(const wire::RequestHeader& header) {
        wire::JoinArgs args;
        if (header.arg_len != sizeof args || !carries_tag(tags_->key(), header, wire::payload(in_.data())))
            return count_up(dropped_);
        platform::copy_bytes(&args, wire::payload(in_.data()), sizeof args);
        const u64 cookie = is_member(args) ? args.cookie : tags_->cookie(from_, args.nonce, clients_.accepted());
        const wire::TagKey key = wire::client_key(tags_->key(), args.nonce, cookie);
        wire::Status status = wire::Status::Ok;
        if (args.cookie != cookie)
            status = wire::Status::JoinAgain;
        else if (!is_member(args) && clients_.admit(from_, key) == nullptr)
            status = clients_.turn_away();
        const wire::JoinResult result{cookie, clients_.stride()};
        outbox_.send_tagged(from_, wire::response_to(header, status, sizeof result), &result, key);
    }

    /// Whether the client at this address has joined with these numbers, and only did not hear so.
    bool is_member(const wire::JoinArgs& args) const {
        const UdpPeer* peer = clients_.find(from_);
        if (peer == nullptr) return false;
        const wire::TagKey key = wire::client_key(tags_->key(), args.nonce, args.cookie);
        return key.low == peer->tag_key()->low && key.high == peer->tag_key()->high;
    }

    const link::ForkGuard fork_guard_;
    const std::shared_ptr<qsc::Controller> controller_;
    const std::string host_;
    const bool tagged_;
    const link::ParentOnlyFd socket_;
    const u16 port_;
    const link::ParentOnlyFd wake_;

    const std::shared_ptr<GatewayCarrier> carrier_;

    // Of whoever has a turn or a Hold.
    UdpOutbox outbox_;
    UdpClients clients_;
    std::optional<UdpTags> tags_;  // of the open session, where frames carry them
    std::vector<u8> in_;
    sockaddr_in from_{};

    std::atomic<u32> slot_bytes_{wire::kDefaultStride};
    std::atomic<u64> received_{0};
    std::atomic<u64> dropped_{0};
    std::atomic<u64> refused_{0};
    std::atomic<u64> repeated_{0};

    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

UdpGateway::UdpGateway(std::shared_ptr<qsc::Controller> controller, const UdpOptions& options)
    : impl_(std::make_unique<Impl>(std::move(controller), options)) {}

UdpGateway::~UdpGateway() = default;

const std::string& UdpGateway::host() const { return impl_->host(); }
u16 UdpGateway::port() const { return impl_->port(); }
u64 UdpGateway::accepted() const { return impl_->accepted(); }
u32 UdpGateway::slot_bytes() const { return impl_->slot_bytes(); }
UdpCounts UdpGateway::counts() const { return impl_->counts(); }

void UdpGateway::require_valid(const link::Geometry& geometry) {
    link::require_valid(geometry);
    if (geometry.slot_bytes > wire::kMaxDatagramBytes)
        throw std::invalid_argument("a slot of " + std::to_string(geometry.slot_bytes) + " bytes fits no datagram (" +
                                    std::to_string(wire::kMaxDatagramBytes) + "): use shared memory");
}

std::optional<wire::TagKey> UdpGateway::open(const qsc::SessionGrant& grant, const link::Geometry& geometry,
                                             u64 first_range) {
    require_valid(geometry);
    return impl_->open(grant, geometry, first_range);
}

}  // namespace photonlink::transport
