// A port as a controller takes it over.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "photonlink/link/server.hpp"

namespace photonlink::qsc {

/// Carries what comes from far away into ports, and answers out of them: called by the dispatcher between its other
/// work, so that no second thread stands between a datagram and its answer. True if it did something. It must not
/// throw, nor wait for what waits for the dispatcher; it may attach a port.
using Carrier = std::function<bool()>;

struct PortAttachment {
    link::ServerHandle server;
    std::shared_ptr<void> owner;  // keeps the port's memory until the session no longer touches it
    /// False once the client is gone for good; asked about every 20 ms by the supervisor thread; must not block and
    /// not throw. When every port of a session says so, the session ends. Empty: never lost.
    std::function<bool()> alive;
    /// Datapoint ids of this port start near here. Empty: in the session's next free range, which the port takes with
    /// its first datapoint, so that whoever calls first gets the ids from 0 on.
    std::optional<u64> first_id;
};

}  // namespace photonlink::qsc
