// What a device says about itself.
#pragma once

#include "error.hpp"

namespace photonlink::cuda {

/// Throws CudaError, also when there is no such device.
inline int attribute(cudaDeviceAttr which, int device) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, device), "ask for the device's attributes");
    return value;
}

}  // namespace photonlink::cuda
