// A transport of CUDA-Q realtime, or of anybody who follows its public table (bridge_table.hpp), loaded at run time.
//
//   Bridge bridge("udp", {"--port=0", "--unified"});   loads libcudaq-realtime-bridge-udp.so, creates
//   bridge.endpoint();                                 "transport=udp port=45620"
//   const BridgePlane plane = bridge.plane();          where frames lie; nothing flows before launch()
//   bridge.connect(); bridge.launch();
//   bridge.disconnect();                               and it is destroyed with the object
//
// Every call runs foreign code and takes as long as that does; connect() of a transport with a rendezvous blocks until
// its peer comes. BridgeGateway (bridge_gateway.hpp) bounds all of it.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "photonlink/transport/bridge_table.hpp"

namespace photonlink::transport {

/// A provider cannot be used, or no longer.
class BridgeError : public std::runtime_error {
  public:
    enum class Kind : u32 {
        NotFound,         // no such library, or the system cannot load it
        NoTable,          // it exports no table, or a null one
        UnknownVersion,   // of the table
        MissingFunction,  // a null slot that is needed
        CallFailed,       // see status()
        Unservable,       // its rings cannot be served by a CPU, or have no usable shape
        TimedOut,         // a call did not return in time
        Broken,           // it broke a rule of the interface while it served, or takes no answers any more
        Ended
    };

    BridgeError(Kind kind, const std::string& message, int status = 0)
        : std::runtime_error(message), kind_(kind), status_(status) {}

    Kind kind() const { return kind_; }
    /// What the call returned (bridge::Status); 0 for other kinds.
    int status() const { return status_; }

  private:
    Kind kind_;
    int status_;
};

/// Where a provider's frames lie, and how slots change hands.
struct BridgePlane {
    enum class Form {
        Rings,  // flags on both sides; threads of the provider move the frames
        Hooks   // rx_poll and tx_publish; whoever calls them moves the frames
    };

    Form form;
    bridge::CpuDataplane plane;  // of Form::Rings: its rings alone
    u32 slots;
    u32 slot_bytes;  // largest frame in either direction; a multiple of 8
};

class Bridge {
  public:
    /// Loads the library and creates one transport. `library` is a path, a file name that the system's loader finds, or
    /// the short name of a provider of CUDA-Q: "udp", "cpu_roce", "gpu_roce". A library stays loaded until the process
    /// ends. Throws BridgeError.
    Bridge(const std::string& library, const std::vector<std::string>& arguments);
    /// Destroys the transport.
    ~Bridge();
    Bridge(const Bridge&) = delete;
    Bridge& operator=(const Bridge&) = delete;

    /// File that is loaded for a name.
    static std::string file_of(const std::string& library);

    int version() const { return table_->version; }

    /// One line of key=value words, as soon as the transport exists; empty if the provider has none to tell.
    std::string endpoint() const;

    /// The form that the provider offers, Hooks before Rings. `slots` is for a provider that does not say how many it
    /// has, as none of version 1 can. Throws BridgeError: Unservable, CallFailed, MissingFunction.
    BridgePlane plane(std::optional<u32> slots = std::nullopt) const;

    /// Tells the provider which functions are answered, if it wants to know.
    void offer_functions() const;

    void connect() const { call("connect", table_->connect); }
    void launch() const { call("launch", table_->launch); }
    void disconnect() const { call("disconnect", table_->disconnect); }

  private:
    using Call = int (*)(bridge::Handle);

    void call(const char* name, Call function) const;
    void require_ok(const char* name, int status) const;
    bool get_hooks(bridge::CpuDataplane* plane) const;
    void get_rings(bridge::Rings* rings) const;

    const std::string file_;
    const bridge::Table* table_;
    bridge::Handle handle_ = nullptr;
};

}  // namespace photonlink::transport
