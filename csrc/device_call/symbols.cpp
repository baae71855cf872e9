// The C interface: the three symbols that generated code calls, and what owners of links call.
#include <dlfcn.h>

#include <cstdio>
#include <new>

#include "errors.hpp"
#include "frame.hpp"
#include "udp_link.hpp"

#define PHOTONLINK_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using namespace photonlink::device_call;

// Of each thread: a frame for its next call, and the last one that acquire refused. Generated code does not release
// the latter, and may go on to use its pointers where its trap returns.
thread_local std::unique_ptr<Frame> spare;
thread_local std::unique_ptr<Frame> refused;

std::unique_ptr<Frame> take_frame() { return spare ? std::move(spare) : std::make_unique<Frame>(); }

int32_t without_memory(uint32_t device, uint32_t function_id) {
    photonlink_device_error error{};
    error.device = device;
    error.function_id = function_id;
    error.status = PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    std::snprintf(error.cause, sizeof error.cause,
                  "there is no memory for the arguments of the call, or they exceed a gigabyte");
    record(error);
    return error.status;
}

const char* file_of(const void* symbol) {
    Dl_info info{};
    return dladdr(symbol, &info) != 0 ? info.dli_fname : nullptr;
}

const void* base_of(const void* symbol) {
    Dl_info info{};
    return dladdr(symbol, &info) != 0 ? info.dli_fbase : nullptr;
}

}  // namespace

PHOTONLINK_EXPORT int32_t __cudaq_device_call_acquire_realtime_frame(uint32_t device, uint32_t function_id,
                                                                     uint64_t request_bytes, uint64_t response_bytes,
                                                                     void** frame, void** request, void** response) {
    if (frame == nullptr || request == nullptr) return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    try {
        std::unique_ptr<Frame> made = take_frame();
        made->prepare(device, function_id, request_bytes, response_bytes);
        *frame = made.get();
        *request = made->call().request;
        if (response != nullptr) *response = made->call().response;
        Found found = find(device);
        if (found.link == nullptr) {
            refused = std::move(made);
            return refused->refuse(PHOTONLINK_DEVICE_NOT_INITIALIZED,
                                   found.inherited ? "the device was opened by the parent process" : "no such device");
        }
        made->bind(std::move(found.link));
        static_cast<void>(made.release());  // generated code holds it until it calls release
        return PHOTONLINK_DEVICE_OK;
    } catch (const std::bad_alloc&) {
        return without_memory(device, function_id);
    }
}

PHOTONLINK_EXPORT int32_t __cudaq_device_call_dispatch_realtime_frame(void* frame, uint64_t* response_bytes) {
    if (frame == nullptr || response_bytes == nullptr) return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    return static_cast<Frame*>(frame)->dispatch(response_bytes);
}

PHOTONLINK_EXPORT void __cudaq_device_call_safely_release_realtime_frame(void* frame) {
    auto* const held = static_cast<Frame*>(frame);
    if (held == nullptr || held->refused()) return;
    held->unbind();
    spare.reset(held);
}

PHOTONLINK_EXPORT uint32_t photonlink_device_abi(void) { return PHOTONLINK_DEVICE_CALL_ABI; }

PHOTONLINK_EXPORT int32_t photonlink_device_open(uint32_t device, const photonlink_device_link* link) {
    if (link == nullptr || link->abi != PHOTONLINK_DEVICE_CALL_ABI || link->call == nullptr)
        return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    try {
        return open(device, *link);
    } catch (const std::bad_alloc&) {
        return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    }
}

PHOTONLINK_EXPORT int32_t photonlink_device_open_udp(uint32_t device, const char* host, uint16_t port,
                                                     uint32_t slot_bytes, uint64_t timeout_ns) {
    constexpr uint32_t kMostSlotBytes = 65507;  // what one datagram holds
    if (host == nullptr || slot_bytes < photonlink::wire::kHeaderBytes || slot_bytes > kMostSlotBytes)
        return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    try {
        std::unique_ptr<UdpLink> link = UdpLink::connect(host, port, slot_bytes, timeout_ns);
        if (link == nullptr) return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
        const photonlink_device_link table = UdpLink::table(std::move(link));
        const int32_t status = open(device, table);
        if (status != PHOTONLINK_DEVICE_OK) table.drop(table.context);
        return status;
    } catch (const std::bad_alloc&) {
        return PHOTONLINK_DEVICE_INVALID_ARGUMENT;
    }
}

PHOTONLINK_EXPORT int32_t photonlink_device_close(uint32_t device) { return close(device); }

PHOTONLINK_EXPORT int photonlink_device_is_open(uint32_t device) { return find(device).link != nullptr ? 1 : 0; }

PHOTONLINK_EXPORT void photonlink_device_last_error(photonlink_device_error* error) { *error = last_of_thread(); }

PHOTONLINK_EXPORT void photonlink_device_latest_error(photonlink_device_error* error) { *error = latest(); }

PHOTONLINK_EXPORT const char* photonlink_device_shadowed_by(void) {
    static const char anchor = 0;  // our own address by another way than the symbol, which may be the other's
    const void* const used = dlsym(RTLD_DEFAULT, "__cudaq_device_call_acquire_realtime_frame");
    return used == nullptr || base_of(used) == base_of(&anchor) ? nullptr : file_of(used);
}
