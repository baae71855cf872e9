// Whether this machine can run our kernels, and if not, why. Needs no GPU and no driver, makes no CUDA context.
#pragma once

#include <string>
#include <vector>

#include "photonlink/platform.hpp"

namespace photonlink::cuda {

struct Status {
    std::string reason;  // "ok", "no_driver", "driver_too_old", "no_device", "device_too_old" or "error"
    std::string detail;  // one sentence with the fix
};

/// In CUDA's integer form, 13000 for 13.0.
struct Versions {
    int runtime;  // that this module was built against
    int driver;   // newest that the driver supports; 0 = no driver
};

struct Device {
    int index;
    std::string name;
    std::string compute_capability;
    int multiprocessors;
    bool usable;  // this module holds code for it
    bool can_register;
    bool can_register_read_only;
    u64 memory_bytes;
    bool native_atomics;  // atomics on host memory, as over NVLink-C2C
};

Status status();
Versions versions();
/// Empty without a driver or a GPU.
std::vector<Device> devices();

}  // namespace photonlink::cuda
