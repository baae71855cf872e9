#include "photonlink/transport/udp_gateway.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>
#include <vector>

#include "udp_carrier.hpp"
#include "udp_peer.hpp"

namespace photonlink::transport {

namespace {

constexpr u32 kDatagramsPerTurn = 16;     // then answers have their turn
constexpr u64 kBusySleepNs = 100'000;     // while the dispatcher owes an answer, which wakes nobody
constexpr u64 kIdleSleepNs = 20'000'000;  // the last answers of a session that ends can come when none is owed

// Every client draws its datapoint ids from a range of its own, so that two never share a random stream.
constexpr u64 kIdsPerClient = 1ULL << 40;

sockaddr_in checked_address(const UdpOptions& options) {
    const sockaddr_in address = udp_address(options.host, options.port);
    if (!is_loopback(address))
        throw std::invalid_argument(
            "UDP address " + options.host +
            " can be reached from other machines, and frames carry no authentication tags in this version: listen on "
            "127.0.0.1");
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
          silence_ns_(static_cast<u64>(options.silence_s * 1e9)),
          most_clients_(options.most_clients),
          socket_(bind_udp(checked_address(options))),
          port_(ntohs(local_address(socket_.get()).sin_port)),
          wake_(make_event()),
          carrier_(std::make_shared<UdpCarrier>([this] { return turn(); })),
          outbox_(socket_.get()),
          in_(wire::kMaxDatagramBytes + 1) {
        peers_.reserve(most_clients_);
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
        const UdpCarrier::Hold hold(*carrier_);
        harvest();
        carrier_->let_go();
    }

    const std::string& host() const { return host_; }
    u16 port() const { return port_; }
    u64 accepted() const { return accepted_.load(std::memory_order_relaxed); }

    UdpCounts counts() const {
        const auto read = [](const std::atomic<u64>& counter) { return counter.load(std::memory_order_relaxed); };
        return {read(received_), read(dropped_), read(refused_), read(repeated_)};
    }

    void open(const qsc::SessionGrant& grant, const link::Geometry& geometry, u64 first_range) {
        if (fork_guard_.inherited())  // the lock may be held by a thread that never came along
            throw qsc::ControllerFailed(
                "the UDP gateway belongs to the parent process and does not survive a fork; create one in this "
                "process");
        const UdpCarrier::Hold hold(*carrier_);
        controller_->carry(grant.session, [carrier = carrier_] { return carrier->dispatch(); });
        for (const auto& peer : peers_) peer->leave();
        peers_.clear();
        grant_ = grant;
        geometry_ = geometry;
        first_range_ = first_range;
        end_reason_ = 0;
        accepted_.store(0, std::memory_order_relaxed);
    }

  private:
    /// Takes in what came and sends what was answered; true if there was anything. Under a Hold, or by the dispatcher.
    bool turn() {
        const bool received = receive();
        return harvest() || received;
    }

    void run() {
        if (const auto& latency = controller_->latency()) latency->settle_transport();
        UdpIdle idle;
        while (!stopping_.load(std::memory_order_relaxed)) {
            if (carrier_->is_dispatched()) {
                await_datagram(-1, wake_.get(), UdpCarrier::kAwayNs);
                continue;
            }
            bool worked = false;
            bool owed = false;
            {
                const UdpCarrier::Hold hold(*carrier_);
                worked = turn();
                owed = busy();
            }
            if (worked)
                idle.worked();
            else
                idle.wait(socket_.get(), wake_.get(), owed ? kBusySleepNs : kIdleSleepNs);
        }
    }

    bool harvest() {
        bool worked = false;
        for (const auto& peer : peers_) worked |= peer->harvest();
        return worked;
    }

    bool busy() const {
        for (const auto& peer : peers_)
            if (peer->busy()) return true;
        return false;
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
        if (problem == wire::ParseError::TooShort || problem == wire::ParseError::WrongMagic || bytes > stride())
            return count_up(dropped_);
        std::optional<wire::Status> refusal;
        if (header.arg_len > stride() - wire::kHeaderBytes)
            refusal = wire::Status::BadLength;
        else if (problem != wire::ParseError::None)  // something was cut off on the way: it will come again
            return count_up(dropped_);
        else
            refusal = judge(header);
        if (refusal) refuse(header, *refusal);
    }

    std::optional<wire::Status> judge(const wire::RequestHeader& header) {
        if (!wire::is_known_to_datagrams(header.function_id)) return wire::Status::UnknownFunction;
        if (grant_.session == 0) return wire::Status::NotServing;
        if (header.arg_len < wire::kKeyBytes) return wire::Status::BadLength;
        u64 key;
        platform::copy_bytes(&key, wire::payload(in_.data()), sizeof key);
        if (key != grant_.key) return wire::Status::BadKey;
        UdpPeer* peer = find_peer();
        if (peer == nullptr) return header.function_id == wire::kPing ? tell_end(header) : turn_away();
        return peer->accept(header, in_.data());
    }

    /// The client that the datagram came from, an old one or a new one; null if it cannot be served.
    UdpPeer* find_peer() {
        const u64 address = address_word(from_);
        for (const auto& peer : peers_)
            if (peer->address() == address) return peer.get();
        return end_reason_ == 0 ? admit() : nullptr;
    }

    UdpPeer* admit() {
        for (std::size_t i = 0; peers_.size() >= most_clients_ && i < peers_.size(); ++i)
            if (peers_[i]->gone()) peers_.erase(peers_.begin() + static_cast<std::ptrdiff_t>(i));
        if (peers_.size() >= most_clients_) return nullptr;
        try {
            const auto peer = std::make_shared<UdpPeer>(from_, outbox_, geometry_, silence_ns_, repeated_);
            const u64 range = first_range_ + accepted_.load(std::memory_order_relaxed);
            qsc::PortAttachment attachment = UdpPeer::attachment(peer, range * kIdsPerClient);
            controller_->attach(grant_.session, std::move(attachment));
            peers_.push_back(peer);
            count_up(accepted_);
            return peer.get();
        } catch (const std::exception&) {  // the session has ended, or memory is short for one client more
            note_end();
            return nullptr;
        }
    }

    void note_end() {
        try {
            end_reason_ = static_cast<u64>(controller_->usage(grant_.session).end);
        } catch (const std::exception&) {  // a controller that is being shut down knows no sessions
            end_reason_ = static_cast<u64>(qsc::EndReason::Shutdown);
        }
    }

    wire::Status turn_away() const {
        return end_reason_ != 0 ? wire::Status::SessionExpired : wire::Status::NotServing;
    }

    /// Answers a ping from a client that comes when the session is over.
    std::optional<wire::Status> tell_end(const wire::RequestHeader& header) {
        if (end_reason_ == 0 || header.arg_len != wire::kKeyBytes) return turn_away();
        u64 words[static_cast<u32>(wire::PingWord::Count)] = {};
        words[static_cast<u32>(wire::PingWord::EndReason)] = end_reason_;
        outbox_.send(from_, wire::response_to(header, wire::Status::Ok, sizeof words), words, stride());
        return std::nullopt;
    }

    void refuse(const wire::RequestHeader& header, wire::Status status) {
        count_up(refused_);
        outbox_.send(from_, wire::response_to(header, status, 0), nullptr, stride());
    }

    u32 stride() const { return grant_.session == 0 ? wire::kDefaultStride : geometry_.slot_bytes; }

    const link::ForkGuard fork_guard_;
    const std::shared_ptr<qsc::Controller> controller_;
    const std::string host_;
    const u64 silence_ns_;
    const u32 most_clients_;
    const link::ParentOnlyFd socket_;
    const u16 port_;
    const link::ParentOnlyFd wake_;

    const std::shared_ptr<UdpCarrier> carrier_;

    // Of whoever has a turn or a Hold.
    qsc::SessionGrant grant_;
    link::Geometry geometry_;
    u64 first_range_ = 0;
    u64 end_reason_ = 0;  // of the open session, once that is known here
    std::vector<std::shared_ptr<UdpPeer>> peers_;
    UdpOutbox outbox_;
    std::vector<u8> in_;
    sockaddr_in from_{};

    std::atomic<u64> accepted_{0};
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
UdpCounts UdpGateway::counts() const { return impl_->counts(); }

void UdpGateway::require_valid(const link::Geometry& geometry) {
    link::require_valid(geometry);
    if (geometry.slot_bytes > wire::kMaxDatagramBytes)
        throw std::invalid_argument("a slot of " + std::to_string(geometry.slot_bytes) + " bytes fits no datagram (" +
                                    std::to_string(wire::kMaxDatagramBytes) + "): use shared memory");
}

void UdpGateway::open(const qsc::SessionGrant& grant, const link::Geometry& geometry, u64 first_range) {
    require_valid(geometry);
    impl_->open(grant, geometry, first_range);
}

}  // namespace photonlink::transport
