// The memory layout of DLPack (https://dmlc.github.io/dlpack), versions 0 and 1: what an array library leaves in a
// capsule. Only what a consumer needs; the layout is fixed by that specification.
#pragma once

#include <cstddef>

#include "photonlink/platform.hpp"

namespace photonlink::bind::dlpack {

struct Device {
    i32 type;
    i32 id;
};

struct DataType {
    u8 code;
    u8 bits;
    u16 lanes;
};

struct Tensor {
    void* data;
    Device device;
    i32 ndim;
    DataType dtype;
    i64* shape;
    i64* strides;  // in elements; null in old versions: row after row without gaps
    u64 byte_offset;
};

/// What a capsule named "dltensor" points to.
struct Managed {
    Tensor tensor;
    void* context;
    void (*deleter)(Managed*);
};

struct Version {
    u32 major;
    u32 minor;
};

/// What a capsule named "dltensor_versioned" points to.
struct ManagedVersioned {
    Version version;
    void* context;
    void (*deleter)(ManagedVersioned*);
    u64 flags;
    Tensor tensor;
};

inline constexpr u32 kKnownMajor = 1;
inline constexpr u64 kReadOnly = 1;

static_assert(sizeof(Tensor) == 48 && sizeof(Managed) == 64 && sizeof(ManagedVersioned) == 80,
              "other people's memory is read with these structs");
static_assert(offsetof(ManagedVersioned, flags) == 24 && offsetof(ManagedVersioned, tensor) == 32,
              "other people's memory is read with these structs");

}  // namespace photonlink::bind::dlpack
