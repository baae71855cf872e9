// Everything that a kernel of ours, or of the user, may touch while a device link is open. It is destroyed as a whole,
// once nothing can touch it any more, or left alone for good.
#pragma once

#include "flights.hpp"

namespace photonlink::cuda {

/// A device port in this process's memory, and how to use it.
struct LinkConfig {
    int device = 0;
    link::Geometry geometry;
    void* requests = nullptr;
    void* responses = nullptr;
    bool responses_writable = false;  // false: the mapping is read-only, and is registered as such
    u64 key = 0;
    u64 output_size = 0;
    u32 observable_bytes = 0;                // 4 or 8
    const EncodingView* encoding = nullptr;  // host memory; copied
    double row_timeout = 0;                  // seconds
    double kernel_limit = 0;                 // seconds
};

/// Throws std::invalid_argument naming what is wrong with a config; needs no device.
void require_valid(const LinkConfig& config);

class Resources {
  public:
    /// `config` is valid. Throws CudaError when the device cannot do it. The calling thread has guards.hpp's guards up,
    /// here and in every other call.
    explicit Resources(const LinkConfig& config);

    const device::Link& link() const { return link_; }
    /// A copy of link() in device memory.
    device::Link* pointer() const { return pointer_; }
    device::Latch* latch() const { return static_cast<device::Latch*>(latch_.host()); }
    int multiprocessors() const { return multiprocessors_; }
    Arena& arena() { return arena_; }
    Flights& flights() { return flights_; }
    /// For what the library does by itself, beside the caller's streams.
    cudaStream_t aside() const { return aside_.get(); }

  private:
    const link::PortLayout layout_;
    const int multiprocessors_;
    Registration requests_;
    Registration responses_;
    MappedMemory latch_;
    Arena arena_;
    Stream aside_;
    Flights flights_;
    device::Link link_;
    device::Link* pointer_ = nullptr;
};

}  // namespace photonlink::cuda
