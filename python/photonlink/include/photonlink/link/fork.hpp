// What a forked child inherits of a link: nothing. Shared memory is not mapped there (MADV_DONTFORK), sockets are
// closed there (else the child would keep a connection alive whose owner has died), and owners can tell that they are
// copies.
#pragma once

#include "photonlink/link/unique_fd.hpp"
#include "photonlink/platform.hpp"

namespace photonlink::link {

/// Number of forks between the process that first used the link and this one.
u64 fork_generation();

/// Remembers in which process an object was made.
class ForkGuard {
  public:
    ForkGuard() : born_(fork_generation()) {}

    /// True in a forked child of the process that made the object: its memory and sockets are gone, do not touch them.
    bool inherited() const { return born_ != fork_generation(); }

  private:
    u64 born_;
};

/// Owner of a descriptor that closes by itself in every forked child.
class ParentOnlyFd {
  public:
    ParentOnlyFd() = default;
    explicit ParentOnlyFd(UniqueFd fd);
    ParentOnlyFd(const ParentOnlyFd&) = delete;
    ParentOnlyFd& operator=(const ParentOnlyFd&) = delete;
    ~ParentOnlyFd();

    int get() const { return fd_; }

  private:
    int fd_ = -1;
    ForkGuard guard_;
};

}  // namespace photonlink::link
