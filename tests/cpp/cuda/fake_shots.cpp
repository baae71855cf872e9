// The kernels of sampling without a distribution on the made-up runtime: the same portable bodies, a block of threads
// in the place of each warp.
#include "../device/host_group.hpp"
#include "fake_cuda.hpp"
#include "sim_shots.hpp"

namespace photonlink::cuda {
namespace {

using device::test::HostGroup;
using optics::gpu::Complex64;
using optics::gpu::ShotRoom;

constexpr u32 kThreads = 3;

}  // namespace

cudaError_t launch_shots(const optics::gpu::ShotJob& job, u64 blocks, cudaStream_t stream) {
    if (blocks == 0) return cudaErrorInvalidValue;
    fake::enqueue(stream, [job, used = static_cast<u32>(std::min<u64>(blocks, 2))] {
        const u64 size = ShotRoom::bytes(job.tables.modes, job.tables.photons) / sizeof(Complex64) + 1;
        std::vector<std::vector<Complex64>> rooms(used, std::vector<Complex64>(size));
        device::test::launch(used, kThreads, [&](const HostGroup& group, u32 block) {
            const ShotRoom room(rooms[block].data(), job.tables.modes, job.tables.photons);
            optics::gpu::draw_tile<optics::kMaxPhotons>(group, job, room, block, used);
        });
    });
    return cudaSuccess;
}

template <class Real>
cudaError_t launch_publish_shots(const optics::gpu::ShotJob& job, const optics::gpu::Results<Real>& results,
                                 cudaStream_t stream) {
    fake::enqueue(stream, [=] {
        device::test::launch(1, kThreads, [&](const HostGroup& group, u32) {
            optics::gpu::publish_shots(job, results, group.rank(), group.size());
        });
    });
    return cudaSuccess;
}

template cudaError_t launch_publish_shots(const optics::gpu::ShotJob&, const optics::gpu::Results<float>&,
                                          cudaStream_t);
template cudaError_t launch_publish_shots(const optics::gpu::ShotJob&, const optics::gpu::Results<double>&,
                                          cudaStream_t);

cudaError_t preload_shots() { return cudaSuccess; }

}  // namespace photonlink::cuda
