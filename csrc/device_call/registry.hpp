// Which device id means which link. Frames hold a reference to their link, so that closing a device never takes a link
// away under a call.
#pragma once

#include <memory>

#include "photonlink/device_call/device_call.h"

namespace photonlink::device_call {

using Status = photonlink_device_status;

/// A link and the duty to drop it. In a forked child it is a copy of something that stayed in the parent.
class Link {
  public:
    explicit Link(const photonlink_device_link& link);
    ~Link();
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    int32_t call(photonlink_device_call& call) const { return link_.call(link_.context, &call); }
    bool inherited() const;

  private:
    const photonlink_device_link link_;
    const uint64_t born_;  // number of forks before this process
};

/// What a device id stands for: a link, or why there is none.
struct Found {
    std::shared_ptr<const Link> link;
    bool inherited = false;
};

Found find(uint32_t device);
Status open(uint32_t device, const photonlink_device_link& link);
Status close(uint32_t device);

}  // namespace photonlink::device_call
