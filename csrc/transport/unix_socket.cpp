#include "unix_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "photonlink/link/memory.hpp"

namespace photonlink::transport {
namespace {

using link::LinkError;
using link::LinkStatus;
using link::UniqueFd;

constexpr u32 kRetryNs = 1'000'000;

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

struct SocketAddress {
    sockaddr_un name;
    socklen_t length;
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

/// "@name" is the abstract namespace: a leading zero byte, no terminator, gone with its last socket.
SocketAddress parse(const std::string& address) {
    SocketAddress result{};
    const bool abstract = !address.empty() && address[0] == '@';
    const std::size_t limit = sizeof result.name.sun_path - (abstract ? 0 : 1);
    if (address.size() < (abstract ? 2 : 1) || address.size() > limit || address.find('\0') != std::string::npos)
        throw std::invalid_argument("shared-memory address \"" + address + "\": expected a path or \"@name\", 1 to " +
                                    std::to_string(limit) + " characters");
    result.name.sun_family = AF_UNIX;
    std::memcpy(result.name.sun_path, address.data(), address.size());
    if (abstract) result.name.sun_path[0] = '\0';
    result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size() + (abstract ? 0 : 1));
    return result;
}

// SEQPACKET keeps the offer in one piece together with its descriptors.
UniqueFd make_socket() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) fail("cannot make a Unix socket");
    return fd;
}

}  // namespace

bool readable_until(int fd, u64 deadline_ns) {
    for (;;) {
        const u64 now = platform::clock_ns();
        const u64 left = deadline_ns > now ? deadline_ns - now : 0;
        // Rounded up, and capped so that it fits: poll() counts in milliseconds.
        const int wait_ms = static_cast<int>(std::min<u64>((left + 999'999) / 1'000'000, 1'000'000));
        pollfd entry{fd, POLLIN | POLLRDHUP, 0};
        const int ready = ::poll(&entry, 1, wait_ms);
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) fail("cannot wait on a Unix socket");
        if (ready == 0 && platform::clock_ns() >= deadline_ns) return false;
    }
}

UniqueFd listen_at(const std::string& address) {
    const SocketAddress where = parse(address);
    UniqueFd fd = make_socket();
    if (::bind(fd.get(), where.get(), where.length) != 0) {
        if (errno == EADDRINUSE)
            fail("shared-memory address \"" + address +
                 "\" is taken; choose another, or remove the file if its server is gone");
        fail("cannot bind \"" + address + "\"");
    }
    if (::listen(fd.get(), 16) != 0) fail("cannot listen at \"" + address + "\"");
    return fd;
}

std::optional<UniqueFd> accept_until(int listener, u64 deadline_ns) {
    while (readable_until(listener, deadline_ns)) {
        UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (fd) return fd;
        // The client may have left between the two calls.
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) fail("cannot accept a client");
    }
    return std::nullopt;
}

UniqueFd connect_until(const std::string& address, u64 deadline_ns) {
    const SocketAddress where = parse(address);
    UniqueFd fd = make_socket();
    while (::connect(fd.get(), where.get(), where.length) != 0) {
        if (errno == ENOENT || errno == ECONNREFUSED)
            throw LinkError(LinkStatus::Closed, "nobody listens at \"" + address + "\": start the controller first");
        if (errno != EAGAIN && errno != EINTR) fail("cannot connect to \"" + address + "\"");
        // The server's backlog is full; a Unix socket has nothing to wait on for that.
        if (platform::clock_ns() >= deadline_ns)
            throw LinkError(LinkStatus::Timeout, "the server at \"" + address + "\" accepts nobody in time");
        platform::sleep_ns(kRetryNs);
    }
    return fd;
}

PeerCredentials peer_credentials(int socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        fail("cannot learn who is at the other end of a Unix socket");
    return {credentials.pid, credentials.uid};
}

}  // namespace photonlink::transport
