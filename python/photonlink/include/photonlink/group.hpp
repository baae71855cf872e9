// Threads that make a call together: one of them speaks to the link, all of them encode and copy. Like platform.hpp
// this file knows whether it is compiled for a GPU, and hides it. A test on the CPU supplies a group of std::threads.
//
// What a group offers:
//   rank(), size()          position of the calling thread, number of threads
//   leader()                true for rank 0
//   sync()                  barrier; what any thread stored before it is visible to all after it
//   any(flag)               true for all if the flag of any thread was set; also a barrier
//   from_leader(value)      rank 0's value (trivially copyable, at most kGroupBytes); also a barrier
// Every thread of the group must make the same calls in the same order.
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink {

inline constexpr u32 kGroupBytes = 64;

/// A thread that calls for itself.
struct ThreadGroup {
    PHL_HD u32 rank() const { return 0; }
    PHL_HD u32 size() const { return 1; }
    PHL_HD bool leader() const { return true; }
    PHL_HD void sync() const {}
    PHL_HD bool any(bool flag) const { return flag; }
    template <class T>
    PHL_HD T from_leader(const T& value) const {
        return value;
    }
};

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)

/// The 32 threads of a full warp of a one-dimensional block; all of them must be there.
struct WarpGroup {
    __device__ u32 rank() const { return threadIdx.x % 32; }
    __device__ u32 size() const { return 32; }
    __device__ bool leader() const { return rank() == 0; }
    __device__ void sync() const { __syncwarp(); }
    __device__ bool any(bool flag) const {
        const bool found = __any_sync(kAll, flag) != 0;
        __syncwarp();  // votes order no memory
        return found;
    }
    template <class T>
    __device__ T from_leader(const T& value) const {
        static_assert(sizeof(T) <= kGroupBytes, "a group hands round small values only");
        u32 words[(sizeof(T) + 3) / 4] = {};
        platform::copy_fixed<sizeof(T)>(words, &value);
        for (u32& word : words) word = __shfl_sync(kAll, word, 0);
        __syncwarp();  // shuffles order no memory
        T result;
        platform::copy_fixed<sizeof(T)>(&result, words);
        return result;
    }

  private:
    static constexpr u32 kAll = 0xffffffffu;
};

/// All threads of a one-dimensional block.
struct BlockGroup {
    __device__ u32 rank() const { return threadIdx.x; }
    __device__ u32 size() const { return blockDim.x; }
    __device__ bool leader() const { return rank() == 0; }
    __device__ void sync() const { __syncthreads(); }
    __device__ bool any(bool flag) const { return __syncthreads_or(flag) != 0; }
    template <class T>
    __device__ T from_leader(const T& value) const {
        static_assert(sizeof(T) <= kGroupBytes, "a group hands round small values only");
        __shared__ u64 scratch[kGroupBytes / sizeof(u64)];
        __syncthreads();  // everybody has read what the last call left there
        if (leader()) platform::copy_fixed<sizeof(T)>(scratch, &value);
        __syncthreads();
        T result;
        platform::copy_fixed<sizeof(T)>(&result, scratch);
        return result;
    }
};

#endif

}  // namespace photonlink
