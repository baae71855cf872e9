// A hybrid layer in one kernel of your own: linear map, photonic layer, linear map, without leaving the GPU. Built by
// 04_cuda_kernel.py into a shared library with nvcc, and called through the function at the end.
#include "photonlink/device.cuh"

namespace {

namespace phl = photonlink;

constexpr int kMostFeatures = 64;
constexpr int kMostObservables = 1024;

/// to = weights x from, the threads of the group side by side; `weights` has `rows` rows of `columns` entries.
template <class Group>
PHL_HD void linear(const Group& group, const float* weights, const float* from, float* to, unsigned rows,
                   unsigned columns) {
    for (unsigned row = group.rank(); row < rows; row += group.size()) {
        float sum = 0.0f;
        for (unsigned column = 0; column < columns; ++column) sum += weights[row * columns + column] * from[column];
        to[row] = sum;
    }
    group.sync();
}

/// One image: `features` and `observables` are scratch that the whole group sees.
template <class Group>
PHL_HD phl::CallStatus classify(const Group& group, const phl::device::Link& link, const float* encoder,
                                const float* head, const float* image, float* scores, unsigned pixels, unsigned classes,
                                float* features, float* observables) {
    linear(group, encoder, image, features, link.features(), pixels);
    const phl::device::Outcome outcome = phl::device::infer(group, link, features, observables);
    group.sync();
    if (outcome.status == phl::CallStatus::Ok)
        linear(group, head, observables, scores, classes, static_cast<unsigned>(link.outputs));
    return outcome.status;
}

/// One block per image.
__global__ void hybrid(phl::device::Link link, const float* encoder, const float* head, const float* images,
                       float* scores, unsigned* statuses, unsigned pixels, unsigned classes) {
    __shared__ float features[kMostFeatures];
    __shared__ float observables[kMostObservables];
    const phl::CallStatus status = classify(phl::BlockGroup{}, link, encoder, head, images + blockIdx.x * pixels,
                                            scores + blockIdx.x * classes, pixels, classes, features, observables);
    if (threadIdx.x == 0) statuses[blockIdx.x] = static_cast<unsigned>(status);
}

}  // namespace

/// Everything is device memory, except `link`: the bytes of session.device_link().argument. Returns a cudaError_t.
extern "C" int hybrid_layer(const phl::device::Link* link, const float* encoder, const float* head, const float* images,
                            float* scores, unsigned* statuses, unsigned count, unsigned pixels, unsigned classes) {
    if (link->features() > kMostFeatures || link->outputs > kMostObservables) return cudaErrorInvalidValue;
    hybrid<<<count, 64>>>(*link, encoder, head, images, scores, statuses, pixels, classes);
    const cudaError_t launched = cudaGetLastError();
    return launched != cudaSuccess ? launched : cudaDeviceSynchronize();
}
