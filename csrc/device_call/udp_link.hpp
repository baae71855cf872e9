// A link to any CUDA-Q realtime service over UDP. Calls of several threads are in flight together, where NVIDIA's own
// channel takes one at a time.
#pragma once

#include <memory>

#include "photonlink/device_call/device_call.h"
#include "photonlink/transport/udp_client.hpp"

namespace photonlink::device_call {

class UdpLink {
  public:
    /// Null if `host` (numeric, or a name) has no IPv4 address or no socket can be had.
    static std::unique_ptr<UdpLink> connect(const char* host, u16 port, u32 slot_bytes, u64 timeout_ns);

    i32 answer(photonlink_device_call& call);

    /// The C form of a link, which owns it until it is dropped.
    static photonlink_device_link table(std::unique_ptr<UdpLink> link);

  private:
    UdpLink(const char* host, u16 port, u32 slot_bytes, u64 timeout_ns);

    i32 ended(transport::UdpOutcome outcome, photonlink_device_call& call) const;
    i32 fail(photonlink_device_call& call, i32 status, const char* what) const;

    transport::UdpClient client_;
    const u64 timeout_ns_;
};

}  // namespace photonlink::device_call
