// The few UDP calls that the datagram transport needs, and how its threads wait. Private to transport/.
#pragma once

#include <netinet/in.h>

#include <string>

#include "photonlink/link/fork.hpp"

namespace photonlink::transport {

/// An IPv4 address in numbers. Throws std::invalid_argument.
sockaddr_in udp_address(const std::string& host, u16 port);

/// "127.0.0.1:7118"
std::string to_string(const sockaddr_in& address);

/// Whether nobody beyond this machine can use the address.
bool is_loopback(const sockaddr_in& address);

/// One word per address, to compare.
inline u64 address_word(const sockaddr_in& address) { return u64{address.sin_addr.s_addr} << 16 | address.sin_port; }

/// A socket that receives at `address`. Throws std::system_error.
link::UniqueFd bind_udp(const sockaddr_in& address);

/// A socket that talks to `address` only. Throws std::system_error.
link::UniqueFd connect_udp(const sockaddr_in& address);

/// Where a socket is bound.
sockaddr_in local_address(int fd);

/// Waits until `fd` or `wake_fd` (-1: none) can be read, `limit_ns` at most.
void await_datagram(int fd, int wake_fd, u64 limit_ns);

/// How a thread passes turns that brought nothing: first it only pauses, then it gives its core away, then it sleeps
/// for growing times, out of which a datagram wakes it.
class UdpIdle {
  public:
    void worked() { turns_ = 0; }

    void wait(int fd, int wake_fd, u64 longest_sleep_ns) {
        constexpr u32 kPauses = 200;  // each with a system call around it: some 100 us
        constexpr u32 kYields = 50;
        if (++turns_ <= kPauses) return platform::pause();
        if (turns_ <= kPauses + kYields) return platform::yield();
        const u32 doublings = turns_ - kPauses - kYields;
        const u64 sleep_ns = doublings < 26 ? 1000ULL << doublings : longest_sleep_ns;
        await_datagram(fd, wake_fd, sleep_ns < longest_sleep_ns ? sleep_ns : longest_sleep_ns);
    }

  private:
    u32 turns_ = 0;
};

}  // namespace photonlink::transport
