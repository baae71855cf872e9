// The library by itself: frames, the table of devices, errors, threads, forks. Links are plain functions here.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "calling.hpp"

namespace photonlink::device_call::test {
namespace {

struct Counter {
    std::atomic<int> calls{0};
    std::atomic<int> drops{0};
};

/// Answers with the arguments, up to the expected length.
i32 echo(void* context, photonlink_device_call* call) {
    static_cast<Counter*>(context)->calls.fetch_add(1);
    call->response_bytes = std::min(call->response_bytes, call->request_bytes);
    if (call->response_bytes != 0) std::memcpy(call->response, call->request, call->response_bytes);
    return PHOTONLINK_DEVICE_OK;
}

i32 refuse(void*, photonlink_device_call* call) {
    call->remote_status = 103;
    std::strcpy(call->cause, "laser unlocked");
    return PHOTONLINK_DEVICE_REMOTE_ERROR;
}

i32 boast(void*, photonlink_device_call* call) {
    call->response_bytes += 1;
    return PHOTONLINK_DEVICE_OK;
}

void count_drop(void* context) { static_cast<Counter*>(context)->drops.fetch_add(1); }

photonlink_device_link link_to(Counter& counter, i32 (*answer)(void*, photonlink_device_call*) = echo) {
    return {PHOTONLINK_DEVICE_CALL_ABI, &counter, answer, count_drop};
}

/// A device that is open for the length of a test.
class Device {
  public:
    explicit Device(u32 id, i32 (*answer)(void*, photonlink_device_call*) = echo) : id_(id) {
        const photonlink_device_link link = link_to(counter, answer);
        EXPECT_EQ(photonlink_device_open(id, &link), 0);
    }
    ~Device() { photonlink_device_close(id_); }

    Counter counter;

  private:
    u32 id_;
};

TEST(Library, CarriesACallAndItsResult) {
    const Device device(1);
    const Outcome outcome = call(1, "photonlink_echo", integer(-7), 8);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.value<i64>(), -7);
}

TEST(Library, AFunctionWithoutResultNeedsNoRoomForOne) {
    const Device device(1);
    EXPECT_EQ(call(1, "f", integer(1), 0).status, 0);
    EXPECT_EQ(device.counter.calls, 1);
}

TEST(Library, ArgumentsAreZeroedAlignedAndBehindHeadroom) {
    const Device device(1);
    for (int round = 0; round < 3; ++round) {
        void* frame = nullptr;
        void* request = nullptr;
        void* response = nullptr;
        ASSERT_EQ(__cudaq_device_call_acquire_realtime_frame(1, 1, 73, 16, &frame, &request, &response), 0);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(request) % 8, 0u);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(response) % 8, 0u);
        auto* bytes = static_cast<u8*>(request);
        for (int i = -static_cast<int>(PHOTONLINK_DEVICE_HEADROOM); i < 73; ++i) EXPECT_EQ(bytes[i], 0) << i;
        std::memset(bytes - PHOTONLINK_DEVICE_HEADROOM, 0xEE, PHOTONLINK_DEVICE_HEADROOM + 73);
        __cudaq_device_call_safely_release_realtime_frame(frame);
    }
}

TEST(Library, AnUnknownDeviceGivesScratchThatGeneratedCodeMayUse) {
    void* frame = nullptr;
    void* request = nullptr;
    void* response = nullptr;
    EXPECT_EQ(__cudaq_device_call_acquire_realtime_frame(99, 5, 64, 64, &frame, &request, &response),
              PHOTONLINK_DEVICE_NOT_INITIALIZED);
    ASSERT_NE(request, nullptr);
    ASSERT_NE(response, nullptr);
    std::memset(request, 1, 64);  // where the trap returns, these follow
    std::uint64_t length = 0;
    EXPECT_EQ(__cudaq_device_call_dispatch_realtime_frame(frame, &length), PHOTONLINK_DEVICE_NOT_INITIALIZED);
    std::memset(response, 1, 64);
    __cudaq_device_call_safely_release_realtime_frame(frame);
    EXPECT_EQ(last_error().device, 99u);
    EXPECT_EQ(last_error().function_id, 5u);
    EXPECT_STREQ(last_error().cause, "no such device");
}

TEST(Library, TellsWhyALinkFailed) {
    const Device device(1, refuse);
    const u64 before = last_error().sequence;
    EXPECT_EQ(call(1, "f", {}, 8).status, PHOTONLINK_DEVICE_REMOTE_ERROR);
    EXPECT_GT(last_error().sequence, before);
    EXPECT_EQ(last_error().function_id, wire::function_id("f"));
    EXPECT_EQ(last_error().remote_status, 103);
    EXPECT_STREQ(last_error().cause, "laser unlocked");
}

TEST(Library, ASuccessLeavesTheLastErrorAlone) {
    const Device device(1);
    const u64 before = last_error().sequence;
    EXPECT_EQ(call(1, "f", integer(1), 8).status, 0);
    EXPECT_EQ(last_error().sequence, before);
}

TEST(Library, RefusesResultsOfAnotherLength) {
    const Device longer(1, boast);
    const Device shorter(2);
    EXPECT_EQ(call(1, "f", {}, 8).status, PHOTONLINK_DEVICE_RESPONSE_TOO_LARGE);
    EXPECT_EQ(call(2, "f", integer(1), 16).status, PHOTONLINK_DEVICE_REMOTE_ERROR);
    EXPECT_STREQ(last_error().cause, "the answer has 8 bytes where the function returns 16");
}

TEST(Library, RefusesACallThatNoMemoryHolds) {
    const Device device(1);
    void* frame = nullptr;
    void* request = nullptr;
    void* response = nullptr;
    EXPECT_EQ(__cudaq_device_call_acquire_realtime_frame(1, 1, ~u64{0} - 64, 8, &frame, &request, &response),
              PHOTONLINK_DEVICE_INVALID_ARGUMENT);
    EXPECT_EQ(call(1, "f", integer(3), 8).value<i64>(), 3) << "later calls are not harmed";
}

TEST(Library, ADeviceIsOpenedOnceAndWithTheRightTable) {
    const Device device(1);
    Counter other;
    photonlink_device_link link = link_to(other);
    EXPECT_EQ(photonlink_device_open(1, &link), PHOTONLINK_DEVICE_INVALID_ARGUMENT) << "taken";
    link.abi += 1;
    EXPECT_EQ(photonlink_device_open(2, &link), PHOTONLINK_DEVICE_INVALID_ARGUMENT);
    EXPECT_EQ(photonlink_device_open(2, nullptr), PHOTONLINK_DEVICE_INVALID_ARGUMENT);
    EXPECT_EQ(photonlink_device_close(2), PHOTONLINK_DEVICE_NOT_INITIALIZED);
    EXPECT_EQ(other.drops, 0);
}

TEST(Library, AFrameKeepsItsLinkThroughAClose) {
    Counter counter;
    const photonlink_device_link link = link_to(counter);
    ASSERT_EQ(photonlink_device_open(1, &link), 0);
    void* frame = nullptr;
    void* request = nullptr;
    void* response = nullptr;
    ASSERT_EQ(__cudaq_device_call_acquire_realtime_frame(1, 1, 8, 8, &frame, &request, &response), 0);
    EXPECT_EQ(photonlink_device_close(1), 0);
    EXPECT_EQ(counter.drops, 0);
    std::uint64_t length = 0;
    EXPECT_EQ(__cudaq_device_call_dispatch_realtime_frame(frame, &length), 0);
    __cudaq_device_call_safely_release_realtime_frame(frame);
    EXPECT_EQ(counter.drops, 1);
    EXPECT_EQ(call(1, "f", {}, 0).status, PHOTONLINK_DEVICE_NOT_INITIALIZED);
}

TEST(Library, SeveralFramesMayBeHeldAtATime) {
    const Device device(1);
    void* frames[3];
    void* requests[3];
    void* response = nullptr;
    for (int i = 0; i < 3; ++i)
        ASSERT_EQ(__cudaq_device_call_acquire_realtime_frame(1, 1, 8, 8, &frames[i], &requests[i], &response), 0);
    EXPECT_NE(requests[0], requests[1]);
    EXPECT_NE(requests[1], requests[2]);
    for (void* frame : frames) __cudaq_device_call_safely_release_realtime_frame(frame);
}

TEST(Library, ThreadsCallWhileDevicesComeAndGo) {
    const Device steady(1);
    Counter passing;  // outlives the threads: a call may still run, and the drop comes, when its device is closed
    int opened = 0;
    std::atomic<bool> done{false};
    std::thread opener([&] {
        const photonlink_device_link link = link_to(passing);
        for (; !done; ++opened) {
            EXPECT_EQ(photonlink_device_open(2, &link), 0);
            EXPECT_EQ(photonlink_device_close(2), 0);
        }
    });
    std::vector<std::thread> callers;
    std::atomic<int> wrong{0};
    for (int thread = 0; thread < 4; ++thread)
        callers.emplace_back([thread, &wrong] {
            for (i64 i = 0; i < 500; ++i) {
                const i64 value = thread * 1000 + i;
                if (call(1, "f", integer(value), 8).value<i64>() != value) ++wrong;
                const Outcome other = call(2, "f", integer(value), 8);
                if (other.status != 0 && last_error().device != 2) ++wrong;
                if (other.status == 0 && other.value<i64>() != value) ++wrong;
            }
        });
    for (std::thread& caller : callers) caller.join();
    done = true;
    opener.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(steady.counter.calls, 2000);
    EXPECT_EQ(passing.drops, opened);
}

TEST(Library, EachThreadHasItsOwnLastErrorAndAllShareTheLatest) {
    EXPECT_EQ(call(41, "f", {}, 0).status, PHOTONLINK_DEVICE_NOT_INITIALIZED);
    std::thread([] { EXPECT_EQ(call(42, "f", {}, 0).status, PHOTONLINK_DEVICE_NOT_INITIALIZED); }).join();
    photonlink_device_error latest{};
    photonlink_device_latest_error(&latest);
    EXPECT_EQ(last_error().device, 41u);
    EXPECT_EQ(latest.device, 42u);
    EXPECT_EQ(latest.sequence, last_error().sequence + 1);
}

TEST(Library, NothingSurvivesAFork) {
    Counter counter;
    const photonlink_device_link link = link_to(counter);
    ASSERT_EQ(photonlink_device_open(1, &link), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        int failures = call(1, "f", integer(1), 8).status == PHOTONLINK_DEVICE_NOT_INITIALIZED ? 0 : 1;
        failures += std::strstr(last_error().cause, "parent") != nullptr ? 0 : 2;
        failures += photonlink_device_open(1, &link) == 0 ? 0 : 4;  // a device of the child's own
        failures += counter.drops == 0 ? 0 : 8;
        failures += call(1, "f", integer(5), 8).value<i64>() == 5 ? 0 : 16;
        _exit(failures);
    }
    int result = -1;
    ASSERT_EQ(waitpid(child, &result, 0), child);
    EXPECT_TRUE(WIFEXITED(result));
    EXPECT_EQ(WEXITSTATUS(result), 0);
    EXPECT_EQ(call(1, "f", integer(6), 8).value<i64>(), 6) << "the parent is unharmed";
    photonlink_device_close(1);
    EXPECT_EQ(counter.drops, 1);
}

TEST(Library, IsNotShadowedHere) { EXPECT_EQ(photonlink_device_shadowed_by(), nullptr); }

}  // namespace
}  // namespace photonlink::device_call::test
