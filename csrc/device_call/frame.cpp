#include "frame.hpp"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <new>

#include "errors.hpp"

namespace photonlink::device_call {

namespace {

// A frame keeps its memory for the next call of its thread; more than this is given back.
constexpr uint64_t kKeptWords = 1u << 17;

uint64_t words_of(uint64_t bytes) { return (bytes + 7) / 8; }

uint64_t now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace

void Frame::prepare(uint32_t device, uint32_t function_id, uint64_t request_bytes, uint64_t response_bytes) {
    if (request_bytes > PHOTONLINK_DEVICE_MOST_BYTES || response_bytes > PHOTONLINK_DEVICE_MOST_BYTES)
        throw std::bad_alloc();
    const uint64_t head = PHOTONLINK_DEVICE_HEADROOM / 8;
    const uint64_t request = words_of(request_bytes);
    const uint64_t needed = head + request + words_of(response_bytes);
    if (words_ < needed || words_ > kKeptWords) {
        memory_.reset(new uint64_t[needed]);
        words_ = needed;
    }
    std::memset(memory_.get(), 0, (head + request) * 8);
    refused_ = PHOTONLINK_DEVICE_OK;
    call_.function_id = function_id;
    call_.device = device;
    call_.request = reinterpret_cast<uint8_t*>(memory_.get() + head);
    call_.request_bytes = request_bytes;
    call_.response = response_bytes == 0 ? nullptr : reinterpret_cast<uint8_t*>(memory_.get() + head + request);
    call_.response_bytes = response_bytes;
    call_.call_status = 0;
    call_.remote_status = 0;
    call_.request_id = 0;
    call_.close_reason = 0;
    call_.cause[0] = '\0';
}

int32_t Frame::refuse(int32_t status, const char* cause) {
    refused_ = status;
    std::snprintf(call_.cause, sizeof call_.cause, "%s", cause);
    return fail(status, 0);
}

int32_t Frame::dispatch(uint64_t* response_bytes) {
    if (refused()) return refused_;
    const uint64_t expected = call_.response_bytes;
    const uint64_t started = now_ns();
    const int32_t status = answered(link_->call(call_), expected);
    *response_bytes = call_.response_bytes;
    return status == PHOTONLINK_DEVICE_OK ? status : fail(status, now_ns() - started);
}

/// What came of a call that its link ended with `status`. Generated code traps on any length but the expected one and
/// cannot say so: say it here.
int32_t Frame::answered(int32_t status, uint64_t expected_bytes) {
    if (status != PHOTONLINK_DEVICE_OK || expected_bytes == 0 || call_.response_bytes == expected_bytes) return status;
    std::snprintf(call_.cause, sizeof call_.cause,
                  "the answer has %" PRIu64 " bytes where the function returns %" PRIu64, call_.response_bytes,
                  expected_bytes);
    return call_.response_bytes > expected_bytes ? PHOTONLINK_DEVICE_RESPONSE_TOO_LARGE
                                                 : PHOTONLINK_DEVICE_REMOTE_ERROR;
}

int32_t Frame::fail(int32_t status, uint64_t elapsed_ns) const {
    photonlink_device_error error{};
    error.device = call_.device;
    error.function_id = call_.function_id;
    error.status = status;
    error.call_status = call_.call_status;
    error.remote_status = call_.remote_status;
    error.request_id = call_.request_id;
    error.close_reason = call_.close_reason;
    error.elapsed_ns = elapsed_ns;
    std::memcpy(error.cause, call_.cause, sizeof error.cause);
    error.cause[sizeof error.cause - 1] = '\0';
    record(error);
    return status;
}

}  // namespace photonlink::device_call
