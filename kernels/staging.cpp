#include "staging.hpp"

#include <stdexcept>
#include <string>

#include "guards.hpp"

namespace photonlink::cuda {

struct Staging::Memory {
    explicit Memory(u64 bytes) : host(bytes), device(arena.take<u8>(bytes)) {}

    MappedMemory host;
    Arena arena;
    u8* device;
};

Staging::Staging(int device, u64 bytes) : device_(device), bytes_(bytes) {
    if (bytes == 0) throw std::invalid_argument("0 bytes of staging memory: expected at least 1");
    const DeviceGuard on_device(device_);
    const CaptureGuard beside_captures;
    memory_ = std::make_unique<Memory>(bytes);
}

Staging::~Staging() {
    try {
        const DeviceGuard on_device(device_);
        const CaptureGuard beside_captures;
        memory_.reset();
    } catch (const CudaError&) {  // the driver is going away, and the memory with it
    }
}

u8* Staging::host() const { return static_cast<u8*>(memory_->host.host()); }
u8* Staging::device() const { return memory_->device; }
cudaStream_t Staging::stream() const { return memory_->arena.stream(); }

void Staging::upload(u64 first, u64 count) {
    check_range(first, count);
    const DeviceGuard on_device(device_);
    const CaptureGuard beside_captures;
    check(cudaMemcpyAsync(device() + first, host() + first, count, cudaMemcpyDefault, stream()), "upload features");
}

void Staging::download(u64 first, u64 count) {
    check_range(first, count);
    const DeviceGuard on_device(device_);
    const CaptureGuard beside_captures;
    check(cudaMemcpyAsync(host() + first, device() + first, count, cudaMemcpyDefault, stream()), "download results");
}

void Staging::check_range(u64 first, u64 count) const {
    if (first > bytes_ || count > bytes_ - first)
        throw std::invalid_argument("bytes " + std::to_string(first) + " to " + std::to_string(first + count) + " of " +
                                    std::to_string(bytes_) + " bytes of staging memory");
}

}  // namespace photonlink::cuda
