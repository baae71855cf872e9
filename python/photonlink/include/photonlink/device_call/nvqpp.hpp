// photonlink's device functions by name, for kernels that nvq++ compiles:
//
//     __qpu__ double first(const std::vector<double>& features, std::vector<double>& observables) {
//         cudaq::device_call(0, photonic_infer, features, observables);
//         return observables[0];
//     }
//
// With -frealtime-lowering the compiler hashes the names and calls the three symbols of libphotonlink_device_call; what
// is linked under the names themselves is never run. The number is the device: open it first, with
// photonlink_device_open() or photonlink_device_open_udp() of device_call.h.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "photonlink/device_call/device_call.h"

namespace photonlink::nvqpp {

/// A kernel that was compiled without -frealtime-lowering, or host code, has called a device function.
[[noreturn]] inline void only_on_a_device(const char* function) {
    std::fprintf(stderr, "%s runs on a device: compile its kernel with nvq++ -frealtime-lowering --enable-mlir\n",
                 function);
    std::abort();
}

}  // namespace photonlink::nvqpp

// Weak: any number of source files may include this header, and a program may bring its own.
extern "C" {

/// One datapoint: fills in the observables, as many as the session has.
__attribute__((weak)) void photonic_infer(const std::vector<double>& /*features*/,
                                          std::vector<double>& /*observables*/) {
    photonlink::nvqpp::only_on_a_device("photonic_infer");
}

/// Observable of the calling thread's latest datapoint; nothing is sent.
__attribute__((weak)) double photonic_expectation(std::int64_t /*index*/) {
    photonlink::nvqpp::only_on_a_device("photonic_expectation");
}

/// One datapoint of a session with one shot: position of the detected state.
__attribute__((weak)) std::int64_t photonic_sample(const std::vector<double>& /*features*/) {
    photonlink::nvqpp::only_on_a_device("photonic_sample");
}

/// Photons that the calling thread's latest sample showed in a mode; nothing is sent.
__attribute__((weak)) std::int64_t photonic_photons(std::int64_t /*mode*/) {
    photonlink::nvqpp::only_on_a_device("photonic_photons");
}

/// The value, from the controller.
__attribute__((weak)) std::int64_t photonlink_echo(std::int64_t /*value*/) {
    photonlink::nvqpp::only_on_a_device("photonlink_echo");
}

}  // extern "C"
