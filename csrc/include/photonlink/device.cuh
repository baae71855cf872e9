// photonlink for your own kernels: include this one header, with nvcc or at run time (NVRTC), and call a photonic
// processor from inside a kernel. The folder to give the compiler is photonlink.get_include(); a session's `Link` comes
// from session.device_link() in Python.
//
//     __global__ void layer(photonlink::device::Link link, const float* x, float* y, unsigned rows) {
//         const photonlink::WarpGroup warp;                       // or ThreadGroup, BlockGroup
//         const unsigned row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
//         if (row >= rows) return;  // whole warps
//         x += row * link.features();
//         y += row * link.outputs;
//         const auto outcome = photonlink::device::infer(warp, link, x, y);
//         if (outcome.status != photonlink::CallStatus::Ok) ...  // never hangs: Timeout, Closed, PeerLost, ...
//     }
//
// Pass the Link by value, not through const __restrict__ pointers. device/call.hpp has single datapoints, also split
// into submit and collect; device/batch.hpp has batches with several datapoints in flight; encode.hpp has the phases.
#pragma once

#include "photonlink/device/batch.hpp"
#include "photonlink/device/call.hpp"
#include "photonlink/device/encode.hpp"
#include "photonlink/device/link.hpp"
#include "photonlink/group.hpp"
