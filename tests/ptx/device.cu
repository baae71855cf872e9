// Kernels as users write them, over the one header that they include. Compiled to PTX and never run: by nvcc (check.py)
// and at run time (tests/python/test_nvrtc.py). rules.py says what must and must not be in each.
#include "photonlink/device.cuh"

using namespace photonlink;
using namespace photonlink::device;

extern "C" __global__ void infer_thread(Link link, const double* x, double* y, u32* statuses) {
    const u64 row = blockIdx.x * blockDim.x + threadIdx.x;
    const Outcome outcome = infer(ThreadGroup(), link, x + row * link.features(), y + row * link.outputs);
    statuses[row] = static_cast<u32>(outcome.status);
}

extern "C" __global__ void infer_warp(Link link, const float* x, float* y, u32* statuses) {
    const WarpGroup warp;
    const u64 row = (blockIdx.x * blockDim.x + threadIdx.x) / warp.size();
    const Outcome outcome = infer(warp, link, x + row * link.features(), y + row * link.outputs);
    if (warp.leader()) statuses[row] = static_cast<u32>(outcome.status);
}

extern "C" __global__ void infer_block(Link link, const float* x, double* y, u32* statuses) {
    const BlockGroup block;
    const u64 row = blockIdx.x;
    const Outcome outcome = infer(block, link, x + row * link.features(), y + row * link.outputs);
    if (block.leader()) statuses[row] = static_cast<u32>(outcome.status);
}

// The compiler may read own arguments through the cache for constant data, and link memory never. Own arguments have 16
// bits here and nothing in link memory has, so that the rules can tell them apart.
extern "C" __global__ void infer_restrict(Link link, const short* __restrict__ x, float* __restrict__ y,
                                          u32* __restrict__ statuses) {
    const WarpGroup warp;
    const Outcome outcome = infer(warp, link, x, y);
    if (warp.leader()) statuses[0] = static_cast<u32>(outcome.status) + static_cast<u32>(x[0]);
}

extern "C" __global__ void infer_batch(Link link, Batch<float, float> batch, LaunchWords* words, u64 limit_ns,
                                       u32 window) {
    const BlockGroup block;
    const u64 now = platform::clock_ns();
    const u64 first_id = begin_launch(block, link, words, gridDim.x, batch.rows, now + limit_ns);
    infer_rows(block, link, batch, Share{blockIdx.x, gridDim.x, first_id, now, now + limit_ns}, window);
    end_launch(block, words, gridDim.x);
}

extern "C" __global__ void submit_batch(Link link, Batch<double, float> batch, u64 first_id, u64 deadline,
                                        Pending* pending) {
    submit_rows(WarpGroup(), link, batch, Share{blockIdx.x, gridDim.x, first_id, 0, deadline}, pending);
}

extern "C" __global__ void collect_batch(Link link, Batch<double, float> batch, u64 deadline, Pending* pending) {
    collect_rows(WarpGroup(), link, batch, Share{blockIdx.x, gridDim.x, 0, 0, deadline}, pending);
}

// Words of the device alone.
extern "C" __global__ void take_launch_ids(Link link, LaunchWords* words, u64 rows, u64 deadline, u64* ids) {
    const ThreadGroup thread;
    ids[blockIdx.x] = begin_launch(thread, link, words, gridDim.x, rows, deadline);
    end_launch(thread, words, gridDim.x);
}

extern "C" __global__ void latch(Link link, Failure failure) { latch_failure(link, failure); }

extern "C" __global__ void encode(EncodingView map, const float* x, double* phases, u32* statuses, u64 rows) {
    encode_rows(WarpGroup(), map, x, map.features, phases, statuses, rows, blockIdx.x, gridDim.x);
}
