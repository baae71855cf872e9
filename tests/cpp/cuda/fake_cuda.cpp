#include "fake_cuda.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

using photonlink::u64;
using photonlink::cuda::fake::Graph;
using photonlink::cuda::fake::Task;

/// A thread that does one task after the other.
struct CUstream_st {
    CUstream_st() : thread([this] { run(); }) {}
    ~CUstream_st() {
        {
            const std::lock_guard<std::mutex> lock(mutex);
            ending = true;
        }
        changed.notify_all();
        thread.join();
    }

    void push(Task task) {
        const std::lock_guard<std::mutex> lock(mutex);
        ++unfinished;
        tasks.push_back(std::move(task));
        changed.notify_all();
    }
    bool idle() {
        const std::lock_guard<std::mutex> lock(mutex);
        return unfinished == 0;
    }
    void wait_idle() {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [this] { return unfinished == 0; });
    }

    bool capturing = false;
    Graph captured;
    u64 id = 0;

  private:
    void run() {
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            changed.wait(lock, [this] { return ending || !tasks.empty(); });
            if (tasks.empty()) return;
            const Task task = std::move(tasks.front());
            tasks.pop_front();
            lock.unlock();
            task();
            lock.lock();
            --unfinished;
            changed.notify_all();
        }
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Task> tasks;
    u64 unfinished = 0;
    bool ending = false;
    std::thread thread;
};

/// Its last mark; marks outlive the event that made them.
struct CUevent_st {
    std::shared_ptr<std::atomic<bool>> reached = std::make_shared<std::atomic<bool>>(true);
    bool captured = false;
};

namespace {

struct State {
    std::mutex mutex;
    std::set<void*> memory;
    std::set<void*> registered;
    std::set<CUstream_st*> streams;
    std::set<CUevent_st*> events;
    u64 next_id = 1;
    std::atomic<u64> captures{0};
    std::atomic<u64> violations{0};
    std::atomic<bool> read_only{true};
    std::atomic<bool> fail_record{false};
};

State& state() {
    static State* const made = new State;  // never destroyed: threads of the code under test may outlive main
    return *made;
}

thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

cudaError_t violation(cudaError_t code) {
    ++state().violations;
    return code;
}

/// What CUDA calls potentially unsafe: refused during any capture unless the thread said that it knows.
bool refused() { return state().captures != 0 && thread_mode != cudaStreamCaptureModeRelaxed; }

template <class Set, class Item>
cudaError_t put(Set& set, Item item) {
    const std::lock_guard<std::mutex> lock(state().mutex);
    return set.insert(item).second ? cudaSuccess : cudaErrorHostMemoryAlreadyRegistered;
}

template <class Set, class Item>
cudaError_t take(Set& set, Item item) {
    const std::lock_guard<std::mutex> lock(state().mutex);
    return set.erase(item) == 1 ? cudaSuccess : violation(cudaErrorInvalidValue);
}

cudaError_t allocate(void** memory, std::size_t bytes) {
    if (refused()) return violation(cudaErrorStreamCaptureUnsupported);
    *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(*memory, 0xA5, bytes);  // nobody promises zeros
    return put(state().memory, *memory);
}

cudaError_t release(void* memory) {
    if (refused()) return violation(cudaErrorStreamCaptureUnsupported);
    const cudaError_t taken = take(state().memory, memory);
    if (taken == cudaSuccess) std::free(memory);
    return taken;
}

}  // namespace

namespace photonlink::cuda::fake {

void enqueue(cudaStream_t stream, Task task) {
    if (stream->capturing)
        stream->captured.push_back(std::move(task));
    else
        stream->push(std::move(task));
}

void begin_capture(cudaStream_t stream) {
    stream->capturing = true;
    ++state().captures;
}

Graph end_capture(cudaStream_t stream) {
    stream->capturing = false;
    --state().captures;
    return std::move(stream->captured);
}

void replay(const Graph& graph, cudaStream_t stream) {
    for (const Task& task : graph) stream->push(task);
}

u64 live() {
    State& all = state();
    const std::lock_guard<std::mutex> lock(all.mutex);
    return all.memory.size() + all.registered.size() + all.streams.size() + all.events.size();
}

u64 violations() { return state().violations; }
void set_read_only_supported(bool supported) { state().read_only = supported; }
void fail_next_record() { state().fail_record = true; }

}  // namespace photonlink::cuda::fake

const char* cudaGetErrorName(cudaError_t) { return "cudaErrorFake"; }
const char* cudaGetErrorString(cudaError_t) { return "a made-up error"; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    *value = attribute == cudaDevAttrMultiProcessorCount             ? 2
             : attribute == cudaDevAttrHostRegisterReadOnlySupported ? state().read_only.load()
                                                                     : 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
    if (state().captures != 0) return violation(cudaErrorStreamCaptureUnsupported);
    std::set<CUstream_st*> streams;
    {
        const std::lock_guard<std::mutex> lock(state().mutex);
        streams = state().streams;
    }
    for (CUstream_st* stream : streams) stream->wait_idle();
    return cudaSuccess;
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
    std::swap(*mode, thread_mode);
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void* memory, std::size_t, unsigned) {
    return refused() ? violation(cudaErrorStreamCaptureUnsupported) : put(state().registered, memory);
}
cudaError_t cudaHostUnregister(void* memory) {
    return refused() ? violation(cudaErrorStreamCaptureUnsupported) : take(state().registered, memory);
}
cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned) {
    *device = host;
    return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned) { return allocate(memory, bytes); }
cudaError_t cudaFreeHost(void* memory) { return release(memory); }
cudaError_t cudaMalloc(void** memory, std::size_t bytes) { return allocate(memory, bytes); }
cudaError_t cudaFree(void* memory) { return release(memory); }

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
    photonlink::cuda::fake::enqueue(stream, [=] { std::memset(memory, value, bytes); });
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
    photonlink::cuda::fake::enqueue(stream, [=] { std::memcpy(to, from, bytes); });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    *stream = new CUstream_st;
    {
        const std::lock_guard<std::mutex> lock(state().mutex);
        (*stream)->id = state().next_id++;
    }
    return put(state().streams, *stream);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    const cudaError_t taken = take(state().streams, stream);
    if (taken == cudaSuccess) delete stream;
    return taken;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
    if (stream->capturing || refused()) return violation(cudaErrorStreamCaptureUnsupported);
    return stream->idle() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
    *status = stream->capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
cudaError_t cudaStreamGetId(cudaStream_t stream, unsigned long long* id) {
    *id = stream->id;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = new CUevent_st;
    return put(state().events, *event);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    const cudaError_t taken = take(state().events, event);
    if (taken == cudaSuccess) delete event;
    return taken;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    if (state().fail_record.exchange(false)) return cudaErrorInvalidResourceHandle;
    event->captured = stream->capturing;
    event->reached = std::make_shared<std::atomic<bool>>(false);
    photonlink::cuda::fake::enqueue(stream, [reached = event->reached] { reached->store(true); });
    return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
    if (event->captured) return violation(cudaErrorCapturedEvent);
    if (refused()) return violation(cudaErrorStreamCaptureUnsupported);
    return event->reached->load() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    if (event->captured != stream->capturing) return violation(cudaErrorCapturedEvent);
    photonlink::cuda::fake::enqueue(stream, [reached = event->reached] {
        while (!reached->load()) std::this_thread::yield();
    });
    return cudaSuccess;
}
