// Equipment of the bridge tests: our own provider (bridge_provider.cpp), what it was called, and a controller behind
// it.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "photonlink/transport/bridge_gateway.hpp"
#include "udp_testing.hpp"

namespace photonlink::transport::test {

using Kind = BridgeError::Kind;
using Words = std::vector<std::string>;

/// The provider as this process has it loaded.
class Loaded {
  public:
    explicit Loaded(const std::string& file = BRIDGE_V3) : library_(::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        EXPECT_NE(library_, nullptr) << ::dlerror();
        call("provider_reset");
    }
    ~Loaded() { release(); }
    Loaded(const Loaded&) = delete;
    Loaded& operator=(const Loaded&) = delete;

    std::string history() const { return reinterpret_cast<const char* (*)()>(::dlsym(library_, "provider_history"))(); }
    bool was_called(const std::string& name) const {
        return (" " + history() + " ").find(" " + name + " ") != std::string::npos;
    }
    void release() const { call("provider_release"); }

  private:
    void call(const char* name) const { reinterpret_cast<void (*)()>(::dlsym(library_, name))(); }

    void* library_;
};

class Environment {
  public:
    Environment(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
    ~Environment() { ::unsetenv(name_); }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

  private:
    const char* name_;
};

/// What kind of error `make` ends with.
template <class Make>
Kind kind_of(const Make& make, std::string* message = nullptr, int* status = nullptr) {
    try {
        make();
    } catch (const BridgeError& problem) {
        if (message != nullptr) *message = problem.what();
        if (status != nullptr) *status = problem.status();
        return problem.kind();
    }
    ADD_FAILURE() << "no error";
    return Kind::Ended;
}

inline u16 port_of(const std::string& endpoint) {
    const std::size_t at = endpoint.find(" port=");
    EXPECT_NE(at, std::string::npos) << endpoint;
    return static_cast<u16>(std::atoi(endpoint.c_str() + at + 6));
}

inline BridgeOptions options_of(const std::string& library, Words arguments = {}) {
    BridgeOptions options;
    options.library = library;
    options.arguments = std::move(arguments);
    options.silence_s = options.start_s = options.end_s = kPatience_ns * 1e-9;  // tests that mean them set their own
    return options;
}

/// A controller with one session, offered through a provider.
class BridgeBench {
  public:
    explicit BridgeBench(const BridgeOptions& options, qsc::test::ProcessorSettings settings = {},
                         const link::Geometry& geometry = small_slots())
        : record(std::make_shared<qsc::test::Record>(std::move(settings))),
          controller(std::make_shared<qsc::Controller>(std::make_unique<qsc::test::TestProcessor>(record))),
          gateway(std::make_unique<BridgeGateway>(controller, options)) {
        reserve(geometry);
    }
    ~BridgeBench() { record->open_gate(); }
    BridgeBench(const BridgeBench&) = delete;
    BridgeBench& operator=(const BridgeBench&) = delete;

    void reserve(const link::Geometry& geometry = small_slots()) {
        grant = controller->reserve(qsc::test::test_program(), {});
        gateway->open(grant, geometry, 120);
    }

    u16 port() const { return port_of(gateway->endpoint()); }
    std::vector<u8> infer(u64 n) const {
        return infer_payload<double>(grant.key, UdpBench::phases(n), grant.output_size);
    }
    std::vector<double> expected(u64 n) const {
        std::vector<double> values(grant.output_size);
        const std::vector<double> sent = UdpBench::phases(n);
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = qsc::test::expected_value(sent.data(), sent.size(), i, 0, 0, 0);
        return values;
    }
    u64 tokens() const { return controller->usage(grant.session).counts.tokens; }
    qsc::EndReason end() const { return controller->usage(grant.session).end; }

    std::shared_ptr<qsc::test::Record> record;
    std::shared_ptr<qsc::Controller> controller;
    std::unique_ptr<BridgeGateway> gateway;
    qsc::SessionGrant grant;
};

}  // namespace photonlink::transport::test
