// Kernels that measure the link. Samples are in cycles of the multiprocessor; each caller also leaves what two clocks
// said at its ends, so that the host can turn cycles into time.
#include "launching.cuh"

namespace photonlink::cuda {
namespace {

struct Cycles {
    __device__ u64 operator()() const { return static_cast<u64>(clock64()); }
};

// One caller per warp: threads of a warp that wait for different answers would wait for each other.
__global__ void __launch_bounds__(kBlockThreads)
    echo_kernel(device::Link link, u64 callers, u64 calls, u64 limit_ns, u32* samples, device::EchoCounts* counts) {
    const u64 caller = warp_index();
    if (caller >= callers || !WarpGroup().leader()) return;
    device::echo_calls(link, caller * calls, calls, platform::clock_ns() + limit_ns, samples + caller * calls,
                       counts + caller, Cycles());
}

__global__ void ping_kernel(device::PingPongWords* words, u64 rounds, u64 limit_ns, u32* samples,
                            device::PingPongCounts* counts) {
    if (WarpGroup().leader()) device::ping(words, rounds, platform::clock_ns() + limit_ns, samples, counts, Cycles());
}

}  // namespace

cudaError_t launch_echo(const device::Link& link, u64 callers, u64 calls, u64 limit_ns, u32* samples,
                        device::EchoCounts* counts, cudaStream_t stream) {
    return launch_groups(echo_kernel, callers, stream, link, callers, calls, limit_ns, samples, counts);
}

cudaError_t launch_ping(device::PingPongWords* words, u64 rounds, u64 limit_ns, u32* samples,
                        device::PingPongCounts* counts, cudaStream_t stream) {
    return launch_groups(ping_kernel, 1, stream, words, rounds, limit_ns, samples, counts);
}

cudaError_t preload_bench() {
    return first_error(
        {preload(reinterpret_cast<const void*>(echo_kernel)), preload(reinterpret_cast<const void*>(ping_kernel))});
}

}  // namespace photonlink::cuda
