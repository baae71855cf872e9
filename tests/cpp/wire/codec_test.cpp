// Properties of the codec on random argument lists, and its behaviour at every kind of end.
#include "photonlink/wire/codec.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

namespace photonlink::wire {
namespace {

using Bytes = std::vector<u8>;

/// One argument of any type of the encoding; numbers are kept as the bits of the widest type.
struct Argument {
    enum Kind { I1, I8, I16, I32, I64, F32, F64, SeqI8, SeqI32, SeqF32, SeqF64, Bools, Output, KindCount } kind;
    u64 scalar = 0;
    Bytes bytes;  // elements of a sequence, one byte per boolean
};

std::size_t element_bytes(Argument::Kind kind) {
    switch (kind) {
        case Argument::SeqI32:
        case Argument::SeqF32:
            return 4;
        case Argument::SeqF64:
            return 8;
        default:
            return 1;
    }
}

Argument random_argument(std::mt19937_64& random) {
    Argument argument{static_cast<Argument::Kind>(random() % Argument::KindCount), random(), {}};
    if (argument.kind == Argument::I1) argument.scalar &= 1;
    if (argument.kind < Argument::SeqI8 || argument.kind == Argument::Output) return argument;
    argument.bytes.resize(random() % 20 * element_bytes(argument.kind));
    for (u8& byte : argument.bytes) byte = static_cast<u8>(argument.kind == Argument::Bools ? random() & 1 : random());
    return argument;
}

template <class T>
T from_bits(u64 bits) {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

template <class T>
u64 to_bits(T value) {
    u64 bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
}

template <class T>
void write_sequence(PayloadWriter& writer, const Bytes& bytes) {
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    writer.sequence(values.data(), values.size());
}

void write_bools(PayloadWriter& writer, const Bytes& bytes) {
    const auto values = std::make_unique<bool[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), values.get());
    writer.bools(values.get(), bytes.size());
}

void write(PayloadWriter& writer, const Argument& argument) {
    switch (argument.kind) {
        case Argument::I1:
            return writer.i1_arg(argument.scalar != 0);
        case Argument::I8:
            return writer.i8_arg(from_bits<i8>(argument.scalar));
        case Argument::I16:
            return writer.i16_arg(from_bits<i16>(argument.scalar));
        case Argument::I32:
            return writer.i32_arg(from_bits<i32>(argument.scalar));
        case Argument::I64:
            return writer.i64_arg(from_bits<i64>(argument.scalar));
        case Argument::F32:
            return writer.f32_arg(from_bits<float>(argument.scalar));
        case Argument::F64:
            return writer.f64_arg(from_bits<double>(argument.scalar));
        case Argument::SeqI8:
            return write_sequence<i8>(writer, argument.bytes);
        case Argument::SeqI32:
            return write_sequence<i32>(writer, argument.bytes);
        case Argument::SeqF32:
            return write_sequence<float>(writer, argument.bytes);
        case Argument::SeqF64:
            return write_sequence<double>(writer, argument.bytes);
        case Argument::Bools:
            return write_bools(writer, argument.bytes);
        default:
            return writer.output(argument.scalar);
    }
}

template <class T>
Bytes read_sequence(PayloadReader& reader) {
    const SequenceView<T> view = reader.sequence<T>();
    std::vector<T> values(view.count);
    view.copy_to(values.data());
    Bytes bytes(view.count * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

Bytes read_bools(PayloadReader& reader) {
    const BoolsView view = reader.bools();
    const auto values = std::make_unique<bool[]>(view.count);
    view.copy_to(values.get());
    return Bytes(values.get(), values.get() + view.count);
}

/// Reads an argument of `kind`; the result is comparable with what was written.
Argument read(PayloadReader& reader, Argument::Kind kind) {
    switch (kind) {
        case Argument::I1:
            return {kind, reader.i1_arg() ? 1u : 0u, {}};
        case Argument::I8:
            return {kind, to_bits(reader.i8_arg()), {}};
        case Argument::I16:
            return {kind, to_bits(reader.i16_arg()), {}};
        case Argument::I32:
            return {kind, to_bits(reader.i32_arg()), {}};
        case Argument::I64:
            return {kind, to_bits(reader.i64_arg()), {}};
        case Argument::F32:
            return {kind, to_bits(reader.f32_arg()), {}};
        case Argument::F64:
            return {kind, to_bits(reader.f64_arg()), {}};
        case Argument::SeqI8:
            return {kind, 0, read_sequence<i8>(reader)};
        case Argument::SeqI32:
            return {kind, 0, read_sequence<i32>(reader)};
        case Argument::SeqF32:
            return {kind, 0, read_sequence<float>(reader)};
        case Argument::SeqF64:
            return {kind, 0, read_sequence<double>(reader)};
        case Argument::Bools:
            return {kind, 0, read_bools(reader)};
        default:
            return {kind, reader.output(), {}};
    }
}

u64 significant(const Argument& argument) {
    switch (argument.kind) {
        case Argument::I1:
        case Argument::I8:
            return argument.scalar & 0xff;
        case Argument::I16:
            return argument.scalar & 0xffff;
        case Argument::I32:
        case Argument::F32:
            return argument.scalar & 0xffffffff;
        case Argument::I64:
        case Argument::F64:
        case Argument::Output:
            return argument.scalar;
        default:
            return 0;
    }
}

struct Message {
    std::vector<Argument> arguments;
    Bytes bytes;
};

Message random_message(std::mt19937_64& random) {
    Message message;
    for (u64 count = 1 + random() % 10; count > 0; --count) message.arguments.push_back(random_argument(random));
    message.bytes.assign(4096, 0xEE);
    PayloadWriter writer(message.bytes.data(), message.bytes.size());
    for (const Argument& argument : message.arguments) write(writer, argument);
    EXPECT_TRUE(writer.ok());
    message.bytes.resize(writer.size());
    return message;
}

TEST(Codec, RandomArgumentsSurviveTheRoundTrip) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 3000; ++round) {
        const Message message = random_message(random);
        PayloadReader reader(message.bytes.data(), message.bytes.size());
        for (const Argument& argument : message.arguments) {
            const Argument back = read(reader, argument.kind);
            ASSERT_EQ(significant(back), significant(argument)) << "kind " << argument.kind;
            ASSERT_EQ(back.bytes, argument.bytes) << "kind " << argument.kind;
        }
        ASSERT_TRUE(reader.done());
    }
}

// Heap blocks of the exact size, so that AddressSanitizer sees a single byte too many.
TEST(Codec, EveryTruncationIsRefusedByTheReader) {
    std::mt19937_64 random(2);
    for (int round = 0; round < 300; ++round) {
        const Message message = random_message(random);
        for (std::size_t length = 0; length < message.bytes.size(); ++length) {
            const auto cut = std::make_unique<u8[]>(length);
            std::copy_n(message.bytes.begin(), length, cut.get());
            PayloadReader reader(cut.get(), length);
            for (const Argument& argument : message.arguments) read(reader, argument.kind);
            ASSERT_FALSE(reader.ok()) << "cut to " << length << " of " << message.bytes.size();
        }
    }
}

TEST(Codec, EveryShortBufferIsRefusedByTheWriter) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 300; ++round) {
        const Message message = random_message(random);
        for (std::size_t length = 0; length < message.bytes.size(); ++length) {
            const auto small = std::make_unique<u8[]>(length);
            PayloadWriter writer(small.get(), length);
            for (const Argument& argument : message.arguments) write(writer, argument);
            ASSERT_FALSE(writer.ok());
            ASSERT_LE(writer.size(), length);
        }
    }
}

TEST(Codec, RandomBytesNeverLeadOutOfTheBuffer) {
    std::mt19937_64 random(4);
    for (int round = 0; round < 20000; ++round) {
        const std::size_t length = random() % 64;
        const auto bytes = std::make_unique<u8[]>(length);
        // Small numbers make plausible counts.
        std::generate_n(bytes.get(), length, [&] { return static_cast<u8>(random() % 4 ? 0 : random() % 9); });
        PayloadReader reader(bytes.get(), length);
        for (int i = 0; i < 6; ++i) {
            const auto kind = static_cast<Argument::Kind>(random() % Argument::KindCount);
            ASSERT_LE(read(reader, kind).bytes.size(), kind == Argument::Bools ? length * 8 : length);
        }
    }
}

TEST(Codec, HugeCountsDoNotOverflow) {
    for (const u64 count : {~0ULL, ~0ULL / 8 + 1, 1ULL << 61, (1ULL << 61) + 1, 1ULL << 32}) {
        std::array<u8, 64> bytes{};
        std::memcpy(bytes.data(), &count, sizeof count);
        PayloadReader wide(bytes.data(), bytes.size());
        EXPECT_EQ(wide.sequence<double>().count, 0u);
        EXPECT_FALSE(wide.ok());
        PayloadReader bits(bytes.data(), bytes.size());
        EXPECT_EQ(bits.bools().count, 0u);
        EXPECT_FALSE(bits.ok());
        PayloadWriter writer(bytes.data(), bytes.size());
        EXPECT_EQ(writer.sequence_in_place<double>(count), nullptr);
        EXPECT_FALSE(writer.ok());
    }
}

TEST(Codec, FailureIsRemembered) {
    std::array<u8, 12> bytes{};
    PayloadReader reader(bytes.data(), bytes.size());
    reader.i32_arg();
    reader.i64_arg();  // at offset 8: four bytes short
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.i8_arg(), 0);
    EXPECT_FALSE(reader.ok());
    EXPECT_FALSE(reader.done());
}

TEST(Codec, BooleanBytesOtherThanZeroAndOneAreRefused) {
    const u8 two = 2;
    PayloadReader reader(&two, 1);
    EXPECT_FALSE(reader.i1_arg());
    EXPECT_FALSE(reader.ok());
}

TEST(Codec, LeftoverBytesAreNotDone) {
    const std::array<u8, 9> bytes{};
    PayloadReader reader(bytes.data(), bytes.size());
    reader.i64_arg();
    EXPECT_TRUE(reader.ok());
    EXPECT_FALSE(reader.done());
}

}  // namespace
}  // namespace photonlink::wire
