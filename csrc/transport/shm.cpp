#include "photonlink/transport/shm.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "unix_socket.hpp"

namespace photonlink::transport {
namespace {

using link::Geometry;
using link::LinkError;
using link::LinkStatus;
using link::UniqueFd;

/// What the server says once; the two segment descriptors travel beside it.
struct OfferMessage {
    u64 magic;
    u32 version;
    u32 slots;
    u32 slot_bytes;
    u32 reserved;
    u64 result_bytes;
    u64 session_key;
};
static_assert(sizeof(OfferMessage) == 40, "the offer has no padding");

constexpr std::size_t kOfferFds = 2;
constexpr std::size_t kFdBytes = kOfferFds * sizeof(int);

/// Ancillary data of an offer, aligned as the socket calls want it.
struct ControlBuffer {
    alignas(cmsghdr) char bytes[CMSG_SPACE(kFdBytes)] = {};
};

msghdr describe(OfferMessage* message, iovec* part, ControlBuffer* control) {
    *part = {message, sizeof *message};
    msghdr header{};
    header.msg_iov = part;
    header.msg_iovlen = 1;
    header.msg_control = control->bytes;
    header.msg_controllen = sizeof control->bytes;
    return header;
}

}  // namespace

bool PeerSocket::alive() const {
    pollfd entry{fd_.get(), POLLRDHUP, 0};
    return ::poll(&entry, 1, 0) <= 0;  // only hang-up and errors can be reported: neither side sends anything more
}

ShmServerPort::ShmServerPort(const Geometry& geometry, UniqueFd socket, pid_t peer_pid)
    : port_(geometry), socket_(std::move(socket)), peer_pid_(peer_pid) {}

bool ShmServerPort::send_offer(u64 session_key) {
    const Geometry& geometry = port_.geometry();
    OfferMessage message{link::kPortMagic,      link::kPortVersion, geometry.slots, geometry.slot_bytes, 0,
                         geometry.result_bytes, session_key};
    iovec part;
    ControlBuffer control;
    const msghdr header = describe(&message, &part, &control);
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(kFdBytes);
    const int fds[kOfferFds] = {port_.request_fd(), port_.response_fd()};
    std::memcpy(CMSG_DATA(rights), fds, sizeof fds);
    const ssize_t sent = ::sendmsg(socket_.fd(), &header, MSG_NOSIGNAL);
    port_.close_fds();
    return sent == static_cast<ssize_t>(sizeof message);
}

ShmServer::ShmServer(std::string address) : address_(std::move(address)), listener_(listen_at(address_)) {}

ShmServer::~ShmServer() {
    if (address_[0] != '@' && !guard_.inherited()) ::unlink(address_.c_str());
}

std::unique_ptr<ShmServerPort> ShmServer::accept(u64 timeout_ns, const Geometry& geometry, u64 session_key) {
    link::require_valid(geometry);
    const u64 deadline_ns = platform::clock_ns() + timeout_ns;
    while (auto socket = accept_until(listener_.get(), deadline_ns)) {
        const PeerCredentials peer = peer_credentials(socket->get());
        if (peer.uid != ::geteuid()) continue;
        auto port = std::make_unique<ShmServerPort>(geometry, std::move(*socket), peer.pid);
        if (port->send_offer(session_key)) return port;
    }
    return nullptr;
}

struct ShmClient::Offer {
    OfferMessage message{};
    UniqueFd fds[kOfferFds];

    Geometry geometry() const { return {message.slots, message.slot_bytes, message.result_bytes}; }
    void receive(int socket, const std::string& address);
};

void ShmClient::Offer::receive(int socket, const std::string& address) {
    iovec part;
    ControlBuffer control;
    msghdr header = describe(&message, &part, &control);
    const ssize_t got = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (got <= 0) throw LinkError(LinkStatus::Rejected, "the server at \"" + address + "\" hung up without an offer");
    // Owned before anything is judged, so that no refusal leaks a descriptor.
    std::size_t count = 0;
    for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t at = 0; CMSG_LEN((at + 1) * sizeof(int)) <= item->cmsg_len; ++at) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(item) + at * sizeof(int), sizeof fd);
            UniqueFd owned(fd);
            if (count < kOfferFds) fds[count] = std::move(owned);
            ++count;
        }
    }
    const bool whole =
        got == static_cast<ssize_t>(sizeof message) && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    if (!whole || count != kOfferFds || message.magic != link::kPortMagic || message.version != link::kPortVersion)
        throw LinkError(LinkStatus::ProtocolError,
                        "the server at \"" + address + "\" speaks another protocol: got " + std::to_string(got) +
                            " bytes and " + std::to_string(count) + " descriptors, version " +
                            std::to_string(message.version) + "; expected " + std::to_string(sizeof message) + ", " +
                            std::to_string(kOfferFds) + " and " + std::to_string(link::kPortVersion));
}

ShmClient::ShmClient(const Offer& offer, UniqueFd socket, u64 stall_limit_ns)
    : socket_(std::move(socket)),
      port_(offer.geometry(), offer.fds[0].get(), offer.fds[1].get()),
      watchdog_(port_.client(), stall_limit_ns, [this] { return socket_.alive(); }),
      session_key_(offer.message.session_key) {}

std::unique_ptr<ShmClient> ShmClient::connect(const std::string& address, u64 timeout_ns, u64 stall_limit_ns) {
    const u64 deadline_ns = platform::clock_ns() + timeout_ns;
    UniqueFd socket = connect_until(address, deadline_ns);
    if (peer_credentials(socket.get()).uid != ::geteuid())
        throw LinkError(LinkStatus::Rejected, "the server at \"" + address + "\" belongs to another user");
    if (!readable_until(socket.get(), deadline_ns))
        throw LinkError(LinkStatus::Timeout, "the server at \"" + address + "\" made no offer in time: is it busy?");
    Offer offer;
    offer.receive(socket.get(), address);
    return std::unique_ptr<ShmClient>(new ShmClient(offer, std::move(socket), stall_limit_ns));
}

}  // namespace photonlink::transport
