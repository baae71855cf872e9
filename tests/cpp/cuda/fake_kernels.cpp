// The library's kernels on the made-up runtime: the same portable bodies, a thread per group. The tests' batches have
// features and results of double precision.
#include <thread>

#include "fake_cuda.hpp"
#include "launch.hpp"
#include "photonlink/device/encode.hpp"

namespace photonlink::cuda {
namespace {

void run_groups(u64 groups, const std::function<void(u64)>& body) {
    std::vector<std::thread> threads;
    for (u64 index = 0; index < groups; ++index) threads.emplace_back(body, index);
    for (std::thread& thread : threads) thread.join();
}

}  // namespace

cudaError_t launch_infer(const device::Link& link, const RawBatch& batch, device::LaunchWords* words,
                         const device::Launch& launch, cudaStream_t stream) {
    fake::enqueue(stream, [=, all = typed<double, double>(batch)] {
        run_groups(launch.groups,
                   [&](u64 index) { device::infer_group(ThreadGroup(), link, all, words, launch, index); });
    });
    return cudaSuccess;
}

cudaError_t launch_submit(const device::Link& link, const RawBatch& batch, device::LaunchWords* words,
                          const device::Launch& launch, device::Pending* pending, cudaStream_t stream) {
    fake::enqueue(stream, [=, all = typed<double, double>(batch)] {
        run_groups(launch.groups,
                   [&](u64 index) { device::submit_group(ThreadGroup(), link, all, words, launch, index, pending); });
    });
    return cudaSuccess;
}

cudaError_t launch_collect(const device::Link& link, const RawBatch& batch, const device::Launch& launch,
                           device::Pending* pending, cudaStream_t stream) {
    fake::enqueue(stream, [=, all = typed<double, double>(batch)] {
        run_groups(launch.groups,
                   [&](u64 index) { device::collect_group(ThreadGroup(), link, all, launch, index, pending); });
    });
    return cudaSuccess;
}

cudaError_t launch_abandon(const device::Link& link, device::Pending* pending, u64 rows, cudaStream_t stream) {
    fake::enqueue(stream, [=] {
        for (u64 row = 0; row < rows; ++row) device::abandon_pending(link, pending, row);
    });
    return cudaSuccess;
}

cudaError_t launch_encode(const EncodingView& encoding, const RawBatch& batch, u64 groups, cudaStream_t stream) {
    fake::enqueue(stream, [=, all = typed<double, double>(batch)] {
        run_groups(groups, [&](u64 index) {
            device::encode_rows(ThreadGroup(), encoding, all.features, all.feature_stride, all.out, all.statuses,
                                all.rows, index, groups);
        });
    });
    return cudaSuccess;
}

cudaError_t launch_echo(const device::Link& link, u64 callers, u64 calls, u64 limit_ns, u32* samples,
                        device::EchoCounts* counts, cudaStream_t stream) {
    fake::enqueue(stream, [=] {
        run_groups(callers, [&](u64 caller) {
            device::echo_calls(link, caller * calls, calls, platform::clock_ns() + limit_ns, samples + caller * calls,
                               counts + caller, [] { return platform::clock_ns(); });
        });
    });
    return cudaSuccess;
}

cudaError_t launch_ping(device::PingPongWords* words, u64 rounds, u64 limit_ns, u32* samples,
                        device::PingPongCounts* counts, cudaStream_t stream) {
    fake::enqueue(stream, [=] {
        device::ping(words, rounds, platform::clock_ns() + limit_ns, samples, counts,
                     [] { return platform::clock_ns(); });
    });
    return cudaSuccess;
}

cudaError_t preload_kernels() { return cudaSuccess; }

}  // namespace photonlink::cuda
