// Transport over POSIX shared memory between two processes of one user on one machine. A Unix socket carries the two
// memfds, the geometry and the session key once; afterwards it only stays open, so that its hang-up tells each side
// when the other dies. Data never passes through it.
//
// An address is a file-system path, or "@name" for the abstract namespace. Both sides check that the other belongs to
// the same user.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "photonlink/link/shared_port.hpp"
#include "photonlink/link/watchdog.hpp"

namespace photonlink::transport {

/// A connected Unix socket that is only watched for hang-up.
class PeerSocket {
  public:
    explicit PeerSocket(link::UniqueFd fd) : fd_(std::move(fd)) {}
    /// False once the other process has closed its end or died. One system call: not for the fast path.
    bool alive() const;
    int fd() const { return fd_.get(); }

  private:
    link::ParentOnlyFd fd_;
};

/// The server's end of one client's port.
class ShmServerPort {
  public:
    ShmServerPort(const link::Geometry& geometry, link::UniqueFd socket, pid_t peer_pid);

    link::ServerHandle server() const { return port_.server(); }
    const link::Geometry& geometry() const { return port_.geometry(); }
    bool peer_alive() const { return socket_.alive(); }
    pid_t peer_pid() const { return peer_pid_; }
    bool inherited() const { return port_.inherited(); }

  private:
    friend class ShmServer;
    bool send_offer(u64 session_key);

    link::SharedServerPort port_;
    PeerSocket socket_;
    pid_t peer_pid_;
};

/// Listens for clients.
class ShmServer {
  public:
    /// Throws std::invalid_argument for an unusable address, std::system_error when it is taken.
    explicit ShmServer(std::string address);
    ~ShmServer();
    ShmServer(const ShmServer&) = delete;
    ShmServer& operator=(const ShmServer&) = delete;

    /// Waits up to `timeout_ns` for a client of the same user, and gives it a new port; null on timeout. A client of
    /// another user, or one that leaves at once, is turned away and the wait goes on.
    std::unique_ptr<ShmServerPort> accept(u64 timeout_ns, const link::Geometry& geometry, u64 session_key);

    const std::string& address() const { return address_; }

  private:
    std::string address_;
    link::ParentOnlyFd listener_;
    link::ForkGuard guard_;
};

/// The client's end.
class ShmClient {
  public:
    /// Connects and maps the port it is given, within `timeout_ns`. Throws LinkError (Closed: nobody listens; Timeout;
    /// Rejected; ProtocolError), std::invalid_argument for an unusable address, std::system_error when the system
    /// refuses. `stall_limit_ns`: silence after which the server counts as lost.
    static std::unique_ptr<ShmClient> connect(const std::string& address, u64 timeout_ns, u64 stall_limit_ns);

    link::ClientHandle client() const { return port_.client(); }
    const link::SharedClientPort& port() const { return port_; }
    /// Waits through here notice a dead or hung server; see Watchdog::wait().
    link::Watchdog& watchdog() { return watchdog_; }
    u64 session_key() const { return session_key_; }
    const link::Geometry& geometry() const { return port_.geometry(); }
    bool peer_alive() const { return socket_.alive(); }
    bool inherited() const { return port_.inherited(); }

  private:
    struct Offer;
    ShmClient(const Offer& offer, link::UniqueFd socket, u64 stall_limit_ns);

    PeerSocket socket_;
    link::SharedClientPort port_;
    link::Watchdog watchdog_;
    u64 session_key_;
};

}  // namespace photonlink::transport
