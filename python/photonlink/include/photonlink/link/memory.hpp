// Owners of port memory on the host. The handles of client.hpp and server.hpp are views of what these own: an owner
// must outlive its handles.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "photonlink/link/client.hpp"
#include "photonlink/link/fork.hpp"
#include "photonlink/link/server.hpp"

namespace photonlink::link {

/// A link could not be set up, or the other side broke its rules. `status` is Closed, PeerLost, Timeout, Rejected or
/// ProtocolError.
class LinkError : public std::runtime_error {
  public:
    LinkError(LinkStatus status, const std::string& message) : std::runtime_error(message), status_(status) {}
    LinkStatus status() const { return status_; }

  private:
    LinkStatus status_;
};

/// Throws std::invalid_argument naming the field, its value and its limits.
void require_valid(const Geometry& geometry);

/// Pages of memory that a forked child does not inherit.
class Mapping {
  public:
    Mapping() = default;
    /// Zeroed private memory. Throws std::system_error.
    static Mapping anonymous(u64 bytes);
    /// The first `bytes` of a file. Throws std::system_error.
    static Mapping of_file(int fd, u64 bytes, bool writable);
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping();

    u8* data() const { return data_; }
    u64 size() const { return size_; }
    bool inherited() const { return guard_.inherited(); }

    /// Touches the first `bytes`, so that no request pays for a page fault.
    void prefault(u64 bytes) const;

  private:
    Mapping(u8* data, u64 size, bool writable) : data_(data), size_(size), writable_(writable) {}
    static Mapping map(int fd, u64 bytes, bool writable, int flags);

    u8* data_ = nullptr;
    u64 size_ = 0;
    bool writable_ = false;
    ForkGuard guard_;
};

/// What a client keeps to itself: slot states, sinks, words.
class ClientMemory {
  public:
    /// `with_sinks`: the server lives in this process and can follow pointers.
    ClientMemory(const Geometry& geometry, bool with_sinks);
    ClientHandle handle(const Geometry& geometry, void* requests, const void* responses) const;

  private:
    friend class ServerMemory;
    std::unique_ptr<u64[]> states_;
    std::unique_ptr<Sink[]> sinks_;
    std::unique_ptr<ClientWords> words_;
};

/// What a server keeps to itself: generations seen and answered, words.
class ServerMemory {
  public:
    explicit ServerMemory(const Geometry& geometry);
    /// `client` is given when it shares the process, so that the server sees its sinks; else null.
    ServerHandle handle(const Geometry& geometry, const void* requests, void* responses,
                        const ClientMemory* client) const;

  private:
    std::unique_ptr<u64[]> accepted_;
    std::unique_ptr<SlotMemory[]> memories_;
    std::unique_ptr<ServerWords> words_;
};

/// A port whose server is a thread of this process and whose client is a device: it maps the regions, and keeps its own
/// words (slot states and ClientWords) in its own memory.
class DevicePortMemory {
  public:
    /// Throws std::invalid_argument for a bad geometry, std::system_error when memory is short.
    explicit DevicePortMemory(const Geometry& geometry);

    ServerHandle server() const { return server_.handle(geometry_, requests_.data(), responses_.data(), nullptr); }
    const Geometry& geometry() const { return geometry_; }
    void* requests() const { return requests_.data(); }
    const void* responses() const { return responses_.data(); }

  private:
    Geometry geometry_;
    Mapping requests_;
    Mapping responses_;
    ServerMemory server_;
};

/// A port whose two sides are threads of one process.
class InProcessPort {
  public:
    /// Throws std::invalid_argument for a bad geometry, std::system_error when memory is short.
    explicit InProcessPort(const Geometry& geometry);

    /// The handles are valid only while this object lives and only where inherited() is false.
    ClientHandle client() const { return client_.handle(geometry_, requests_.data(), responses_.data()); }
    ServerHandle server() const { return server_.handle(geometry_, requests_.data(), responses_.data(), &client_); }

    const Geometry& geometry() const { return geometry_; }
    /// True in a forked child: the memory is not there.
    bool inherited() const { return requests_.inherited(); }

  private:
    Geometry geometry_;
    Mapping requests_;
    Mapping responses_;
    ClientMemory client_;
    ServerMemory server_;
};

}  // namespace photonlink::link
