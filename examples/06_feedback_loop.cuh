// A closed loop around a photonic processor: a Mach-Zehnder interferometer is kept at half its fringe while its phase
// drifts. Each step's phase depends on what the step before measured, so nothing can be sent ahead. Portable text: the
// kernel of 06_feedback_loop.cu runs it on a GPU, a test runs it on the CPU.
#pragma once

#include "photonlink/device.cuh"

/// What the loop works on, in memory that the whole group sees.
struct FeedbackLoop {
    const double* drift;  // radians, per step
    double* trace;        // measured mean photon number in mode 0, per step
    double* scratch;      // 4 values
    photonlink::u32 steps;
    double gain;               // radians per photon
    photonlink::u64 limit_ns;  // the loop gives up after this long
};

/// Runs the loop; `done` becomes the number of steps that were made. The program has two features, control phase and
/// drift, and two observables, the mean photon numbers.
template <class Group>
PHL_HD photonlink::CallStatus run_feedback(const Group& group, const photonlink::device::Link& link,
                                           const FeedbackLoop& loop, photonlink::u32* done) {
    namespace platform = photonlink::platform;
    using photonlink::CallStatus;
    double* const features = loop.scratch;
    double* const observables = loop.scratch + 2;
    const photonlink::u64 end_ns = platform::clock_ns() + loop.limit_ns;
    double control = 0.0;
    for (photonlink::u32 step = 0; step < loop.steps; ++step) {
        if (group.leader()) {
            features[0] = control;
            features[1] = loop.drift[step];
            *done = step;
        }
        // The cap on the kernel's duration; rank 0 asks the clock, so that all threads leave together.
        if (group.from_leader(platform::clock_ns() >= end_ns)) return CallStatus::Timeout;
        const photonlink::device::Outcome outcome = photonlink::device::infer(group, link, features, observables);
        if (outcome.status != CallStatus::Ok) return outcome.status;
        group.sync();
        control += loop.gain * (observables[0] - 0.5);
        if (group.leader()) loop.trace[step] = observables[0];
        group.sync();  // everybody has read before the next step overwrites
    }
    if (group.leader()) *done = loop.steps;
    return CallStatus::Ok;
}
