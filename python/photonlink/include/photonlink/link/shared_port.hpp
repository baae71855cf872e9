// A port whose two sides are two processes: one memfd per direction, sealed against resizing so that no access can run
// into a truncated file (SIGBUS). How the descriptors travel is the transport's business (transport/shm.hpp).
#pragma once

#include "photonlink/link/memory.hpp"

namespace photonlink::link {

/// The server's half: creates both segments, maps the requests read-only and the responses read-write.
class SharedServerPort {
  public:
    /// Throws std::invalid_argument for a bad geometry, std::system_error when the system refuses.
    explicit SharedServerPort(const Geometry& geometry);

    ServerHandle server() const { return memory_.handle(geometry_, requests_.data(), responses_.data(), nullptr); }
    const Geometry& geometry() const { return geometry_; }
    bool inherited() const { return requests_.inherited(); }

    int request_fd() const { return request_fd_.get(); }
    int response_fd() const { return response_fd_.get(); }
    /// Once the client has them, the mappings suffice here.
    void close_fds();

  private:
    Geometry geometry_;
    UniqueFd request_fd_;
    UniqueFd response_fd_;
    Mapping requests_;
    Mapping responses_;
    ServerMemory memory_;
};

/// The client's half: checks what it was given, maps the requests read-write and the responses read-only.
class SharedClientPort {
  public:
    /// Throws LinkError(ProtocolError) if geometry, seals, sizes or region headers are not what they must be,
    /// std::system_error when the system refuses. The descriptors stay the caller's and may be closed afterwards.
    SharedClientPort(const Geometry& geometry, int request_fd, int response_fd);

    ClientHandle client() const { return memory_.handle(geometry_, requests_.data(), responses_.data()); }
    /// What a device maps that makes the calls instead, with words of its own; the responses are read-only.
    void* requests() const { return requests_.data(); }
    const void* responses() const { return responses_.data(); }
    const Geometry& geometry() const { return geometry_; }
    bool inherited() const { return requests_.inherited(); }

  private:
    Geometry geometry_;
    Mapping requests_;
    Mapping responses_;
    ClientMemory memory_;
};

}  // namespace photonlink::link
