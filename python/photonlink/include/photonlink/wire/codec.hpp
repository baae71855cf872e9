// Payload encoding B: what the CUDA-Q compiler emits for device_call. Scalars lie aligned to their size; a sequence is
// an 8-aligned u64 element count and then its elements, booleans packed eight to a byte, least significant bit first; a
// by-reference output is its element count alone. Offsets count from the start of the payload.
//
// Writer and reader remember a first failure and do nothing from then on: write or read everything, then ask ok() once.
// Portable: no allocation, no exceptions, no STL. Payloads need not be aligned in memory (datagrams are not).
#pragma once

#include "photonlink/wire/frame.hpp"

namespace photonlink::wire {

namespace detail {

/// Element types that the CUDA-Q compiler lets into a sequence; i16 and i64 it refuses.
template <class T>
inline constexpr bool kSequenceElement = false;
template <>
inline constexpr bool kSequenceElement<i8> = true;
template <>
inline constexpr bool kSequenceElement<u8> = true;
template <>
inline constexpr bool kSequenceElement<i32> = true;
template <>
inline constexpr bool kSequenceElement<float> = true;
template <>
inline constexpr bool kSequenceElement<double> = true;

/// Start of an item of alignment `align` (a power of two) at or behind `offset`.
PHL_HD constexpr u64 align_up(u64 offset, u64 align) { return (offset + align - 1) & ~(align - 1); }

}  // namespace detail

/// Bytes that hold `count` packed booleans.
PHL_HD constexpr u64 packed_bytes(u64 count) { return count / 8 + (count % 8 != 0 ? 1 : 0); }

/// Packs booleans, also for the payload of a by-reference output; unused high bits are zero.
PHL_HD void pack_bools(u8* bytes, const bool* values, u64 count) {
    for (u64 i = 0; i < packed_bytes(count); ++i) bytes[i] = 0;
    for (u64 i = 0; i < count; ++i)
        bytes[i / 8] = static_cast<u8>(bytes[i / 8] | static_cast<u8>((values[i] ? 1u : 0u) << (i % 8)));
}

PHL_HD void unpack_bools(bool* values, const u8* bytes, u64 count) {
    for (u64 i = 0; i < count; ++i) values[i] = (bytes[i / 8] >> (i % 8) & 1u) != 0;
}

/// Writes arguments one after the other into `capacity` bytes. Alignment holes are zeroed, since a slot still holds the
/// bytes of its last use.
class PayloadWriter {
  public:
    PHL_HD PayloadWriter(void* payload, u64 capacity) : begin_(static_cast<u8*>(payload)), capacity_(capacity) {}

    PHL_HD void i1_arg(bool value) { scalar<u8>(value ? 1 : 0); }
    PHL_HD void i8_arg(i8 value) { scalar(value); }
    PHL_HD void i16_arg(i16 value) { scalar(value); }
    PHL_HD void i32_arg(i32 value) { scalar(value); }
    PHL_HD void i64_arg(i64 value) { scalar(value); }
    PHL_HD void f32_arg(float value) { scalar(value); }
    PHL_HD void f64_arg(double value) { scalar(value); }

    /// Sequence of i8, u8, i32, float or double.
    template <class T>
    PHL_HD void sequence(const T* values, u64 count) {
        static_assert(detail::kSequenceElement<T>, "the CUDA-Q compiler has no sequences of this element type");
        u8* const place = open_sequence(count, sizeof(T));
        if (place != nullptr && count != 0) platform::copy_bytes(place, values, count * sizeof(T));
    }

    /// Sequence whose elements the caller writes in place, `count` of T, perhaps unaligned if the payload is; null when
    /// it does not fit. For elements that are computed rather than copied.
    template <class T>
    PHL_HD void* sequence_in_place(u64 count) {
        static_assert(detail::kSequenceElement<T>, "the CUDA-Q compiler has no sequences of this element type");
        return open_sequence(count, sizeof(T));
    }

    PHL_HD void bools(const bool* values, u64 count) {
        scalar<u64>(count);
        u8* const place = take(packed_bytes(count), 1);
        if (place != nullptr) pack_bools(place, values, count);
    }

    /// A by-reference output of `count` elements; they come back as the payload of the response.
    PHL_HD void output(u64 count) { scalar<u64>(count); }

    /// False once something did not fit; the payload must not be sent then.
    PHL_HD bool ok() const { return ok_; }
    /// arg_len: the end of the last item.
    PHL_HD u32 size() const { return static_cast<u32>(end_); }

  private:
    template <class T>
    PHL_HD void scalar(T value) {
        u8* const place = take(sizeof(T), sizeof(T));
        if (place != nullptr) platform::copy_bytes(place, &value, sizeof(T));
    }

    PHL_HD u8* open_sequence(u64 count, u64 element_bytes) {
        if (count > capacity_ / element_bytes) ok_ = false;
        scalar<u64>(count);
        return take(count * element_bytes, 1);
    }

    /// Reserves `bytes` at the next multiple of `align`; null once anything failed.
    PHL_HD u8* take(u64 bytes, u64 align) {
        const u64 start = detail::align_up(end_, align);
        if (start > capacity_ || bytes > capacity_ - start) ok_ = false;
        if (!ok_) return nullptr;
        for (u64 hole = end_; hole < start; ++hole) begin_[hole] = 0;
        end_ = start + bytes;
        return begin_ + start;
    }

    u8* begin_;
    u64 capacity_;
    u64 end_ = 0;
    bool ok_ = true;
};

/// A sequence inside a payload: its bytes were checked to lie there, and may be unaligned.
template <class T>
struct SequenceView {
    const u8* bytes;
    u64 count;

    /// Copies the elements out; `to` holds at least `count`.
    PHL_HD void copy_to(T* to) const {
        if (count != 0) platform::copy_bytes(to, bytes, count * sizeof(T));
    }
    PHL_HD T operator[](u64 index) const {
        T value;
        platform::copy_bytes(&value, bytes + index * sizeof(T), sizeof(T));
        return value;
    }
};

/// A sequence of packed booleans.
struct BoolsView {
    const u8* bytes;
    u64 count;

    PHL_HD void copy_to(bool* to) const { unpack_bools(to, bytes, count); }
    PHL_HD bool operator[](u64 index) const { return (bytes[index / 8] >> (index % 8) & 1u) != 0; }
};

/// Reads arguments one after the other out of `arg_len` bytes and never looks behind them. Every count is read once, so
/// that a hostile writer cannot change it after it was checked; still copy elements out before judging their values.
class PayloadReader {
  public:
    PHL_HD PayloadReader(const void* payload, u64 arg_len) : begin_(static_cast<const u8*>(payload)), size_(arg_len) {}

    /// A boolean is a byte 0 or 1; anything else is a failure.
    PHL_HD bool i1_arg() {
        const u8 byte = scalar<u8>();
        if (byte > 1) ok_ = false;
        return byte == 1;
    }
    PHL_HD i8 i8_arg() { return scalar<i8>(); }
    PHL_HD i16 i16_arg() { return scalar<i16>(); }
    PHL_HD i32 i32_arg() { return scalar<i32>(); }
    PHL_HD i64 i64_arg() { return scalar<i64>(); }
    PHL_HD float f32_arg() { return scalar<float>(); }
    PHL_HD double f64_arg() { return scalar<double>(); }

    /// Sequence of i8, u8, i32, float or double; empty after a failure.
    template <class T>
    PHL_HD SequenceView<T> sequence() {
        static_assert(detail::kSequenceElement<T>, "the CUDA-Q compiler has no sequences of this element type");
        const u64 count = scalar<u64>();
        if (count > size_ / sizeof(T)) ok_ = false;
        const u8* const place = take(count * sizeof(T), 1);
        return {place, place != nullptr ? count : 0};
    }

    PHL_HD BoolsView bools() {
        const u64 count = scalar<u64>();
        const u8* const place = take(packed_bytes(count), 1);
        return {place, place != nullptr ? count : 0};
    }

    /// Element count of a by-reference output. Nothing bounds it here: compare it with what the function returns.
    PHL_HD u64 output() { return scalar<u64>(); }

    /// False once an item did not fit or was not what it must be; what was read then is zero or empty.
    PHL_HD bool ok() const { return ok_; }
    /// True if everything was read well and nothing is left over.
    PHL_HD bool done() const { return ok_ && end_ == size_; }

  private:
    template <class T>
    PHL_HD T scalar() {
        T value = 0;
        const u8* const place = take(sizeof(T), sizeof(T));
        if (place != nullptr) platform::copy_bytes(&value, place, sizeof(T));
        return value;
    }

    PHL_HD const u8* take(u64 bytes, u64 align) {
        const u64 start = detail::align_up(end_, align);
        if (start > size_ || bytes > size_ - start) ok_ = false;
        if (!ok_) return nullptr;
        end_ = start + bytes;
        return begin_ + start;
    }

    const u8* begin_;
    u64 size_;
    u64 end_ = 0;
    bool ok_ = true;
};

/// True if FNV-1a gives `name` the same id everywhere: a widening of signed char spoils other names.
PHL_HD constexpr bool is_wire_name(const char* name) {
    if (*name == '\0') return false;
    for (; *name != '\0'; ++name)
        if (static_cast<u8>(*name) >= 0x80 || static_cast<u8>(*name) <= ' ') return false;
    return true;
}

}  // namespace photonlink::wire
