// The table of functions through which CUDA-Q realtime loads its transports, as its public interface lays it out in
// memory: a provider is a shared object that exports kBridgeSymbol, which returns a table that never goes away. Version
// 1 ends with `disconnect`, version 2 adds three functions, version 3 one more; what lies behind a table's version may
// not be read, and a function that a later version added may be null.
#pragma once

#include <cstddef>

#include "photonlink/platform.hpp"

namespace photonlink::transport::bridge {

inline constexpr const char* kBridgeSymbol = "cudaq_realtime_get_bridge_interface";
inline constexpr int kNewestVersion = 3;

enum Status : int { kOk = 0, kInvalidArgument = 1, kInternal = 2, kCuda = 3, kUnsupported = 4 };

enum ContextType : int { kRingBuffer = 0, kUnified = 1 };

/// Two rings of slots, each with one flag per slot: 0, or else the address of a slot that is to be worked on. The
/// `_host` pointers are the same memory as a CPU reaches it; a transport whose rings no CPU reaches leaves them null.
struct Rings {
    volatile u64* rx_flags;
    volatile u64* tx_flags;
    u8* rx_data;
    u8* tx_data;
    std::size_t rx_stride;
    std::size_t tx_stride;
    volatile u64* rx_flags_host;
    volatile u64* tx_flags_host;
    u8* rx_data_host;
    u8* tx_data_host;
};

/// In a TX flag: the slot's request is being worked on.
inline constexpr u64 kInFlight = 0xEEEEEEEEEEEEEEEEULL;

enum RxStatus : int { kReady = 0, kEmpty = 1 };

/// Rings that are moved by two calls instead of RX flags. `rx_poll` does not block; a slot whose TX flag is not 0 is
/// not handed out, and the TX flags belong to whoever polls.
struct CpuDataplane {
    void* context;
    Rings rings;
    int (*rx_poll)(void* context, u32* slot);
    int (*tx_publish)(void* context, u32 slot);
};

struct TypeDescription {
    u8 type;
    u8 reserved[3];
    u32 bytes;
    u32 elements;
};

struct FunctionEntry {
    void (*handler)(const void* request, void* response, std::size_t slot_bytes);
    u32 function_id;
    u8 dispatch_mode;
    u8 reserved[3];
    struct {
        u8 arguments;
        u8 results;
        u16 reserved;
        TypeDescription types[12];
    } schema;
    u64 routing_key;
};
inline constexpr u8 kHostCall = 2;

struct FunctionTable {
    FunctionEntry* entries;
    u32 count;
};

using Handle = void*;

struct Table {
    int version;
    int (*create)(Handle*, int count, char** arguments);
    int (*destroy)(Handle);
    int (*get_transport_context)(Handle, int type, void* context);
    int (*connect)(Handle);
    int (*launch)(Handle);
    int (*disconnect)(Handle);
    // Version 2
    int (*get_cpu_dataplane)(Handle, CpuDataplane*);
    int (*get_endpoint_info)(Handle, char* text, std::size_t bytes);
    int (*get_ring_geometry)(Handle, u32* slots, u32* slot_bytes);
    // Version 3
    int (*set_function_table)(Handle, const FunctionTable*);
};

using GetTable = Table* (*)();

static_assert(sizeof(Rings) == 80 && offsetof(Rings, rx_stride) == 32 && offsetof(Rings, rx_flags_host) == 48,
              "rings as the interface lays them out");
static_assert(sizeof(CpuDataplane) == 104 && offsetof(CpuDataplane, rx_poll) == 88, "rings behind a context");
static_assert(sizeof(FunctionEntry) == 176 && offsetof(FunctionEntry, schema) == 16 &&
                  offsetof(FunctionEntry, routing_key) == 168,
              "an entry holds a schema of 148 bytes");
static_assert(sizeof(FunctionTable) == 16 && sizeof(Table) == 88 && offsetof(Table, get_cpu_dataplane) == 56 &&
                  offsetof(Table, set_function_table) == 80,
              "ten functions behind a version");

}  // namespace photonlink::transport::bridge
