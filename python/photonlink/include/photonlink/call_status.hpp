// How a call of one or more datapoints ended, wherever it was made: the same numbers on the host, in a kernel, and in
// the status row that a kernel leaves in device memory. Portable.
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink {

enum class CallStatus : u32 {
    Ok = 0,
    Timeout = 1,
    Closed = 2,         // the port was closed: by the server with a reason, or by this side
    PeerLost = 3,       // the controller died or stopped beating
    Refused = 4,        // the datapoint was answered with a wire status other than Ok
    ProtocolError = 5,  // the answer breaks the wire format
    Cancelled = 6,      // host calls only: by CallOptions::cancelled
    Interrupted = 7,    // host calls only: by CallOptions::interrupted
    BadFeature = 8,     // a feature is not finite; the datapoint was not sent
    BadPhase = 9,       // the features are finite and a phase is not; the datapoint was not sent
    Full = 10,          // device calls that do not wait: every slot is taken
    WrongType = 11,     // device calls: the link's version or its result type is not what this code was compiled for
};

}  // namespace photonlink
