// Feed-forward in a kernel that is compiled at run time: the phases of the second datapoint follow from the observables
// of the first. 05_cupy_kernel.py hands this text to CuPy.
#include "photonlink/device.cuh"

using namespace photonlink;

/// One row: measure, turn every phase by the mean photon number of its mode, measure again.
template <class Group>
PHL_HD CallStatus measure_twice(const Group& group, const device::Link& link, const double* x, double* turned,
                                double* y) {
    const device::Outcome first = device::infer(group, link, x, y);
    group.sync();
    if (first.status != CallStatus::Ok) return first.status;
    for (u32 k = group.rank(); k < link.features(); k += group.size()) turned[k] = x[k] + y[k];
    group.sync();
    return device::infer(group, link, turned, y).status;
}

/// One warp per row; `turned` is scratch of the size of x.
extern "C" __global__ void feed_forward(const device::Link* handle, const double* x, double* turned, double* y,
                                        u32* statuses, u32 rows) {
    const WarpGroup warp;
    const u32 row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (row >= rows) return;  // whole warps
    const device::Link link = *handle;
    const u64 at = static_cast<u64>(row) * link.features();
    const CallStatus status = measure_twice(warp, link, x + at, turned + at, y + row * link.outputs);
    if (warp.leader()) statuses[row] = static_cast<u32>(status);
}
