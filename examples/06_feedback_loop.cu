// The feedback loop as a persistent kernel: one warp, one launch, a thousand steps. Built by 06_feedback_loop.py.
#include "06_feedback_loop.cuh"

namespace {

__global__ void feedback(photonlink::device::Link link, FeedbackLoop loop, unsigned* done, unsigned* status) {
    const photonlink::WarpGroup warp;
    const photonlink::CallStatus ended = run_feedback(warp, link, loop, done);
    if (warp.leader()) *status = static_cast<unsigned>(ended);
}

}  // namespace

/// Everything is device memory, except `link`: the bytes of session.device_link().argument. Returns a cudaError_t.
extern "C" int run_feedback_loop(const photonlink::device::Link* link, const double* drift, double* trace,
                                 double* scratch, unsigned steps, double gain, double limit_seconds, unsigned* done,
                                 unsigned* status) {
    const FeedbackLoop loop{drift, trace, scratch, steps, gain, static_cast<photonlink::u64>(limit_seconds * 1e9)};
    feedback<<<1, 32>>>(*link, loop, done, status);
    const cudaError_t launched = cudaGetLastError();
    return launched != cudaSuccess ? launched : cudaDeviceSynchronize();
}
