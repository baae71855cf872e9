// Owners of what CUDA hands out. Destructors ignore errors: when the driver is going away, everything is free anyway.
#pragma once

#include <vector>

#include "error.hpp"
#include "photonlink/platform.hpp"

namespace photonlink::cuda {

/// Host memory of somebody else that the device may read, and write if `writable`.
class Registration {
  public:
    /// `name` is what the memory is to the link. Throws CudaError.
    Registration(void* memory, u64 bytes, bool writable, const char* name);
    ~Registration();
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;

    /// The memory as the device sees it.
    void* device() const { return device_; }

  private:
    void* const host_;
    void* device_ = nullptr;
};

/// Zeroed host memory that the device maps.
class MappedMemory {
  public:
    explicit MappedMemory(u64 bytes);
    ~MappedMemory();
    MappedMemory(const MappedMemory&) = delete;
    MappedMemory& operator=(const MappedMemory&) = delete;

    void* host() const { return host_; }
    void* device() const { return device_; }

  private:
    void* host_ = nullptr;
    void* device_ = nullptr;
};

/// A stream that runs beside all others.
class Stream {
  public:
    Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "create a stream"); }
    ~Stream() { cudaStreamDestroy(stream_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    cudaStream_t get() const { return stream_; }

  private:
    cudaStream_t stream_ = nullptr;
};

/// A mark in a stream.
class Event {
  public:
    Event() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "create an event"); }
    ~Event() { cudaEventDestroy(event_); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "mark the end of a launch"); }
    /// True once everything before the last mark is done, also when nothing was marked yet. Throws CudaError when that
    /// work failed.
    bool done() const;
    cudaEvent_t get() const { return event_; }

  private:
    cudaEvent_t event_ = nullptr;
};

/// What the alignment of an arena's pieces adds to those of a simulator, at most.
inline constexpr u64 kAlignmentBytes = 16 * 1024;

/// Zeroed device memory in small pieces that live as long as their arena. Its own stream does the zeroing, so that the
/// streams of the caller, which may be under capture, see nothing of it.
class Arena {
  public:
    Arena() = default;
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    /// `bytes` of zeroed memory, 256-aligned. Throws CudaError, also when the device is too busy to zero it in time.
    void* take(u64 bytes);
    template <class T>
    T* take(u64 count) {
        return static_cast<T*>(take(count * sizeof(T)));
    }
    /// A copy of `count` values in device memory.
    template <class T>
    T* upload(const T* values, u64 count) {
        T* const place = take<T>(count);
        copy(place, values, count * sizeof(T));
        return place;
    }
    /// Replaces `count` values that upload() gave a place.
    template <class T>
    void overwrite(T* place, const T* values, u64 count) {
        copy(place, values, count * sizeof(T));
    }
    /// `count` values from device memory, as they are once stream() has done what it was given.
    template <class T>
    std::vector<T> download(const T* values, u64 count) {
        std::vector<T> result(count);
        copy(result.data(), values, count * sizeof(T));
        return result;
    }
    /// Makes sure that the next `bytes` are there already: taking them calls nothing.
    void reserve(u64 bytes);
    cudaStream_t stream() const { return stream_.get(); }

  private:
    void copy(void* to, const void* from, u64 bytes);
    void wait() const;

    Stream stream_;
    std::vector<void*> slabs_;
    u8* next_ = nullptr;
    u64 left_ = 0;
};

}  // namespace photonlink::cuda
