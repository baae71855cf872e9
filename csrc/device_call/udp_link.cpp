#include "udp_link.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>

namespace photonlink::device_call {

namespace {

// Longer than anybody waits, and its sum with the clock is still a time.
constexpr u64 kLongestNs = 1ULL << 62;

}  // namespace

std::unique_ptr<UdpLink> UdpLink::connect(const char* host, u16 port, u32 slot_bytes, u64 timeout_ns) {
    try {
        return std::unique_ptr<UdpLink>(new UdpLink(host, port, slot_bytes, timeout_ns));
    } catch (const std::exception&) {
        return nullptr;
    }
}

UdpLink::UdpLink(const char* host, u16 port, u32 slot_bytes, u64 timeout_ns)
    : client_(host, port, slot_bytes), timeout_ns_(std::min(timeout_ns, kLongestNs)) {}

photonlink_device_link UdpLink::table(std::unique_ptr<UdpLink> link) {
    photonlink_device_link table{};
    table.abi = PHOTONLINK_DEVICE_CALL_ABI;
    table.call = [](void* context, photonlink_device_call* call) {
        return static_cast<UdpLink*>(context)->answer(*call);
    };
    table.drop = [](void* context) { delete static_cast<UdpLink*>(context); };
    table.context = link.release();
    return table;
}

i32 UdpLink::answer(photonlink_device_call& call) {
    if (call.request_bytes > client_.most_argument_bytes())
        return fail(call, PHOTONLINK_DEVICE_INVALID_ARGUMENT, "the arguments do not fit a slot of the link to");
    const transport::UdpCall sent{call.function_id, call.request, call.request_bytes, call.response,
                                  call.response_bytes};
    return ended(client_.call(sent, platform::clock_ns() + timeout_ns_), call);
}

i32 UdpLink::ended(transport::UdpOutcome outcome, photonlink_device_call& call) const {
    call.remote_status = outcome.remote_status;
    call.request_id = outcome.request_id;
    switch (outcome.status) {
        case CallStatus::Ok:
            call.response_bytes = outcome.result_bytes;
            return PHOTONLINK_DEVICE_OK;
        case CallStatus::Timeout:
            return fail(call, PHOTONLINK_DEVICE_TIMEOUT, "no answer came from");
        case CallStatus::Full:
            return fail(call, PHOTONLINK_DEVICE_TIMEOUT, "other calls kept the link busy to");
        case CallStatus::Refused:
            return fail(call, PHOTONLINK_DEVICE_REMOTE_ERROR, "the function was refused by");
        case CallStatus::PeerLost:
            return fail(call, PHOTONLINK_DEVICE_NOT_INITIALIZED, "nothing listens at");
        default:
            return fail(call, PHOTONLINK_DEVICE_REMOTE_ERROR, "the answer breaks the wire format, from");
    }
}

i32 UdpLink::fail(photonlink_device_call& call, i32 status, const char* what) const {
    std::snprintf(call.cause, sizeof call.cause, "%s %s", what, client_.peer().c_str());
    return status;
}

}  // namespace photonlink::device_call
