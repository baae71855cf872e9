#include "photonlink/link/fork.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

namespace photonlink::link {
namespace {

/// Process-wide state; never destroyed, because a fork may happen while static objects are going away.
struct ForkState {
    std::atomic<u64> generation{0};
    std::mutex mutex;
    std::vector<int> parent_only;  // descriptors that a child closes
};

ForkState& fork_state();

// Held across the fork, so that the child finds the list whole.
void before_fork() { fork_state().mutex.lock(); }
void after_fork_in_parent() { fork_state().mutex.unlock(); }

void after_fork_in_child() {
    ForkState& state = fork_state();
    for (const int fd : state.parent_only) ::close(fd);
    state.parent_only.clear();
    state.generation.fetch_add(1, std::memory_order_relaxed);
    state.mutex.unlock();
}

ForkState& fork_state() {
    static ForkState* const state = [] {
        auto* made = new ForkState;
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        return made;
    }();
    return *state;
}

}  // namespace

u64 fork_generation() { return fork_state().generation.load(std::memory_order_relaxed); }

ParentOnlyFd::ParentOnlyFd(UniqueFd fd) {
    ForkState& state = fork_state();
    const std::lock_guard<std::mutex> lock(state.mutex);
    state.parent_only.push_back(fd.get());
    fd_ = fd.release();
}

ParentOnlyFd::~ParentOnlyFd() {
    // In a child the number is closed already, and may by now be somebody else's.
    if (fd_ < 0 || guard_.inherited()) return;
    ForkState& state = fork_state();
    const std::lock_guard<std::mutex> lock(state.mutex);
    auto& fds = state.parent_only;
    fds.erase(std::remove(fds.begin(), fds.end(), fd_), fds.end());
    ::close(fd_);
}

}  // namespace photonlink::link
