#include "availability.hpp"

#include "attribute.hpp"

namespace photonlink::cuda {
namespace {

// Of the architectures that this module was compiled for.
constexpr int kOldestCapability = PHOTONLINK_CUDA_OLDEST;

std::string cuda_version(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}
std::string capability(int both) { return std::to_string(both / 10) + "." + std::to_string(both % 10); }

int capability_of(int device) {
    return attribute(cudaDevAttrComputeCapabilityMajor, device) * 10 +
           attribute(cudaDevAttrComputeCapabilityMinor, device);
}

Status driver_missing() {
    return {"no_driver",
            "No NVIDIA driver is installed (libcuda.so.1 was not found): install one, and in a container "
            "start it with GPU access."};
}

Status driver_too_old(int driver) {
    return {"driver_too_old", "The NVIDIA driver supports CUDA " + cuda_version(driver) +
                                  " and this build needs CUDA " + cuda_version(CUDART_VERSION) +
                                  ": update the driver (580 or newer for CUDA 13)."};
}

Status no_device() {
    return {"no_device",
            "The NVIDIA driver finds no GPU: check nvidia-smi, CUDA_VISIBLE_DEVICES, and that the "
            "container has GPU access."};
}

Status of_count(cudaError_t code, int driver) {
    switch (code) {
        case cudaErrorInsufficientDriver:
            return driver == 0 ? driver_missing() : driver_too_old(driver);
        case cudaErrorNoDevice:
            return no_device();
        default:
            return {"error", "CUDA could not start: " + describe(code) + "."};
    }
}

Status probe() {
    const int driver = versions().driver;
    if (driver == 0) return driver_missing();
    int count = 0;
    const cudaError_t counted = cudaGetDeviceCount(&count);
    if (counted != cudaSuccess) {
        cudaGetLastError();
        return of_count(counted, driver);
    }
    if (count == 0) return no_device();
    std::string seen;
    for (const Device& device : devices()) {
        if (device.usable) return {"ok", "Kernels can run on " + device.name + "."};
        seen += (seen.empty() ? "" : ", ") + device.name + " (" + device.compute_capability + ")";
    }
    return {"device_too_old", "This build needs a GPU of compute capability " + capability(kOldestCapability) +
                                  " or newer and finds " + seen +
                                  ": build with PHOTONLINK_CUDA_ARCHITECTURES for it if it is 7.5 or newer."};
}

}  // namespace

Versions versions() {
    int driver = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess) {
        cudaGetLastError();
        driver = 0;
    }
    return {CUDART_VERSION, driver};
}

std::vector<Device> devices() {
    std::vector<Device> found;
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess) {
        cudaGetLastError();
        return found;
    }
    for (int index = 0; index < count; ++index) {
        cudaDeviceProp properties;
        check(cudaGetDeviceProperties(&properties, index), "ask for a device's properties");
        const int version = capability_of(index);
        found.push_back({index, properties.name, capability(version), attribute(cudaDevAttrMultiProcessorCount, index),
                         version >= kOldestCapability, attribute(cudaDevAttrHostRegisterSupported, index) != 0,
                         attribute(cudaDevAttrHostRegisterReadOnlySupported, index) != 0, properties.totalGlobalMem,
                         attribute(cudaDevAttrHostNativeAtomicSupported, index) != 0});
    }
    return found;
}

Status status() {
    try {
        return probe();
    } catch (const std::exception& error) {
        return {"error", error.what()};
    }
}

}  // namespace photonlink::cuda
