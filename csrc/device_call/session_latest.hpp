// What a thread's latest datapoint on a link was: kernels ask for it value by value, and its memory serves the next
// one.
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <vector>

#include "photonlink/device_call/device_call.h"
#include "photonlink/qsc/client.hpp"
#include "photonlink/wire/codec.hpp"

namespace photonlink::device_call {

struct Latest {
    std::vector<double> features;
    std::vector<double> observables;  // empty: no datapoint yet
    std::vector<u8> photons;          // per mode; empty: no sample yet
    std::shared_ptr<u64> row;         // where results arrive, in the session's precision

    /// Copies the features out; false, with the cause, if their number is wrong.
    bool take_features(wire::SequenceView<double> sent, const qsc::ClientConfig& config, photonlink_device_call& call);

    qsc::Output output(const qsc::ClientConfig& config);

    /// The row that has arrived, as observables.
    void keep_observables(const qsc::ClientConfig& config);

    /// Of the calling thread on the link of this identity.
    static Latest& of_thread(u64 identity);
};

}  // namespace photonlink::device_call
