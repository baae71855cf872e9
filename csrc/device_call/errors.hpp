// The last failure of each thread, and the last of all.
#pragma once

#include "photonlink/device_call/device_call.h"

namespace photonlink::device_call {

/// Numbers `error` and keeps it.
void record(photonlink_device_error error);

const photonlink_device_error& last_of_thread();
photonlink_device_error latest();

}  // namespace photonlink::device_call
