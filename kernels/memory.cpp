#include "memory.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "waiting.hpp"

namespace photonlink::cuda {

Registration::Registration(void* memory, u64 bytes, bool writable, const char* name) : host_(memory) {
    const std::string what = std::string("map the ") + name + " region (" + std::to_string(bytes) + " bytes" +
                             (writable ? ")" : ", read-only)");
    unsigned flags = cudaHostRegisterMapped | cudaHostRegisterPortable;
    if (!writable) flags |= cudaHostRegisterReadOnly;
    check(cudaHostRegister(memory, bytes, flags), what.c_str());
    const cudaError_t found = cudaHostGetDevicePointer(&device_, memory, 0);
    if (found != cudaSuccess) cudaHostUnregister(memory);
    check(found, what.c_str());
}

Registration::~Registration() { cudaHostUnregister(host_); }

MappedMemory::MappedMemory(u64 bytes) {
    constexpr const char* kWhat = "allocate mapped host memory";
    check(cudaHostAlloc(&host_, bytes, cudaHostAllocMapped | cudaHostAllocPortable), kWhat);
    std::memset(host_, 0, bytes);
    const cudaError_t found = cudaHostGetDevicePointer(&device_, host_, 0);
    if (found != cudaSuccess) cudaFreeHost(host_);
    check(found, kWhat);
}

MappedMemory::~MappedMemory() { cudaFreeHost(host_); }

bool Event::done() const {
    const cudaError_t state = cudaEventQuery(event_);
    if (state == cudaErrorNotReady) {
        cudaGetLastError();
        return false;
    }
    check(state, "finish a launch");
    return true;
}

Arena::~Arena() {
    for (void* slab : slabs_) cudaFree(slab);
}

void Arena::reserve(u64 bytes) {
    if (bytes <= left_) return;
    constexpr u64 kSlabBytes = 64 * 1024;
    const u64 size = std::max(bytes, kSlabBytes);
    void* slab = nullptr;
    check(cudaMalloc(&slab, size), "allocate device memory");
    slabs_.push_back(slab);
    check(cudaMemsetAsync(slab, 0, size, stream_.get()), "zero device memory");
    wait();
    next_ = static_cast<u8*>(slab);
    left_ = size;
}

void* Arena::take(u64 bytes) {
    constexpr u64 kAlign = 256;
    const u64 size = (std::max<u64>(bytes, 1) + kAlign - 1) / kAlign * kAlign;
    reserve(size);
    void* const place = next_;
    next_ += size;
    left_ -= size;
    return place;
}

void Arena::copy(void* to, const void* from, u64 bytes) {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_.get()), "copy to or from the device");
    wait();
}

void Arena::wait() const {
    constexpr u64 kLimitNs = 10'000'000'000ULL;
    if (!wait_for(stream_.get(), platform::clock_ns() + kLimitNs, "prepare device memory"))
        throw CudaError("could not prepare device memory: the device did not get to it in 10 s");
}

}  // namespace photonlink::cuda
