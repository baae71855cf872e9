// The few Unix socket calls that the shared-memory transport needs, each bounded in time. Private to transport/.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "photonlink/link/fork.hpp"

namespace photonlink::transport {

/// Identity of the process at the other end, as the kernel knows it.
struct PeerCredentials {
    pid_t pid;
    uid_t uid;
};

/// Throws std::invalid_argument for an unusable address, std::system_error when the system refuses.
link::UniqueFd listen_at(const std::string& address);

/// One client, or nothing when `deadline_ns` passes. Throws std::system_error.
std::optional<link::UniqueFd> accept_until(int listener, u64 deadline_ns);

/// Throws link::LinkError (Closed: nobody listens there; Timeout), std::invalid_argument, std::system_error.
link::UniqueFd connect_until(const std::string& address, u64 deadline_ns);

PeerCredentials peer_credentials(int socket);

/// True once `fd` has input or is hung up; false when `deadline_ns` passes. Throws std::system_error.
bool readable_until(int fd, u64 deadline_ns);

}  // namespace photonlink::transport
