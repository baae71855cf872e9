// Geometry limits, and a layout in which nothing overlaps and everything is aligned.
#include "photonlink/link/port.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "photonlink/link/memory.hpp"

namespace photonlink::link {
namespace {

TEST(Port, AcceptsGeometriesAtTheirLimits) {
    EXPECT_EQ(validate({1, 64, 0}), GeometryError::None);
    EXPECT_EQ(validate({4096, 1u << 20, 0}), GeometryError::None);
    EXPECT_EQ(validate({16, 512, 1ULL << 30}), GeometryError::None);
    EXPECT_EQ(validate(Geometry{}), GeometryError::None);
}

TEST(Port, RefusesGeometriesBeyondTheirLimits) {
    EXPECT_EQ(validate({0, 64, 0}), GeometryError::Slots);
    EXPECT_EQ(validate({4097, 64, 0}), GeometryError::Slots);
    EXPECT_EQ(validate({~0u, ~0u, ~0ULL}), GeometryError::Slots);
    EXPECT_EQ(validate({1, 56, 0}), GeometryError::SlotBytes);
    EXPECT_EQ(validate({1, 68, 0}), GeometryError::SlotBytes);
    EXPECT_EQ(validate({1, (1u << 20) + 8, 0}), GeometryError::SlotBytes);
    EXPECT_EQ(validate({1, ~7u, 0}), GeometryError::SlotBytes);
    EXPECT_EQ(validate({1, 64, 8}), GeometryError::ResultBytes);
    EXPECT_EQ(validate({1, 64, (1ULL << 30) + 64}), GeometryError::ResultBytes);
    EXPECT_EQ(validate({1, 64, ~63ULL}), GeometryError::ResultBytes);
    EXPECT_EQ(validate({4096, 64, 1ULL << 30}), GeometryError::RegionTooLarge);
}

TEST(Port, LayoutKeepsEverythingApartAndAligned) {
    for (const Geometry& geometry : {Geometry{1, 64, 0}, Geometry{16, 504, 0}, Geometry{7, 72, 128},
                                     Geometry{4096, 248, 64}, Geometry{3, 1u << 20, 4096}}) {
        const PortLayout layout = layout_of(geometry);
        EXPECT_EQ(layout.stride % kCacheLine, 0u);
        EXPECT_GE(layout.stride, kCommitBytes + geometry.slot_bytes);
        EXPECT_LT(layout.stride, kCommitBytes + geometry.slot_bytes + kCacheLine);
        EXPECT_GE(layout.request_bytes, kSlotsOffset + geometry.slots * layout.stride);
        EXPECT_EQ(layout.results_offset % kPageBytes, 0u);
        EXPECT_GE(layout.results_offset, kSlotsOffset + geometry.slots * layout.stride);
        EXPECT_GE(layout.response_bytes, layout.results_offset + geometry.slots * geometry.result_bytes);
    }
}

// A small request must cost one cache line: commit word, header and 32 payload bytes.
static_assert(kCommitBytes + wire::kHeaderBytes + 32 == kCacheLine);
// Payloads start 8-aligned, as encoding B asks.
static_assert((kCommitBytes + wire::kHeaderBytes) % 8 == 0 && kSlotsOffset % kCacheLine == 0);
static_assert(sizeof(RegionHeader) <= kCloseOffset && kHeartbeatOffset + kCacheLine <= kSlotsOffset);

TEST(Port, RefusalNamesFieldValueAndLimits) {
    try {
        InProcessPort port(Geometry{0, 64, 0});
        FAIL() << "0 slots were accepted";
    } catch (const std::invalid_argument& error) {
        const std::string text = error.what();
        EXPECT_NE(text.find("slots is 0"), std::string::npos) << text;
        EXPECT_NE(text.find("4096"), std::string::npos) << text;
    }
    EXPECT_THROW(InProcessPort(Geometry{1, 65, 0}), std::invalid_argument);
    EXPECT_THROW(InProcessPort(Geometry{1, 64, 1}), std::invalid_argument);
    EXPECT_THROW(InProcessPort(Geometry{4096, 64, 1ULL << 30}), std::invalid_argument);
}

}  // namespace
}  // namespace photonlink::link
