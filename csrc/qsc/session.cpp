#include "photonlink/qsc/session.hpp"

namespace photonlink::qsc {

const char* to_string(State state) {
    switch (state) {
        case State::Idle:
            return "idle";
        case State::Reserved:
            return "reserved";
        case State::Configured:
            return "configured";
        case State::Serving:
            return "serving";
        case State::Released:
            return "released";
        case State::Error:
            return "error";
    }
    return "unknown";
}

const char* to_string(Maintenance maintenance) {
    switch (maintenance) {
        case Maintenance::None:
            return "none";
        case Maintenance::Requested:
            return "requested";
        case Maintenance::Active:
            return "active";
    }
    return "unknown";
}

}  // namespace photonlink::qsc
