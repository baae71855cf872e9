#include "resources.hpp"

#include <string>

#include "arguments.hpp"
#include "attribute.hpp"
#include "encoding.hpp"
#include "waiting.hpp"

namespace photonlink::cuda {
namespace {

/// The number of multiprocessors, once the device is known to be able to map the port.
int checked_device(const LinkConfig& config) {
    const auto supports = [&](cudaDeviceAttr which) { return attribute(which, config.device) != 0; };
    if (!supports(cudaDevAttrCanMapHostMemory) || !supports(cudaDevAttrHostRegisterSupported))
        throw CudaError("could not open a device link: device " + std::to_string(config.device) +
                        " cannot map memory that the host allocated");
    if (!config.responses_writable && !supports(cudaDevAttrHostRegisterReadOnlySupported))
        throw CudaError("could not open a device link: device " + std::to_string(config.device) +
                        " cannot map read-only host memory, which the answers of another process are; use a "
                        "controller in this process");
    // Now, since a kernel that is loaded at its first launch may wait for one that waits for its answer.
    check(preload_kernels(), "load the kernels");
    return attribute(cudaDevAttrMultiProcessorCount, config.device);
}

}  // namespace

void require_valid(const LinkConfig& config) {
    require(link::validate(config.geometry) == link::GeometryError::None,
            "the port's shape (" + std::to_string(config.geometry.slots) + " slots of " +
                std::to_string(config.geometry.slot_bytes) + " bytes, results of " +
                std::to_string(config.geometry.result_bytes) + " bytes) is not that of a port");
    require(config.requests != nullptr && config.responses != nullptr && config.encoding != nullptr,
            "requests, responses and encoding must be addresses, not 0");
    require(config.observable_bytes == sizeof(float) || config.observable_bytes == sizeof(double),
            "observable_bytes is " + std::to_string(config.observable_bytes) + ", expected 4 or 8");
    const u64 frame = wire::kHeaderBytes + wire::infer_arg_len(config.encoding->phases, sizeof(double));
    require(frame <= config.geometry.slot_bytes,
            "a request of " + std::to_string(config.encoding->phases) + " phases takes " + std::to_string(frame) +
                " bytes and a slot has " + std::to_string(config.geometry.slot_bytes) +
                ": open the port with larger slots");
    limit_ns(config.row_timeout, "row_timeout");
    limit_ns(config.kernel_limit, "kernel_limit");
}

Resources::Resources(const LinkConfig& config)
    : layout_(link::layout_of(config.geometry)),
      multiprocessors_(checked_device(config)),
      requests_(config.requests, layout_.request_bytes, true, "request"),
      responses_(config.responses, layout_.response_bytes, config.responses_writable, "response"),
      latch_(sizeof(device::Latch)),
      flights_(arena_, config.geometry.slots),
      link_{} {
    device::Words* const words = arena_.take<device::Words>(1);
    link_.version = device::kLinkVersion;
    link_.result_bytes = config.observable_bytes;
    link_.port = link::ClientHandle(config.geometry, requests_.device(), responses_.device(),
                                    arena_.take<u64>(config.geometry.slots), nullptr, &words->port);
    link_.encoding = upload_encoding(*config.encoding, arena_);
    link_.key = config.key;
    link_.outputs = config.output_size;
    link_.row_timeout_ns = limit_ns(config.row_timeout, "row_timeout");
    link_.words = words;
    link_.latch = static_cast<device::Latch*>(latch_.device());
    // A look is a trip over the bus, about as long as the pause of a host; sleeping any longer than this would show in
    // the latency of answers that come after milliseconds.
    link_.backoff = link::Backoff{400, 200, 10'000};
    pointer_ = arena_.upload(&link_, 1);
    // What the first captures take, so that they need not allocate.
    constexpr u64 kSpareBytes = 32 * 1024;
    arena_.reserve(kSpareBytes);
}

}  // namespace photonlink::cuda
