#include "photonlink/transport/udp_client.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "photonlink/wire/datagram.hpp"

namespace photonlink::transport {

namespace {

// A socket that takes nothing for so long takes nothing more.
constexpr int kFullSocketMs = 100;

u32 checked_slot(u32 slot_bytes) {
    if (slot_bytes < wire::kHeaderBytes || slot_bytes > wire::kMaxDatagramBytes)
        throw std::invalid_argument("a slot of " + std::to_string(slot_bytes) + " bytes: expected " +
                                    std::to_string(wire::kHeaderBytes) + " to " +
                                    std::to_string(wire::kMaxDatagramBytes));
    return slot_bytes;
}

/// Connected, so that the kernel drops what others send.
link::UniqueFd connected_socket(const std::string& host, u16 port) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (const int problem = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); problem != 0)
        throw std::invalid_argument("host \"" + host + "\" has no IPv4 address: " + ::gai_strerror(problem));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
    link::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd || ::connect(fd.get(), found->ai_addr, found->ai_addrlen) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot reach " + host + " over UDP");
    return fd;
}

int milliseconds_until(u64 deadline_ns) {
    const u64 now = platform::clock_ns();
    const u64 left = deadline_ns > now ? deadline_ns - now : 0;
    return static_cast<int>(std::min<u64>((left + 999'999) / 1'000'000, 1'000'000));
}

std::chrono::steady_clock::time_point time_of(u64 deadline_ns) {
    const u64 most = static_cast<u64>(std::chrono::nanoseconds::max().count());
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(std::min(deadline_ns, most)));
}

}  // namespace

UdpClient::UdpClient(const std::string& host, u16 port, u32 slot_bytes, u32 in_flight)
    : peer_(host + ":" + std::to_string(port)),
      slot_bytes_(checked_slot(slot_bytes)),
      socket_(connected_socket(host, port)),
      flights_(std::max(in_flight, 1u)),
      outbox_(slot_bytes),
      inbox_(slot_bytes) {
    for (Flight& flight : flights_) flight.result.resize(slot_bytes - wire::kHeaderBytes);
}

UdpOutcome UdpClient::call(const UdpCall& call, u64 deadline_ns) {
    Ticket ticket{};
    const UdpOutcome sent = submit(call, deadline_ns, &ticket);
    if (sent.status != CallStatus::Ok) return sent;
    const UdpOutcome outcome = collect(ticket, call, deadline_ns);
    if (outcome.status == CallStatus::Timeout) abandon(ticket);
    return outcome;
}

UdpOutcome UdpClient::submit(const UdpCall& call, u64 deadline_ns, Ticket* ticket) {
    if (call.argument_bytes > most_argument_bytes())
        throw std::invalid_argument(std::to_string(call.argument_bytes) + " bytes of arguments; a slot of " + peer_ +
                                    " holds " + std::to_string(most_argument_bytes()));
    Lock lock(mutex_);
    if (!await(lock, deadline_ns, [this] { return free_flight() != nullptr; }) || closed_)
        return {closed_ ? CallStatus::Closed : CallStatus::Full, 0, 0, 0};
    while (flight_of(next_id_) != nullptr) ++next_id_;
    const u32 request_id = next_id_++;
    if (const CallStatus sent = send(call, request_id, deadline_ns); sent != CallStatus::Ok)
        return {sent, request_id, 0, 0};
    Flight& flight = *free_flight();
    flight.state = State::Sent;
    flight.request_id = request_id;
    ++traffic_.sent;
    *ticket = {static_cast<u32>(&flight - flights_.data()), request_id};
    return {CallStatus::Ok, request_id, 0, 0};
}

UdpOutcome UdpClient::collect(const Ticket& ticket, const UdpCall& call, u64 deadline_ns) {
    Lock lock(mutex_);
    Flight& flight = flights_[ticket.place];
    if (flight.state == State::Free || flight.request_id != ticket.request_id)
        return {CallStatus::Cancelled, ticket.request_id, 0, 0};
    if (await(lock, deadline_ns, [&flight] { return flight.state != State::Sent; })) return ended(flight, call);
    return {closed_ ? CallStatus::Closed : CallStatus::Timeout, ticket.request_id, 0, 0};
}

void UdpClient::abandon(const Ticket& ticket) {
    const Lock lock(mutex_);
    Flight& flight = flights_[ticket.place];
    if (flight.state == State::Free || flight.request_id != ticket.request_id) return;
    flight.state = State::Free;
    changed_.notify_all();
}

void UdpClient::close() {
    const Lock lock(mutex_);
    closed_ = true;
    ::shutdown(socket_.get(), SHUT_RDWR);  // wakes the thread that receives
    changed_.notify_all();
}

UdpTraffic UdpClient::traffic() const {
    const Lock lock(mutex_);
    return traffic_;
}

/// Receives, or lets another thread receive, until `ready`; false at the deadline and when the client is closed. It
/// looks once in any case, so that a deadline that has passed takes what is there.
template <class Ready>
bool UdpClient::await(Lock& lock, u64 deadline_ns, const Ready& ready) {
    for (bool looked = false; !ready(); looked = true) {
        if (closed_) return false;
        const bool late = platform::clock_ns() >= deadline_ns;
        if (late && (looked || receiving_)) return false;
        if (receiving_)
            changed_.wait_until(lock, time_of(deadline_ns));
        else
            receive_one(lock, deadline_ns);
    }
    return true;
}

void UdpClient::receive_one(Lock& lock, u64 deadline_ns) {
    receiving_ = true;
    lock.unlock();
    const i64 bytes = receive(deadline_ns);
    const bool nobody = bytes < 0 && errno == ECONNREFUSED;
    lock.lock();
    receiving_ = false;
    if (nobody) fail_all(CallStatus::PeerLost);
    if (bytes >= 0 && !closed_) deliver(static_cast<u64>(bytes));
    changed_.notify_all();
}

/// Length of the next datagram, of which inbox_ may hold less; negative if none came.
i64 UdpClient::receive(u64 deadline_ns) {
    const i64 bytes = ::recv(socket_.get(), inbox_.data(), inbox_.size(), MSG_TRUNC);
    if (bytes >= 0 || (errno != EAGAIN && errno != EINTR)) return bytes;
    pollfd entry{socket_.get(), POLLIN, 0};
    if (::poll(&entry, 1, milliseconds_until(deadline_ns)) <= 0) return -1;
    return ::recv(socket_.get(), inbox_.data(), inbox_.size(), MSG_TRUNC);
}

void UdpClient::deliver(u64 bytes) {
    wire::ResponseHeader header{};
    wire::ParseError problem = wire::parse_response(inbox_.data(), bytes, &header);
    if (bytes > slot_bytes_) problem = wire::ParseError::LengthBeyondSlot;
    Flight* const flight = problem == wire::ParseError::TooShort ? nullptr : flight_of(header.request_id);
    if (problem != wire::ParseError::None) {
        ++traffic_.malformed;
        if (flight != nullptr) fail(*flight, CallStatus::ProtocolError);  // nothing better will come
        return;
    }
    if (flight == nullptr || header.ptp_timestamp != 0) {  // every request of ours has stamp 0
        ++traffic_.stale;
        return;
    }
    ++traffic_.answered;
    flight->state = State::Answered;
    flight->header = header;
    if (header.result_len != 0)
        platform::copy_bytes(flight->result.data(), wire::payload(inbox_.data()), header.result_len);
}

void UdpClient::fail(Flight& flight, CallStatus status) {
    flight.state = State::Failed;
    flight.failure = status;
}

void UdpClient::fail_all(CallStatus status) {
    for (Flight& flight : flights_)
        if (flight.state == State::Sent) fail(flight, status);
}

/// The whole slot, as NVIDIA's transports ship it. The socket reports here what an earlier datagram met: that ends what
/// is in flight, and says nothing of this one.
CallStatus UdpClient::send(const UdpCall& call, u32 request_id, u64 deadline_ns) {
    std::fill(outbox_.begin(), outbox_.end(), u8{0});
    wire::write_request(outbox_.data(), call.function_id, static_cast<u32>(call.argument_bytes), request_id, 0);
    if (call.argument_bytes != 0)
        platform::copy_bytes(wire::payload(outbox_.data()), call.arguments, call.argument_bytes);
    bool full = false;
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (::send(socket_.get(), outbox_.data(), outbox_.size(), MSG_NOSIGNAL) >= 0) return CallStatus::Ok;
        full = errno == EAGAIN;
        if (errno == ECONNREFUSED) {
            fail_all(CallStatus::PeerLost);
            changed_.notify_all();
        } else if (full && attempt == 0) {
            pollfd entry{socket_.get(), POLLOUT, 0};
            ::poll(&entry, 1, std::min(milliseconds_until(deadline_ns), kFullSocketMs));
        }
    }
    return full ? CallStatus::Full : CallStatus::PeerLost;
}

UdpClient::Flight* UdpClient::free_flight() {
    const auto found = std::find_if(flights_.begin(), flights_.end(),
                                    [](const Flight& flight) { return flight.state == State::Free; });
    return found == flights_.end() ? nullptr : &*found;
}

UdpClient::Flight* UdpClient::flight_of(u32 request_id) {
    const auto found = std::find_if(flights_.begin(), flights_.end(), [request_id](const Flight& flight) {
        return flight.state == State::Sent && flight.request_id == request_id;
    });
    return found == flights_.end() ? nullptr : &*found;
}

UdpOutcome UdpClient::ended(Flight& flight, const UdpCall& call) {
    UdpOutcome outcome{flight.failure, flight.request_id, 0, 0};
    if (flight.state == State::Answered) {
        outcome.remote_status = flight.header.status;
        outcome.status = flight.header.status == 0 ? CallStatus::Ok : CallStatus::Refused;
        if (outcome.status == CallStatus::Ok) outcome.result_bytes = flight.header.result_len;
        if (outcome.result_bytes != 0 && outcome.result_bytes <= call.result_capacity)
            platform::copy_bytes(call.result, flight.result.data(), outcome.result_bytes);
    }
    flight.state = State::Free;
    changed_.notify_all();
    return outcome;
}

}  // namespace photonlink::transport
