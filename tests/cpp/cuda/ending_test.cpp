// How a device link ends, and what it takes along: everything in the end, and nothing too early.
#include <sys/wait.h>
#include <unistd.h>

#include "link_testing.hpp"

namespace photonlink::cuda::test {
namespace {

TEST_F(CudaLink, ClosingThePortEndsKernelsAndCloseWaitsForThem) {
    const u64 before = fake::live();
    {
        Port port(2, false);
        const auto link = port.open();
        const UserStream stream;
        DoubleRows rows(7, kOutputs, 1);
        link->infer(raw(rows), kPatience, stream);
        EXPECT_FALSE(link->synchronize(stream, 1e-3));  // the kernel waits for answers
        EXPECT_FALSE(link->close(1e-3));                // nothing may be freed
        EXPECT_THROW(link->infer(raw(rows), kPatience, stream), CudaError);
        port.close();
        EXPECT_TRUE(link->close(kPatience));
        rows.expect_all(CallStatus::Closed);
        const auto failure = link->take_failure();  // handed over before the latch was freed
        ASSERT_TRUE(failure.has_value());
        EXPECT_EQ(failure->status, CallStatus::Closed);
        EXPECT_FALSE(link->take_failure().has_value());
    }
    expect_nothing_left(before);
}

TEST_F(CudaLink, TheKernelLimitEndsAKernelThatNobodyAnswers) {
    Port port(2, false);
    LinkConfig config = port.config();
    config.kernel_limit = 0.02;
    const auto link = std::make_shared<DeviceLink>(config);
    const UserStream stream;
    DoubleRows rows(5, kOutputs, 1);
    link->infer(raw(rows), kPatience, stream);
    ASSERT_TRUE(link->synchronize(stream, kPatience));
    rows.expect_all(CallStatus::Timeout);
    EXPECT_EQ(link->take_failure()->status, CallStatus::Timeout);
}

TEST_F(CudaLink, AKernelOfTheUsersIsWaitedFor) {
    const u64 before = fake::live();
    {
        Port port(2, false);
        const auto link = port.open();
        const device::Link argument = link->argument();
        EXPECT_EQ(std::memcmp(reinterpret_cast<const device::Link*>(link->pointer()), &argument, sizeof argument), 0);
        const UserStream stream;
        DoubleRows rows(1, kOutputs, 1);
        CallStatus status = CallStatus::Ok;
        fake::enqueue(stream, [&, argument] {
            status = device::infer(ThreadGroup(), argument, rows.features(0), rows.y.data()).status;
        });
        EXPECT_FALSE(link->close(0.02));
        port.close();
        // The thread that frees was started by the first close, and ends when the kernel does.
        EXPECT_TRUE(link->close(kPatience));
        EXPECT_EQ(status, CallStatus::Closed);
    }
    expect_nothing_left(before);
}

TEST_F(CudaLink, AStreamPerCallDoesNotAddUp) {
    Port port(4);
    const auto link = port.open();
    DoubleRows rows(4, kOutputs, 1);
    u64 after_hundred = 0;
    for (u32 call = 0; call < 300; ++call) {
        const UserStream stream;
        link->infer(raw(rows), kPatience, stream);
        ASSERT_TRUE(link->synchronize(stream, kPatience));
        if (call == 100) after_hundred = fake::live();
    }
    EXPECT_LE(fake::live(), after_hundred);
    rows.expect_all(CallStatus::Ok);
}

TEST_F(CudaLink, WhenTheEndOfALaunchIsUnknownNothingIsFreed) {
    Port& port = *keep(new Port(2));
    auto& link = **keep(new std::shared_ptr<DeviceLink>(port.open()));
    UserStream stream;
    DoubleRows rows(2, kOutputs, 1);
    const u64 before = fake::live();
    fake::fail_next_record();
    EXPECT_THROW(link.infer(raw(rows), kPatience, stream), CudaError);
    port.close();
    EXPECT_FALSE(link.close(kPatience));
    EXPECT_GE(fake::live(), before);
    ASSERT_TRUE(link.synchronize(stream, kPatience));
}

TEST_F(CudaLink, WhatADeviceCannotDoIsSaidBeforeAnythingIsMapped) {
    const u64 before = fake::live();
    Port port(2, false);
    LinkConfig config = port.config();
    config.responses_writable = false;
    { EXPECT_NO_THROW(DeviceLink{config}); }
    fake::set_read_only_supported(false);
    EXPECT_THROW(DeviceLink{config}, CudaError);
    fake::set_read_only_supported(true);
    config.encoding = nullptr;
    EXPECT_THROW(DeviceLink{config}, std::invalid_argument);
    config = port.config();
    config.geometry.slot_bytes = 64;  // too small for four phases
    EXPECT_THROW(DeviceLink{config}, std::invalid_argument);
    config = port.config();
    config.device = 3;
    EXPECT_THROW(DeviceLink{config}, CudaError);
    expect_nothing_left(before);
}

TEST_F(CudaLink, ADestroyedLinkLetsGo) {
    const u64 before = fake::live();
    {
        Port port(4);
        const UserStream stream;
        DoubleRows rows(9, kOutputs, 1);
        auto link = port.open();
        link->infer(raw(rows), kPatience, stream);
        DoubleRows few(3, kOutputs, 2);
        const auto submitted = link->submit(raw(few), kPatience, stream);
        ASSERT_TRUE(link->synchronize(stream, kPatience));
        link.reset();  // the batch on its way still holds it
    }
    expect_nothing_left(before);
}

TEST_F(CudaLink, AForkedChildTouchesNothing) {
    Port port(2, false);
    auto link = port.open();
    const UserStream stream;
    DoubleRows rows(2, kOutputs, 1);
    const u64 before = fake::live();
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            link->infer(raw(rows), kPatience, stream);
            ::_exit(1);
        } catch (const CudaError&) {  // as it must be
        }
        if (link->close(kPatience)) ::_exit(2);
        link.reset();
        ::_exit(fake::live() == before ? 0 : 3);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_TRUE(link->close(kPatience));
}

}  // namespace
}  // namespace photonlink::cuda::test
