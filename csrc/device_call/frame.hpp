// One call between acquire and release: memory for its arguments and its result, and the link that it goes to.
#pragma once

#include <memory>

#include "registry.hpp"

namespace photonlink::device_call {

class Frame {
  public:
    /// Room for a call; arguments are zeroed, since generated code leaves alignment holes as they are. Throws
    /// std::bad_alloc.
    void prepare(uint32_t device, uint32_t function_id, uint64_t request_bytes, uint64_t response_bytes);

    void bind(std::shared_ptr<const Link> link) { link_ = std::move(link); }
    void unbind() { link_.reset(); }

    /// Makes this a frame that goes nowhere: dispatching it fails in the same way again.
    int32_t refuse(int32_t status, const char* cause);
    bool refused() const { return refused_ != PHOTONLINK_DEVICE_OK; }

    /// Sends the call and takes its answer. Failures are recorded.
    int32_t dispatch(uint64_t* response_bytes);

    photonlink_device_call& call() { return call_; }

  private:
    int32_t answered(int32_t status, uint64_t expected_bytes);
    int32_t fail(int32_t status, uint64_t elapsed_ns) const;

    std::unique_ptr<uint64_t[]> memory_;
    uint64_t words_ = 0;
    int32_t refused_ = PHOTONLINK_DEVICE_OK;
    photonlink_device_call call_{};
    std::shared_ptr<const Link> link_;
};

}  // namespace photonlink::device_call
