#include "udp_socket.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace photonlink::transport {

namespace {

// The socket's buffer is the queue of what has not been looked at yet; the system may grant less.
constexpr int kBufferBytes = 4 << 20;

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

link::UniqueFd make_socket() {
    link::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) fail("cannot make a UDP socket");
    for (const int which : {SO_RCVBUF, SO_SNDBUF})
        ::setsockopt(fd.get(), SOL_SOCKET, which, &kBufferBytes, sizeof kBufferBytes);
    return fd;
}

const sockaddr* generic(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

}  // namespace

sockaddr_in udp_address(const std::string& host, u16 port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
        throw std::invalid_argument("UDP address \"" + host + "\": expected an IPv4 address in numbers, as 127.0.0.1");
    return address;
}

std::string to_string(const sockaddr_in& address) {
    char host[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(address.sin_port));
}

bool is_loopback(const sockaddr_in& address) { return ntohl(address.sin_addr.s_addr) >> 24 == 127; }

link::UniqueFd bind_udp(const sockaddr_in& address) {
    link::UniqueFd fd = make_socket();
    if (::bind(fd.get(), generic(address), sizeof address) != 0)
        fail("cannot receive datagrams at " + to_string(address) + "; choose another port, 0 for any");
    return fd;
}

link::UniqueFd connect_udp(const sockaddr_in& address) {
    link::UniqueFd fd = make_socket();
    if (::connect(fd.get(), generic(address), sizeof address) != 0)
        fail("cannot send datagrams to " + to_string(address));
    return fd;
}

sockaddr_in local_address(int fd) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        fail("cannot learn the address of a UDP socket");
    return address;
}

void await_datagram(int fd, int wake_fd, u64 limit_ns) {
    pollfd entries[] = {{fd, POLLIN, 0}, {wake_fd, POLLIN, 0}};  // poll() passes over a descriptor of -1
    const timespec limit{static_cast<time_t>(limit_ns / 1'000'000'000), static_cast<long>(limit_ns % 1'000'000'000)};
    ::ppoll(entries, 2, &limit, nullptr);  // whatever ends it, the caller looks again
}

}  // namespace photonlink::transport
