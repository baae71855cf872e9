// A session on a controller of the same process: reservation, port and client in one object.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "photonlink/encoding.hpp"
#include "photonlink/link/fork.hpp"
#include "photonlink/link/memory.hpp"
#include "photonlink/qsc/client.hpp"
#include "photonlink/qsc/controller.hpp"
#include "photonlink/qsc/device_port.hpp"

namespace photonlink::qsc {

class LocalSession {
  public:
    /// Reserves `controller` and attaches a port of `slots` slots. Throws what Controller::reserve throws, and
    /// std::invalid_argument for a port that cannot exist; then nothing is reserved.
    LocalSession(std::shared_ptr<Controller> controller, std::shared_ptr<const optics::ProgramSpec> program,
                 std::shared_ptr<const Encoding> encoding, const SessionOptions& options, u32 slots);
    ~LocalSession();  // close(); nothing in a forked child, where the session never was
    LocalSession(const LocalSession&) = delete;
    LocalSession& operator=(const LocalSession&) = delete;

    SessionClient& client() { return *client_; }
    const SessionGrant& grant() const { return grant_; }
    u64 output_size() const { return grant_.output_size; }
    const std::shared_ptr<Controller>& controller() const { return controller_; }

    /// A port of `slots` slots for calls from a device, which may outlive this object; it closes with the session.
    /// Throws UnknownSession once the session has ended, std::invalid_argument for a port that cannot exist.
    std::shared_ptr<DevicePort> open_device_port(u32 slots) const;

    /// Shape of a port of this session whose caller is another process or a device.
    link::Geometry remote_geometry(u32 slots) const;

    Usage usage() const { return controller_->usage(grant_.session); }

    /// Ends every call with CallStatus::Closed, releases the session and reports it. Later calls report it again.
    Usage close();

    /// True in a forked child: nothing of the session is there.
    bool inherited() const { return fork_guard_.inherited(); }

  private:
    void open_port(u32 slots);
    ClientConfig client_config() const;

    const link::ForkGuard fork_guard_;
    const std::shared_ptr<Controller> controller_;
    const std::shared_ptr<const Encoding> encoding_;
    const SessionOptions options_;
    SessionGrant grant_;
    std::unique_ptr<SessionClient> client_;
    std::mutex close_mutex_;
    std::optional<Usage> closed_;  // guarded by close_mutex_
};

}  // namespace photonlink::qsc
