// Encodes calls with the C++ codec, for comparison with the Python one. A line of input is a request id, a function
// name, and arguments as TYPE:VALUES with values separated by commas; the answer is its frame in hexadecimal digits.
// Each payload is read back, and a line that does not survive ends the program.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "photonlink/wire/codec.hpp"
#include "photonlink/wire/frame.hpp"

using namespace photonlink;

namespace {

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
    return parts;
}

template <class T>
T number(const std::string& text) {
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(std::strtod(text.c_str(), nullptr));
    return static_cast<T>(std::strtoll(text.c_str(), nullptr, 10));
}

template <class T>
bool sequence(wire::PayloadWriter& writer, wire::PayloadReader* reader, const std::vector<std::string>& values) {
    std::vector<T> elements;
    for (const std::string& value : values) elements.push_back(number<T>(value));
    if (reader == nullptr) {
        writer.sequence(elements.data(), elements.size());
        return true;
    }
    const auto view = reader->sequence<T>();
    bool same = view.count == elements.size();
    for (u64 i = 0; same && i < view.count; ++i) same = view[i] == elements[i];
    return same;
}

bool bools(wire::PayloadWriter& writer, wire::PayloadReader* reader, const std::vector<std::string>& values) {
    const auto elements = std::make_unique<bool[]>(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) elements[i] = values[i] == "1";
    if (reader == nullptr) {
        writer.bools(elements.get(), values.size());
        return true;
    }
    const wire::BoolsView view = reader->bools();
    bool same = view.count == values.size();
    for (u64 i = 0; same && i < view.count; ++i) same = view[i] == elements[i];
    return same;
}

/// Writes an argument, or with a reader reads it and compares.
bool argument(wire::PayloadWriter& writer, wire::PayloadReader* reader, const std::string& text) {
    const std::string type = text.substr(0, text.find(':'));
    const std::vector<std::string> values = split(text.substr(text.find(':') + 1));
    if (type == "bool[]") return bools(writer, reader, values);
    if (type == "i8[]") return sequence<i8>(writer, reader, values);
    if (type == "u8[]") return sequence<u8>(writer, reader, values);
    if (type == "i32[]") return sequence<i32>(writer, reader, values);
    if (type == "f32[]") return sequence<float>(writer, reader, values);
    if (type == "f64[]") return sequence<double>(writer, reader, values);
    const std::string& value = values.at(0);
#define PHOTONLINK_SCALAR(NAME, METHOD, T)                                                  \
    if (type == NAME) {                                                                     \
        if (reader != nullptr) return reader->METHOD() == static_cast<T>(number<T>(value)); \
        writer.METHOD(number<T>(value));                                                    \
        return true;                                                                        \
    }
    PHOTONLINK_SCALAR("i8", i8_arg, i8)
    PHOTONLINK_SCALAR("i16", i16_arg, i16)
    PHOTONLINK_SCALAR("i32", i32_arg, i32)
    PHOTONLINK_SCALAR("i64", i64_arg, i64)
    PHOTONLINK_SCALAR("f32", f32_arg, float)
    PHOTONLINK_SCALAR("f64", f64_arg, double)
    PHOTONLINK_SCALAR("out", output, u64)
#undef PHOTONLINK_SCALAR
    if (type != "bool") return false;
    if (reader != nullptr) return reader->i1_arg() == (value == "1");
    writer.i1_arg(value == "1");
    return true;
}

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        u32 request_id = 0;
        std::string name;
        words >> request_id >> name;
        std::vector<std::string> arguments;
        for (std::string word; words >> word;) arguments.push_back(word);

        std::vector<u8> frame(8192, 0xEE);
        wire::PayloadWriter writer(wire::payload(frame.data()), frame.size() - wire::kHeaderBytes);
        for (const std::string& text : arguments)
            if (!argument(writer, nullptr, text)) return 1;
        if (!writer.ok()) return 2;
        wire::PayloadReader reader(wire::payload(frame.data()), writer.size());
        for (const std::string& text : arguments)
            if (!argument(writer, &reader, text)) return 3;
        if (!reader.done()) return 4;
        wire::write_request(frame.data(), wire::function_id(name.c_str()), writer.size(), request_id, 0);
        for (u64 i = 0; i < wire::kHeaderBytes + writer.size(); ++i) std::printf("%02x", frame[i]);
        std::printf("\n");
    }
}
