// What the example for nvq++ uses of CUDA-Q, for an ordinary compiler: a device_call goes through the three symbols in
// the order and with the bytes that the lowered code of the wheel's compiler shows. Not CUDA-Q: no quantum state, and a
// kernel is an ordinary function.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "photonlink/device_call/device_call.h"
#include "photonlink/wire/codec.hpp"

#define __qpu__

namespace cudaq {

struct qubit {
    double angle = 0;
};

inline void trap(std::int32_t status) {
    if (status != 0) throw std::runtime_error("trap");
}

/// photonic_infer's shape: a list, and a list that comes back.
inline void device_call(std::uint32_t device, void (*)(const std::vector<double>&, std::vector<double>&),
                        const std::vector<double>& in, std::vector<double>& out) {
    const std::uint64_t bytes = 8 + 8 * in.size() + 8;
    void* frame = nullptr;
    void* request = nullptr;
    void* response = nullptr;
    trap(__cudaq_device_call_acquire_realtime_frame(device, photonlink::wire::function_id("photonic_infer"), bytes,
                                                    8 * out.size(), &frame, &request, &response));
    photonlink::wire::PayloadWriter writer(request, bytes);
    writer.sequence(in.data(), in.size());
    writer.output(out.size());
    std::uint64_t length = 0;
    const std::int32_t status = __cudaq_device_call_dispatch_realtime_frame(frame, &length);
    if (status == 0) std::memcpy(out.data(), response, 8 * out.size());
    __cudaq_device_call_safely_release_realtime_frame(frame);
    trap(status);
}

template <class Kernel, class... Arguments>
auto run(std::size_t shots, Kernel kernel, Arguments... arguments) {
    std::vector<std::invoke_result_t<Kernel, Arguments...>> results;
    for (std::size_t shot = 0; shot < shots; ++shot) results.push_back(kernel(arguments...));
    return results;
}

}  // namespace cudaq

inline void ry(double angle, cudaq::qubit& qubit) { qubit.angle += angle; }
/// Certain outcomes only: the likelier one.
inline bool mz(const cudaq::qubit& qubit) { return std::cos(qubit.angle) < 0; }
