#include "udp_link.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace photonlink::device_call {

namespace {

/// A socket that is connected to the first address of `host`; negative if there is none.
int connected_socket(const char* host, u16 port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host, std::to_string(port).c_str(), &hints, &found) != 0) return -1;
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
    const int fd = ::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && ::connect(fd, found->ai_addr, found->ai_addrlen) == 0) return fd;
    if (fd >= 0) ::close(fd);
    return -1;
}

}  // namespace

std::unique_ptr<UdpLink> UdpLink::connect(const char* host, u16 port, u32 slot_bytes, u64 timeout_ns) {
    const int fd = connected_socket(host, port);
    if (fd < 0) return nullptr;
    return std::unique_ptr<UdpLink>(
        new UdpLink(fd, std::string(host) + ":" + std::to_string(port), slot_bytes, timeout_ns));
}

UdpLink::UdpLink(int socket, std::string peer, u32 slot_bytes, u64 timeout_ns)
    : socket_(socket), peer_(std::move(peer)), timeout_(timeout_ns), slot_(slot_bytes), answer_(slot_bytes) {}

UdpLink::~UdpLink() { ::close(socket_); }

photonlink_device_link UdpLink::table(std::unique_ptr<UdpLink> link) {
    photonlink_device_link table{};
    table.abi = PHOTONLINK_DEVICE_CALL_ABI;
    table.call = [](void* context, photonlink_device_call* call) {
        return static_cast<UdpLink*>(context)->answer(*call);
    };
    table.drop = [](void* context) { delete static_cast<UdpLink*>(context); };
    table.context = link.release();
    return table;
}

i32 UdpLink::answer(photonlink_device_call& call) {
    const Clock::time_point deadline = Clock::now() + timeout_;
    if (!take_turn(deadline)) return fail(call, PHOTONLINK_DEVICE_TIMEOUT, "other calls kept the link busy to");
    const i32 status = exchange(call, deadline);
    end_turn();
    return status;
}

bool UdpLink::take_turn(Clock::time_point deadline) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!done_.wait_until(lock, deadline, [this] { return !busy_; })) return false;
    busy_ = true;
    return true;
}

void UdpLink::end_turn() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        busy_ = false;
    }
    done_.notify_one();
}

i32 UdpLink::exchange(photonlink_device_call& call, Clock::time_point deadline) {
    if (call.request_bytes > slot_.size() - wire::kHeaderBytes)
        return fail(call, PHOTONLINK_DEVICE_INVALID_ARGUMENT, "the arguments do not fit a slot of the link to");
    call.request_id = ++last_id_;
    if (!send(call)) return fail(call, PHOTONLINK_DEVICE_NOT_INITIALIZED, "nothing listens at");
    for (;;) {
        const i64 received = receive(deadline);
        if (received == 0) return fail(call, PHOTONLINK_DEVICE_TIMEOUT, "no answer came from");
        if (received < 0) return fail(call, PHOTONLINK_DEVICE_NOT_INITIALIZED, "nothing listens at");
        wire::ResponseHeader header;
        const auto problem = wire::parse_response(answer_.data(), static_cast<u64>(received), &header);
        if (problem == wire::ParseError::None && header.request_id == call.request_id) return take(header, call);
    }
}

/// The whole slot, as every ring transport ships it; what follows the frame is zero.
bool UdpLink::send(const photonlink_device_call& call) {
    std::fill(slot_.begin(), slot_.end(), u8{0});
    wire::write_request(slot_.data(), call.function_id, static_cast<u32>(call.request_bytes), call.request_id, 0);
    if (call.request_bytes != 0) std::memcpy(wire::payload(slot_.data()), call.request, call.request_bytes);
    // A refusal that an earlier datagram met is reported by the next call on the socket: it says nothing of this one.
    for (int attempt = 0; attempt < 2; ++attempt)
        if (::send(socket_, slot_.data(), slot_.size(), MSG_NOSIGNAL) >= 0) return true;
    return false;
}

i64 UdpLink::receive(Clock::time_point deadline) {
    for (;;) {
        const i64 received = ::recv(socket_, answer_.data(), answer_.size(), MSG_DONTWAIT);
        if (received > 0) return received;
        if (received < 0 && errno == ECONNREFUSED) return -1;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left < 0) return 0;
        pollfd ready{socket_, POLLIN, 0};
        ::poll(&ready, 1, static_cast<int>(std::min<i64>(left + 1, 1000)));
    }
}

i32 UdpLink::take(const wire::ResponseHeader& header, photonlink_device_call& call) const {
    call.remote_status = header.status;
    if (header.status != 0) return fail(call, PHOTONLINK_DEVICE_REMOTE_ERROR, "the function was refused by");
    if (header.result_len != 0 && header.result_len == call.response_bytes)
        std::memcpy(call.response, wire::payload(answer_.data()), header.result_len);
    call.response_bytes = header.result_len;
    return PHOTONLINK_DEVICE_OK;
}

i32 UdpLink::fail(photonlink_device_call& call, i32 status, const char* what) const {
    std::snprintf(call.cause, sizeof call.cause, "%s %s", what, peer_.c_str());
    return status;
}

}  // namespace photonlink::device_call
