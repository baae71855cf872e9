// Memory on both sides: copies go in the order of their stream, beside captures, and nothing is left.
#include "staging.hpp"

#include <cstring>
#include <numeric>

#include "guards.hpp"
#include "link_testing.hpp"
#include "waiting.hpp"

namespace photonlink::cuda::test {
namespace {

void wait(const Staging& staging) {
    const CaptureGuard beside_captures;
    ASSERT_TRUE(wait_for(staging.stream(), platform::clock_ns() + static_cast<u64>(kPatience * 1e9), "copy"));
}

TEST_F(CudaLink, StagedBytesGoThereAndBackInOrder) {
    const u64 before = fake::live();
    {
        Staging staging(0, 1000);
        EXPECT_EQ(staging.bytes(), 1000u);
        std::iota(staging.host(), staging.host() + 1000, u8{0});
        staging.upload(300, 700);
        // What runs on the device in between: moves the second half of what came to the front.
        fake::enqueue(staging.stream(), [device = staging.device()] { std::memcpy(device, device + 500, 200); });
        staging.download(0, 200);
        wait(staging);
        for (u64 i = 0; i < 200; ++i) EXPECT_EQ(staging.host()[i], static_cast<u8>(500 + i));
        EXPECT_EQ(staging.host()[299], static_cast<u8>(299));
    }
    expect_nothing_left(before);
}

TEST_F(CudaLink, StagingMemoryIsMadeAndUsedBesideACapture) {
    const u64 before = fake::live();
    {
        const UserStream stream;
        fake::begin_capture(stream);
        {
            Staging staging(0, 64);
            staging.upload(0, 64);
            staging.download(0, 64);
            wait(staging);
        }
        EXPECT_TRUE(fake::end_capture(stream).empty());
    }
    expect_nothing_left(before);
}

TEST_F(CudaLink, BytesThatAreNotThereAreRefused) {
    EXPECT_THROW(Staging(0, 0), std::invalid_argument);
    EXPECT_THROW(Staging(7, 64), CudaError);
    Staging staging(0, 64);
    EXPECT_THROW(staging.upload(1, 64), std::invalid_argument);
    EXPECT_THROW(staging.download(65, 0), std::invalid_argument);
    EXPECT_THROW(staging.download(8, ~u64{0}), std::invalid_argument);
}

}  // namespace
}  // namespace photonlink::cuda::test
