// A device's way into a session: the regions that it maps and what it must know, and the host's hold on them. The calls
// themselves are made by kernels (device/); nothing here knows CUDA.
#pragma once

#include <memory>

#include "photonlink/link/client.hpp"
#include "photonlink/qsc/client.hpp"

namespace photonlink::qsc {

class DevicePort {
  public:
    /// Regions of a port of `geometry`; `keep` owns them and what `config.encoding` points to.
    DevicePort(const link::Geometry& geometry, void* requests, const void* responses, bool responses_writable,
               const ClientConfig& config, std::shared_ptr<const void> keep)
        : geometry_(geometry),
          requests_(requests),
          responses_(responses),
          responses_writable_(responses_writable),
          config_(config),
          // Without slot states and words: those are the device's. Close words and heartbeats need neither.
          host_(geometry, requests, responses, nullptr, nullptr, nullptr),
          keep_(std::move(keep)) {}

    const link::Geometry& geometry() const { return geometry_; }
    void* requests() const { return requests_; }
    const void* responses() const { return responses_; }
    /// Whether this process may write to the responses: a mapping without that right must be registered as read-only.
    bool responses_writable() const { return responses_writable_; }
    const ClientConfig& config() const { return config_; }

    /// Every wait of every kernel ends with Closed, now and from now on.
    void close() { host_.close(); }
    /// Reason that the controller gave for closing, 0 while it is open.
    u64 close_reason() const { return host_.server_close_reason(); }

  private:
    const link::Geometry geometry_;
    void* const requests_;
    const void* const responses_;
    const bool responses_writable_;
    const ClientConfig config_;
    link::ClientHandle host_;
    const std::shared_ptr<const void> keep_;
};

}  // namespace photonlink::qsc
