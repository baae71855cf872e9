// What a thread changes for the length of a call, and puts back.
#pragma once

#include "error.hpp"

namespace photonlink::cuda {

/// Makes `device` the calling thread's device.
class DeviceGuard {
  public:
    explicit DeviceGuard(int device) {
        check(cudaGetDevice(&before_), "ask for the current device");
        if (before_ == device)
            before_ = kUnchanged;
        else
            check(cudaSetDevice(device), "choose the device");
    }
    ~DeviceGuard() {
        if (before_ != kUnchanged) cudaSetDevice(before_);
    }
    DeviceGuard(const DeviceGuard&) = delete;
    DeviceGuard& operator=(const DeviceGuard&) = delete;

  private:
    static constexpr int kUnchanged = -1;
    int before_ = kUnchanged;
};

/// Lets the calling thread allocate, free and ask while a stream is being captured, here or in another thread. Without
/// it such a call fails, and takes the capture with it.
class CaptureGuard {
  public:
    CaptureGuard() { cudaThreadExchangeStreamCaptureMode(&mode_); }
    ~CaptureGuard() { cudaThreadExchangeStreamCaptureMode(&mode_); }
    CaptureGuard(const CaptureGuard&) = delete;
    CaptureGuard& operator=(const CaptureGuard&) = delete;

  private:
    cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace photonlink::cuda
