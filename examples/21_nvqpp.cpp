// A C++ program for nvq++ whose kernel calls a CUDA-Q realtime service, or a photonic processor, while it runs.
//
// Build and run, with a service that has photonic_infer at 127.0.0.1:45620:
//
//   PHL=$(python -c 'import photonlink; print(photonlink.get_include())')
//   LIB=$(python -c 'from photonlink.cudaq import device; print(device.library_path())')
//   nvq++ -frealtime-lowering --enable-mlir -I"$PHL" 21_nvqpp.cpp "$LIB" -Wl,-rpath,"$(dirname "$LIB")" -o hybrid
//   ./hybrid 127.0.0.1 45620
#include <cudaq.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "photonlink/device_call/nvqpp.hpp"

namespace {

constexpr std::uint32_t kDevice = 0;

int explain(const char* what) {
    photonlink_device_error error;
    photonlink_device_latest_error(&error);
    std::fprintf(stderr, "%s: %s (status %d of function 0x%08x on device %u)\n", what, error.cause, error.status,
                 error.function_id, error.device);
    return 1;
}

}  // namespace

/// Rotates a qubit by a photonic observable and measures it.
__qpu__ bool photonic_coin(double feature) {
    std::vector<double> features{feature};
    std::vector<double> observables(3);
    cudaq::device_call(kDevice, photonic_infer, features, observables);
    cudaq::qubit qubit;
    ry(3.141592653589793 * observables[1], qubit);
    return mz(qubit);
}

int main(int count, char** arguments) {
    if (count != 3) {
        std::fprintf(stderr, "usage: %s HOST PORT\n", arguments[0]);
        return 2;
    }
    // The service's slots have 256 bytes; a call may take a second.
    const auto port = static_cast<std::uint16_t>(std::atoi(arguments[2]));
    if (photonlink_device_open_udp(kDevice, arguments[1], port, 256, 1'000'000'000) != PHOTONLINK_DEVICE_OK) {
        std::fprintf(stderr, "no link to %s:%s: is the host known?\n", arguments[1], arguments[2]);
        return 1;
    }
    try {
        int ones = 0;
        for (const bool one : cudaq::run(100, photonic_coin, 0.3)) ones += one ? 1 : 0;
        std::printf("%d of 100 shots are 1\n", ones);
    } catch (const std::exception&) {  // its text is about something else
        return explain("the kernel failed");
    }
    photonlink_device_close(kDevice);
    return 0;
}
