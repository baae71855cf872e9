// Any bytes as a payload in encoding B: the reader stays inside, and what it has read is written and read again
// unchanged. The input begins with the number of items and their types.
#include <cstring>
#include <vector>

#include "fuzzing.hpp"
#include "photonlink/wire/codec.hpp"

namespace photonlink::fuzz {
namespace {

enum class Type : u8 { I1, I8, I16, I32, I64, F32, F64, I8s, I32s, F32s, F64s, Bools, Output, Count };

/// An item's value as bytes, and its count if it is a sequence or an output.
struct Item {
    Type type;
    u64 count = 0;
    std::vector<u8> bytes;

    bool operator==(const Item& other) const {
        return type == other.type && count == other.count && bytes == other.bytes;
    }
};

template <class Value>
Item scalar(Type type, Value value) {
    Item item{type, 0, std::vector<u8>(sizeof value)};
    std::memcpy(item.bytes.data(), &value, sizeof value);
    return item;
}

template <class Value>
Value value_of(const Item& item) {
    Value value;
    std::memcpy(&value, item.bytes.data(), sizeof value);
    return value;
}

template <class Element>
Item sequence(Type type, wire::PayloadReader& reader) {
    const wire::SequenceView<Element> view = reader.sequence<Element>();
    std::vector<Element> elements(view.count);
    view.copy_to(elements.data());
    Item item{type, view.count, std::vector<u8>(view.count * sizeof(Element))};
    if (view.count != 0) std::memcpy(item.bytes.data(), elements.data(), item.bytes.size());
    return item;
}

Item bools(wire::PayloadReader& reader) {
    const wire::BoolsView view = reader.bools();
    Item item{Type::Bools, view.count, {}};
    for (u64 i = 0; i < view.count; ++i) item.bytes.push_back(view[i] ? 1 : 0);
    return item;
}

Item read(wire::PayloadReader& reader, Type type) {
    switch (type) {
        case Type::I1:
            return scalar<u8>(type, reader.i1_arg() ? 1 : 0);
        case Type::I8:
            return scalar(type, reader.i8_arg());
        case Type::I16:
            return scalar(type, reader.i16_arg());
        case Type::I32:
            return scalar(type, reader.i32_arg());
        case Type::I64:
            return scalar(type, reader.i64_arg());
        case Type::F32:
            return scalar(type, reader.f32_arg());
        case Type::F64:
            return scalar(type, reader.f64_arg());
        case Type::I8s:
            return sequence<i8>(type, reader);
        case Type::I32s:
            return sequence<i32>(type, reader);
        case Type::F32s:
            return sequence<float>(type, reader);
        case Type::F64s:
            return sequence<double>(type, reader);
        case Type::Bools:
            return bools(reader);
        default:
            return {type, reader.output(), {}};
    }
}

template <class Element>
void write_sequence(wire::PayloadWriter& writer, const Item& item) {
    std::vector<Element> elements(item.count);
    if (item.count != 0) std::memcpy(elements.data(), item.bytes.data(), item.bytes.size());
    writer.sequence(elements.data(), item.count);
}

void write(wire::PayloadWriter& writer, const Item& item) {
    switch (item.type) {
        case Type::I1:
            return writer.i1_arg(item.bytes[0] != 0);
        case Type::I8:
            return writer.i8_arg(value_of<i8>(item));
        case Type::I16:
            return writer.i16_arg(value_of<i16>(item));
        case Type::I32:
            return writer.i32_arg(value_of<i32>(item));
        case Type::I64:
            return writer.i64_arg(value_of<i64>(item));
        case Type::F32:
            return writer.f32_arg(value_of<float>(item));
        case Type::F64:
            return writer.f64_arg(value_of<double>(item));
        case Type::I8s:
            return write_sequence<i8>(writer, item);
        case Type::I32s:
            return write_sequence<i32>(writer, item);
        case Type::F32s:
            return write_sequence<float>(writer, item);
        case Type::F64s:
            return write_sequence<double>(writer, item);
        case Type::Bools:
            return writer.bools(reinterpret_cast<const bool*>(item.bytes.data()), item.count);
        default:
            return writer.output(item.count);
    }
}

std::vector<Item> read_all(wire::PayloadReader& reader, const std::vector<Type>& types) {
    std::vector<Item> items;
    for (const Type type : types) items.push_back(read(reader, type));
    return items;
}

/// Whether `items` fit `capacity` bytes; then they read as they were written.
bool write_all(const std::vector<Item>& items, const std::vector<Type>& types, u64 capacity) {
    const std::unique_ptr<u8[]> payload(new u8[capacity]);
    wire::PayloadWriter writer(payload.get(), capacity);
    for (const Item& item : items) write(writer, item);
    if (!writer.ok()) return false;
    wire::PayloadReader again(payload.get(), writer.size());
    require(read_all(again, types) == items && again.done());
    return true;
}

void check(const std::vector<Type>& types, const u8* payload, u64 size) {
    const auto copy = exact_copy(payload, size);
    wire::PayloadReader reader(copy.get(), size);
    const std::vector<Item> items = read_all(reader, types);
    if (!reader.ok()) return;
    require(write_all(items, types, size));
    if (reader.done() && size != 0) require(!write_all(items, types, size - 1));
}

}  // namespace
}  // namespace photonlink::fuzz

extern "C" int LLVMFuzzerTestOneInput(const photonlink::u8* data, size_t size) {
    using namespace photonlink::fuzz;
    if (size == 0) return 0;
    const size_t wanted = data[0] % 9;  // CUDA-Q has at most eight arguments
    if (size - 1 < wanted) return 0;
    std::vector<Type> types;
    for (size_t i = 1; i <= wanted; ++i)
        types.push_back(static_cast<Type>(data[i] % static_cast<photonlink::u8>(Type::Count)));
    check(types, data + 1 + wanted, size - 1 - wanted);
    return 0;
}
