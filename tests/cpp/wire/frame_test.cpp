// Headers, function ids and the sizes that follow from them, against the numbers that CUDA-Q Realtime publishes.
#include "photonlink/wire/frame.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "photonlink/wire/codec.hpp"
#include "photonlink/wire/functions.hpp"

namespace photonlink::wire {
namespace {

using Bytes = std::vector<u8>;

static_assert(function_id("") == 0x811c9dc5u);
static_assert(function_id("a") == 0xe40c292cu);
static_assert(function_id("foobar") == 0xbf9cf968u);
static_assert(function_id("rpc_increment") == 0x191b6322u);
static_assert(function_id("addThem") == 0x5a6c901eu);
static_assert(function_id("enqueue_syndromes") == 0x7ed8be82u);
static_assert(function_id("get_corrections") == 0x882d5ba1u);
static_assert(function_id("reset_decoder") == 0x977a59cfu);
static_assert(function_id("mock_decode") == 0x6c45a6d6u);
static_assert(function_id("enq") == 0x778e8a21u);
static_assert(function_id("getc") == 0x83eb36dcu);
static_assert(function_id("mix") == 0xd78f5b61u);

// Our own ids are on the wire of every deployed client: a renamed function must not pass unnoticed.
static_assert(kEcho == 0x3253c01du);
static_assert(kInfer == 0x6b44a824u);
static_assert(kInferF32 == 0x34e1c8d0u);
static_assert(kInferMixed == 0xd9a20aa4u);
static_assert(kInferRows == 0x3239a284u);
static_assert(kInferRowsMixed == 0x2e2eab44u);
static_assert(kReport == 0x6d774faeu);
static_assert(kSamples == 0x777905afu);
static_assert(kStatus == 0xe125dc06u);

static_assert(is_wire_name("photonlink_echo") && is_wire_name("photonlink_infer") &&
              is_wire_name("photonlink_infer_f32") && is_wire_name("photonlink_infer_mixed") &&
              is_wire_name("photonlink_infer_rows") && is_wire_name("photonlink_infer_rows_mixed") &&
              is_wire_name("photonlink_report") && is_wire_name("photonlink_samples") &&
              is_wire_name("photonlink_status"));
static_assert(!is_wire_name("caf\xc3\xa9") && !is_wire_name("") && !is_wire_name("two words"));

static_assert(offsetof(RequestHeader, arg_len) == 8 && offsetof(RequestHeader, ptp_timestamp) == 16);
static_assert(offsetof(ResponseHeader, status) == 4 && offsetof(ResponseHeader, result_len) == 8);

TEST(Frame, GoldenIncrementRequestAndResponse) {
    const Bytes payload{0x00, 0xff, 0x41};
    Bytes request(kHeaderBytes + payload.size());
    write_request(request.data(), function_id("rpc_increment"), 3, 7, 0x1122334455667788ULL);
    std::memcpy(wire::payload(request.data()), payload.data(), payload.size());
    EXPECT_EQ(request, (Bytes{0x52, 0x51, 0x55, 0x43, 0x22, 0x63, 0x1b, 0x19, 0x03, 0x00, 0x00, 0x00, 0x07, 0x00,
                              0x00, 0x00, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00, 0xff, 0x41}));

    RequestHeader header{};
    ASSERT_EQ(parse_request(request.data(), request.size(), &header), ParseError::None);
    Bytes response(kHeaderBytes + 3);
    write_response(response.data(), header, Status::Ok, 3);
    const Bytes incremented{0x01, 0x00, 0x42};
    std::memcpy(wire::payload(response.data()), incremented.data(), incremented.size());
    EXPECT_EQ(response, (Bytes{0x53, 0x51, 0x55, 0x43, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x07, 0x00,
                               0x00, 0x00, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x01, 0x00, 0x42}));
}

TEST(Frame, GoldenAddThem) {
    Bytes frame(kHeaderBytes + 8);
    PayloadWriter writer(payload(frame.data()), 8);
    writer.i32_arg(2);
    writer.i32_arg(40);
    ASSERT_TRUE(writer.ok());
    write_request(frame.data(), function_id("addThem"), writer.size(), 1, 0);
    EXPECT_EQ(frame,
              (Bytes{0x52, 0x51, 0x55, 0x43, 0x1e, 0x90, 0x6c, 0x5a, 0x08, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
                     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x28, 0x00, 0x00, 0x00}));
}

TEST(Frame, EchoesIdentityAndTimeAtTheirLimits) {
    for (const u32 id : {0u, 1u, 0xffffffffu}) {
        for (const u64 time : {0ULL, 0xffffffffffffffffULL}) {
            std::array<u8, kHeaderBytes> frame{};
            const RequestHeader request{kRequestMagic, kEcho, 0, id, time};
            write_response(frame.data(), request, Status::UnknownFunction, 0);
            ResponseHeader answer{};
            ASSERT_EQ(parse_response(frame.data(), frame.size(), &answer), ParseError::None);
            EXPECT_EQ(answer.request_id, id);
            EXPECT_EQ(answer.ptp_timestamp, time);
            EXPECT_EQ(answer.status, -1);
        }
    }
}

TEST(Frame, RefusesShortForeignAndOverlongFrames) {
    Bytes frame(64);
    write_request(frame.data(), kEcho, 40, 1, 0);
    RequestHeader header{};
    for (u64 available = 0; available < kHeaderBytes; ++available) {
        const Bytes exact(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(available));
        EXPECT_EQ(parse_request(exact.data(), available, &header), ParseError::TooShort);
    }
    EXPECT_EQ(parse_request(frame.data(), 64, &header), ParseError::None);
    EXPECT_EQ(parse_request(frame.data(), 63, &header), ParseError::LengthBeyondSlot);
    write_request(frame.data(), kEcho, 0xffffffffu, 1, 0);
    EXPECT_EQ(parse_request(frame.data(), 64, &header), ParseError::LengthBeyondSlot);
    ResponseHeader answer{};
    EXPECT_EQ(parse_response(frame.data(), 64, &answer), ParseError::WrongMagic);
    frame[0] ^= 1;
    EXPECT_EQ(parse_request(frame.data(), 64, &header), ParseError::WrongMagic);
}

TEST(Functions, PayloadSizesAreWhatTheEncoderWrites) {
    for (u32 phases = 0; phases < 40; ++phases) {
        Bytes buffer(1024);
        const std::vector<double> wide(phases, 0.5);
        const std::vector<float> narrow(phases, 0.5f);
        PayloadWriter infer(buffer.data(), buffer.size());
        infer.i64_arg(1);
        infer.sequence(wide.data(), phases);
        EXPECT_EQ(infer.size(), report_arg_len(phases));
        infer.output(10);
        EXPECT_EQ(infer.size(), infer_arg_len(phases, 8));
        PayloadWriter single(buffer.data(), buffer.size());
        single.i64_arg(1);
        single.sequence(narrow.data(), phases);
        single.output(10);
        EXPECT_EQ(single.size(), infer_arg_len(phases, 4));
        EXPECT_TRUE(infer.ok() && single.ok());
    }
}

TEST(Functions, UnwrapsTheNearestId) {
    EXPECT_EQ(unwrap_id(5, 3), 5u);
    EXPECT_EQ(unwrap_id(0xfffffffeu, 0x100000001ULL), 0xfffffffeULL);
    EXPECT_EQ(unwrap_id(2, 0xffffffffULL), 0x100000002ULL);
    EXPECT_EQ(unwrap_id(7, 0x123400000006ULL), 0x123400000007ULL);
}

}  // namespace
}  // namespace photonlink::wire
