// Host arrays on their way to the device and back: pinned host memory and as much device memory, with a stream.
#pragma once

#include <memory>

#include "memory.hpp"

namespace photonlink::cuda {

/// Not thread-safe. Whoever drops it has waited for stream().
class Staging {
  public:
    /// Throws std::invalid_argument unless there are bytes, CudaError when CUDA has no memory for them.
    Staging(int device, u64 bytes);
    ~Staging();
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    u64 bytes() const { return bytes_; }
    u8* host() const;
    u8* device() const;
    cudaStream_t stream() const;

    /// Copies `count` bytes from byte `first` on, behind what stream() was given before. Throws std::invalid_argument
    /// if they are not all there, and CudaError.
    void upload(u64 first, u64 count);
    void download(u64 first, u64 count);

  private:
    struct Memory;
    void check_range(u64 first, u64 count) const;

    const int device_;
    const u64 bytes_;
    std::unique_ptr<Memory> memory_;
};

}  // namespace photonlink::cuda
