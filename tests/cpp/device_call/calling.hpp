// What generated code does with the three symbols, in its order.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "photonlink/device_call/device_call.h"
#include "photonlink/wire/codec.hpp"

namespace photonlink::device_call::test {

/// One call: 0 and the result, or the status that the kernel would trap with.
struct Outcome {
    i32 status = 0;
    std::vector<u8> result;

    template <class T>
    T value() const {
        T read{};
        if (result.size() == sizeof read) std::memcpy(&read, result.data(), sizeof read);
        return read;
    }
};

inline Outcome call(u32 device, const char* function, const std::vector<u8>& payload, u64 response_bytes) {
    void* frame = nullptr;
    void* request = nullptr;
    void* response = nullptr;
    Outcome outcome;
    outcome.status = __cudaq_device_call_acquire_realtime_frame(device, wire::function_id(function), payload.size(),
                                                                response_bytes, &frame, &request, &response);
    if (outcome.status != 0) return outcome;
    if (!payload.empty()) std::memcpy(request, payload.data(), payload.size());
    std::uint64_t length = 0;
    outcome.status = __cudaq_device_call_dispatch_realtime_frame(frame, &length);
    if (outcome.status == 0 && response_bytes != 0) {
        const auto* bytes = static_cast<const u8*>(response);
        outcome.result.assign(bytes, bytes + length);
    }
    __cudaq_device_call_safely_release_realtime_frame(frame);
    return outcome;
}

inline photonlink_device_error last_error() {
    photonlink_device_error error{};
    photonlink_device_last_error(&error);
    return error;
}

/// Arguments in encoding B.
template <class Write>
std::vector<u8> payload(Write write) {
    std::vector<u8> bytes(4096);
    wire::PayloadWriter writer(bytes.data(), bytes.size());
    write(writer);
    bytes.resize(writer.size());
    return bytes;
}

inline std::vector<u8> integer(i64 value) {
    return payload([value](wire::PayloadWriter& writer) { writer.i64_arg(value); });
}

}  // namespace photonlink::device_call::test
