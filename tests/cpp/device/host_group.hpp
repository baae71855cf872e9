// Threads that play a block of a GPU: std::threads with a barrier, as the concept of group.hpp asks.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <thread>
#include <type_traits>
#include <vector>

#include "photonlink/group.hpp"

namespace photonlink::device::test {

/// What the threads of one group share.
class Block {
  public:
    explicit Block(u32 size) : size_(size), flags_(size) {}

    u32 size() const { return size_; }

    void sync() {
        const u32 phase = phase_.load(std::memory_order_relaxed);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
            arrived_.store(0, std::memory_order_relaxed);
            phase_.store(phase + 1, std::memory_order_release);
            return;
        }
        while (phase_.load(std::memory_order_acquire) == phase) std::this_thread::yield();
    }

    bool any(u32 rank, bool flag) {
        flags_[rank] = flag;
        sync();
        bool found = false;
        for (const char set : flags_) found |= set != 0;
        sync();  // everybody has looked before the next vote
        return found;
    }

    template <class T>
    T from_leader(u32 rank, const T& value) {
        static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kGroupBytes, "as group.hpp asks");
        if (rank == 0) std::memcpy(scratch_, &value, sizeof value);
        sync();
        T result;
        std::memcpy(&result, scratch_, sizeof result);
        sync();
        return result;
    }

  private:
    const u32 size_;
    std::atomic<u32> arrived_{0};
    std::atomic<u32> phase_{0};
    std::vector<char> flags_;
    u8 scratch_[kGroupBytes];
};

/// One thread's view of its group.
class HostGroup {
  public:
    HostGroup(Block& block, u32 rank) : block_(&block), rank_(rank) {}

    u32 rank() const { return rank_; }
    u32 size() const { return block_->size(); }
    bool leader() const { return rank_ == 0; }
    void sync() const { block_->sync(); }
    bool any(bool flag) const { return block_->any(rank_, flag); }
    template <class T>
    T from_leader(const T& value) const {
        return block_->from_leader(rank_, value);
    }

  private:
    Block* block_;
    u32 rank_;
};

/// A launch: `groups` groups of `size` threads run `kernel(group, index of the group)`; returns when all have ended.
inline void launch(u32 groups, u32 size, const std::function<void(const HostGroup&, u32)>& kernel) {
    std::vector<std::unique_ptr<Block>> blocks;
    std::vector<std::thread> threads;
    for (u32 index = 0; index < groups; ++index) {
        blocks.push_back(std::make_unique<Block>(size));
        for (u32 rank = 0; rank < size; ++rank)
            threads.emplace_back(
                [&kernel, &block = *blocks.back(), rank, index] { kernel(HostGroup(block, rank), index); });
    }
    for (std::thread& thread : threads) thread.join();
}

/// One group's launch of a function that returns a value; all threads must have got the same one.
template <class Kernel>
auto launch_one(u32 size, const Kernel& kernel) {
    std::vector<decltype(kernel(std::declval<HostGroup>()))> results(size);
    launch(1, size, [&](const HostGroup& group, u32) { results[group.rank()] = kernel(group); });
    for (u32 rank = 1; rank < size; ++rank)
        EXPECT_EQ(std::memcmp(&results[rank], &results[0], sizeof results[0]), 0) << "thread " << rank << " disagrees";
    return results[0];
}

}  // namespace photonlink::device::test
