// Golden payloads: the bytes that the compiler of the stock CUDA-Q wheel was seen to emit. Holes, which it leaves
// unwritten, must be zero here.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "photonlink/wire/codec.hpp"

namespace photonlink::wire {
namespace {

using Bytes = std::vector<u8>;
constexpr std::array<bool, 9> kBits{true, false, true, true, false, false, false, false, true};

/// Runs `write` over a buffer of old bytes and returns exactly what it wrote.
template <class Write>
Bytes encoded(Write write) {
    Bytes buffer(256, 0xEE);
    PayloadWriter writer(buffer.data(), buffer.size());
    write(writer);
    EXPECT_TRUE(writer.ok());
    EXPECT_EQ(buffer[writer.size()], 0xEE) << "wrote past its end";
    buffer.resize(writer.size());
    return buffer;
}

TEST(Golden, AddThem) {
    EXPECT_EQ(encoded([](PayloadWriter& writer) {
                  writer.i64_arg(41);
                  writer.i64_arg(1);
              }),
              (Bytes{0x29, 0, 0, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(Golden, Enq) {
    EXPECT_EQ(encoded([](PayloadWriter& writer) {
                  writer.i64_arg(41);
                  writer.bools(kBits.data(), kBits.size());
              }),
              (Bytes{0x29, 0, 0, 0, 0, 0, 0, 0, 0x09, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0x01}));
}

TEST(Golden, GetcWithByReferenceOutput) {
    EXPECT_EQ(encoded([](PayloadWriter& writer) {
                  writer.i64_arg(41);
                  writer.output(9);
                  writer.i1_arg(true);
              }),
              (Bytes{0x29, 0, 0, 0, 0, 0, 0, 0, 0x09, 0, 0, 0, 0, 0, 0, 0, 0x01}));
    const std::array<u8, 2> response{0x05, 0x05};
    std::array<bool, 9> result{};
    unpack_bools(result.data(), response.data(), result.size());
    EXPECT_EQ(result, (std::array<bool, 9>{true, false, true, false, false, false, false, false, true}));
    std::array<u8, 2> packed{0xff, 0xff};
    pack_bools(packed.data(), result.data(), result.size());
    EXPECT_EQ(packed[0], 0x05);
    EXPECT_EQ(packed[1], 0x01) << "unused high bits are zero";
}

const Bytes kMix{0x07, 0, 0,    0,    0x2c, 0x01, 0,    0, 0x01, 0,    0,    0, 0, 0,    0,    0,   0, 0, 0,
                 0,    0, 0,    0xf8, 0x3f, 0x01, 0x02, 0, 0,    0,    0,    0, 0, 0x09, 0,    0,   0, 0, 0,
                 0,    0, 0x0d, 0x01, 0,    0,    0,    0, 0,    0x40, 0x02, 0, 0, 0,    0,    0,   0, 0, 0,
                 0,    0, 0,    0,    0,    0xe0, 0x3f, 0, 0,    0,    0,    0, 0, 0xd0, 0x3f, 0x07};

TEST(Golden, Mix) {
    const std::array<double, 2> halves{0.5, 0.25};
    const Bytes bytes = encoded([&](PayloadWriter& writer) {
        writer.i8_arg(7);
        writer.i32_arg(300);
        writer.i1_arg(true);
        writer.f64_arg(1.5);
        writer.i16_arg(513);
        writer.bools(kBits.data(), kBits.size());
        writer.f32_arg(2.0f);
        writer.sequence(halves.data(), halves.size());
        writer.i8_arg(7);
    });
    EXPECT_EQ(bytes.size(), 73u);
    EXPECT_EQ(bytes, kMix);
}

TEST(Golden, MixReadBack) {
    PayloadReader reader(kMix.data(), kMix.size());
    EXPECT_EQ(reader.i8_arg(), 7);
    EXPECT_EQ(reader.i32_arg(), 300);
    EXPECT_TRUE(reader.i1_arg());
    EXPECT_EQ(reader.f64_arg(), 1.5);
    EXPECT_EQ(reader.i16_arg(), 513);
    const BoolsView bits = reader.bools();
    ASSERT_EQ(bits.count, 9u);
    for (u64 i = 0; i < 9; ++i) EXPECT_EQ(bits[i], kBits[i]);
    EXPECT_EQ(reader.f32_arg(), 2.0f);
    const auto halves = reader.sequence<double>();
    ASSERT_EQ(halves.count, 2u);
    EXPECT_EQ(halves[0], 0.5);
    EXPECT_EQ(halves[1], 0.25);
    EXPECT_FALSE(reader.done());
    EXPECT_EQ(reader.i8_arg(), 7);
    EXPECT_TRUE(reader.done());
}

// The decoding server's request, the main user of this wire format (whole frame).
TEST(Golden, EnqueueSyndromes) {
    Bytes frame(kHeaderBytes + 34);
    PayloadWriter writer(payload(frame.data()), 34);
    writer.i64_arg(2);
    writer.i64_arg(5);
    writer.i64_arg(1);
    writer.bools(kBits.data(), kBits.size());
    ASSERT_TRUE(writer.ok());
    write_request(frame.data(), function_id("enqueue_syndromes"), writer.size(), 42, 0);
    EXPECT_EQ(frame,
              (Bytes{0x52, 0x51, 0x55, 0x43, 0x82, 0xbe, 0xd8, 0x7e, 0x22, 0, 0, 0, 0x2a, 0, 0, 0, 0,    0,   0, 0,
                     0,    0,    0,    0,    0x02, 0,    0,    0,    0,    0, 0, 0, 0x05, 0, 0, 0, 0,    0,   0, 0,
                     0x01, 0,    0,    0,    0,    0,    0,    0,    0x09, 0, 0, 0, 0,    0, 0, 0, 0x0d, 0x01}));
}

}  // namespace
}  // namespace photonlink::wire
