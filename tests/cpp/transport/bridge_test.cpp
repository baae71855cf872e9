// Loading providers: what each version of the table has, and every way in which one cannot be used.
#include "bridge_testing.hpp"

namespace photonlink::transport::test {
namespace {

TEST(Bridge, NamesOfProvidersBecomeFileNames) {
    EXPECT_EQ(Bridge::file_of("cpu_roce"), "libcudaq-realtime-bridge-cpu-roce.so");
    EXPECT_EQ(Bridge::file_of("udp"), "libcudaq-realtime-bridge-udp.so");
    EXPECT_EQ(Bridge::file_of("libmine.so.1"), "libmine.so.1");
    EXPECT_EQ(Bridge::file_of("/opt/lab_link"), "/opt/lab_link");
}

TEST(Bridge, EachVersionGivesWhatItHas) {
    const Bridge first(BRIDGE_V1, {"--slot-size=512"});
    EXPECT_EQ(first.version(), 1);
    EXPECT_EQ(first.endpoint(), "");
    const BridgePlane plane = first.plane(4);
    EXPECT_EQ(plane.form, BridgePlane::Form::Rings);
    EXPECT_EQ(plane.slots, 4u);
    EXPECT_EQ(plane.slot_bytes, 512u);
    first.offer_functions();  // whom no table interests

    for (const char* file : {BRIDGE_V2, BRIDGE_V3}) {
        const Bridge bridge(file, {"--num-slots=5", "--slot-size=128", "--unified"});
        EXPECT_EQ(bridge.endpoint().rfind("transport=udp port=", 0), 0u) << bridge.endpoint();
        const BridgePlane hooks = bridge.plane(64);  // it says so itself
        EXPECT_EQ(hooks.form, BridgePlane::Form::Hooks);
        EXPECT_EQ(hooks.slots, 5u);
        EXPECT_EQ(hooks.slot_bytes, 128u);
    }
    EXPECT_EQ(Bridge(BRIDGE_V3, {}).plane().form, BridgePlane::Form::Rings);
}

TEST(Bridge, AProviderOfVersion3LearnsWhichFunctionsAreAnswered) {
    const Loaded provider;
    Bridge(BRIDGE_V3, {}).offer_functions();
    EXPECT_TRUE(provider.was_called("set_function_table:9")) << provider.history();
    const Environment without("BRIDGE_NULL", "set_function_table");
    Bridge(BRIDGE_V3, {}).offer_functions();  // who has no use for it says nothing
}

TEST(Bridge, LivesInOrder) {
    const Loaded provider;
    {
        const Bridge bridge(BRIDGE_V3, {});
        bridge.connect();
        bridge.launch();
        bridge.disconnect();
    }
    EXPECT_EQ(provider.history(), "create connect launch disconnect destroy");
}

TEST(Bridge, WhatIsNoProviderIsRefusedByName) {
    std::string message;
    EXPECT_EQ(kind_of([] { Bridge("/nowhere/libmine.so", {}); }, &message), Kind::NotFound);
    EXPECT_NE(message.find("/nowhere/libmine.so"), std::string::npos) << message;
    EXPECT_EQ(kind_of([] { Bridge("no_such_transport", {}); }, &message), Kind::NotFound);
    EXPECT_NE(message.find("libcudaq-realtime-bridge-no-such-transport.so"), std::string::npos) << message;
    EXPECT_EQ(kind_of([] { Bridge(NO_PROVIDER, {}); }, &message), Kind::NoTable);
    EXPECT_NE(message.find("cudaq_realtime_get_bridge_interface"), std::string::npos) << message;
    const Environment none("BRIDGE_TABLE", "none");
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V2, {}); }), Kind::NoTable);
}

TEST(Bridge, UnknownVersionsAreRefusedBeforeAnythingIsCalled) {
    const Loaded provider;
    for (const char* version : {"0", "4", "-1"}) {
        const Environment claimed("BRIDGE_VERSION", version);
        EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V3, {}); }), Kind::UnknownVersion) << version;
    }
    EXPECT_EQ(provider.history(), "");
}

TEST(Bridge, NullFunctionsAreRefusedWhereTheyAreNeeded) {
    for (const char* name : {"create", "destroy", "get_transport_context", "connect", "launch", "disconnect"}) {
        const Environment without("BRIDGE_NULL", name);
        std::string message;
        EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V1, {}); }, &message), Kind::MissingFunction);
        EXPECT_NE(message.find(name), std::string::npos) << message;
    }
    {
        const Environment without("BRIDGE_NULL", "get_endpoint_info");
        EXPECT_EQ(Bridge(BRIDGE_V2, {}).endpoint(), "");
    }
    {
        const Environment without("BRIDGE_NULL", "get_ring_geometry");
        EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V2, {}).plane(); }), Kind::Unservable);
        EXPECT_EQ(Bridge(BRIDGE_V2, {}).plane(3).slots, 3u);
    }
    const Environment without("BRIDGE_NULL", "get_cpu_dataplane");
    EXPECT_EQ(Bridge(BRIDGE_V2, {}).plane().form, BridgePlane::Form::Rings);
}

TEST(Bridge, AFailingCallSaysWhichAndHow) {
    std::string message;
    int status = 0;
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V2, {"--fail=create"}); }, &message, &status), Kind::CallFailed);
    EXPECT_EQ(status, bridge::kInternal);
    EXPECT_NE(message.find("create of the transport provider"), std::string::npos) << message;
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V2, {"--num-slots=none"}); }, &message, &status), Kind::CallFailed);
    EXPECT_EQ(status, bridge::kInvalidArgument);
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V2, {"--no-handle"}); }), Kind::Broken);

    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V2, {"--fail=connect"}).connect(); }), Kind::CallFailed);
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V2, {"--fail=launch"}).launch(); }), Kind::CallFailed);
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V2, {"--fail=disconnect"}).disconnect(); }), Kind::CallFailed);
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V2, {"--fail=get_endpoint_info"}).endpoint(); }), Kind::CallFailed);
    for (const char* call : {"get_cpu_dataplane", "get_transport_context", "get_ring_geometry"})
        EXPECT_EQ(kind_of([call] { Bridge(BRIDGE_V2, {std::string("--fail=") + call}).plane(); }), Kind::CallFailed);
}

TEST(Bridge, RingsThatNoCpuReachesAreRefused) {
    std::string message;
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V3, {"--device-rings"}).plane(); }, &message), Kind::Unservable);
    EXPECT_NE(message.find("no host pointers"), std::string::npos) << message;
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V3, {"--device-rings", "--unified"}).plane(); }), Kind::MissingFunction);
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V1, {"--unified"}).plane(8); }), Kind::Unservable) << "neither form";
}

TEST(Bridge, ShapesThatNoPortHasAreRefused) {
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V3, {"--num-slots=5000"}).plane(); }), Kind::Unservable);
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V3, {"--slot-size=32"}).plane(); }), Kind::Unservable);
    EXPECT_EQ(kind_of([] { Bridge(BRIDGE_V1, {}).plane(0); }), Kind::Unservable);
    EXPECT_EQ(Bridge(BRIDGE_V3, {"--slot-size=100"}).plane().slot_bytes, 96u) << "a multiple of 8";
}

}  // namespace
}  // namespace photonlink::transport::test
