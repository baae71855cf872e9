// A port: the range of slots between one caller domain (a process, a GPU) and its server. This header fixes what lies
// where; client.hpp and server.hpp move through it.
//
// Request region (written by the client only)        Response region (written by the server only)
//   line 0  RegionHeader, constant after creation      line 0  RegionHeader, constant after creation
//   line 1  client close word                          line 1  server close word (0 = open, else the reason)
//   line 2  client heartbeat                           line 2  server heartbeat
//   +256    slots, `stride` bytes each                 +256    slots, `stride` bytes each
//                                                      page    result areas, `result_bytes` each
// A slot is an 8-byte commit word and then the frame, so that commit word, header and the first 32 payload bytes share
// one cache line: a small request costs one line transfer. Each shared word has one writer and nobody clears anything.
// Portable: no allocation, no exceptions, no STL.
#pragma once

#include "photonlink/platform.hpp"
#include "photonlink/wire/frame.hpp"

namespace photonlink::link {

inline constexpr u64 kPortMagic = 0x31304B4E4C4C4850ULL;  // "PHLLNK01" as it lies in memory
inline constexpr u32 kPortVersion = 1;

inline constexpr u32 kMaxSlots = 4096;
inline constexpr u32 kMinSlotBytes = 64;
inline constexpr u32 kMaxSlotBytes = 1u << 20;
inline constexpr u64 kMaxResultBytes = 1ULL << 30;
inline constexpr u64 kMaxRegionBytes = 1ULL << 36;

inline constexpr u64 kPageBytes = 4096;
inline constexpr u64 kCommitBytes = 8;
inline constexpr u64 kCloseOffset = 1 * kCacheLine;
inline constexpr u64 kHeartbeatOffset = 2 * kCacheLine;
inline constexpr u64 kSlotsOffset = 4 * kCacheLine;

/// What a wait or a claim came to.
enum class LinkStatus : u32 {
    Ok = 0,
    Pending = 1,        // not answered yet
    Timeout = 2,        // deadline passed; the slot is still the caller's: wait again or abandon it
    Closed = 3,         // the port was closed by either side and no answer is there
    Rejected = 4,       // refused by the other side before anything was executed
    Full = 5,           // every slot is taken
    ProtocolError = 6,  // the other side broke a rule of the link or of the wire
    PeerLost = 7,       // the other side died or its heartbeat stood still
};

/// Shape of a port.
struct Geometry {
    u32 slots = 16;
    u32 slot_bytes = 504;  // largest frame, 24-byte header included; a multiple of 8
    u64 result_bytes = 0;  // result area per slot for answers that do not fit the frame; a multiple of 64, may be 0
};

enum class GeometryError : u32 { None = 0, Slots, SlotBytes, ResultBytes, RegionTooLarge };

/// Sizes and offsets that follow from a geometry.
struct PortLayout {
    u64 stride;          // from slot to slot, in both regions
    u64 results_offset;  // of the first result area in the response region
    u64 request_bytes;   // whole request region
    u64 response_bytes;  // whole response region
};

PHL_HD constexpr u64 round_up(u64 value, u64 multiple) { return (value + multiple - 1) / multiple * multiple; }

/// Layout of a geometry whose single fields are inside their limits; nothing can overflow then.
PHL_HD constexpr PortLayout layout_of(const Geometry& geometry) {
    const u64 stride = round_up(kCommitBytes + geometry.slot_bytes, kCacheLine);
    const u64 slots_end = round_up(kSlotsOffset + geometry.slots * stride, kPageBytes);
    return {stride, slots_end, slots_end, round_up(slots_end + geometry.slots * geometry.result_bytes, kPageBytes)};
}

/// Checks a geometry, which may come from another process; call it before layout_of().
PHL_HD constexpr GeometryError validate(const Geometry& geometry) {
    if (geometry.slots < 1 || geometry.slots > kMaxSlots) return GeometryError::Slots;
    if (geometry.slot_bytes < kMinSlotBytes || geometry.slot_bytes > kMaxSlotBytes || geometry.slot_bytes % 8 != 0)
        return GeometryError::SlotBytes;
    if (geometry.result_bytes > kMaxResultBytes || geometry.result_bytes % kCacheLine != 0)
        return GeometryError::ResultBytes;
    return layout_of(geometry).response_bytes > kMaxRegionBytes ? GeometryError::RegionTooLarge : GeometryError::None;
}

/// First line of both regions: lets a receiver see that it mapped what it was promised.
struct RegionHeader {
    u64 magic;
    u32 version;
    u32 slots;
    u32 slot_bytes;
    u32 is_response;
    u64 result_bytes;
};
static_assert(sizeof(RegionHeader) == 32, "region header has no padding");

PHL_HD constexpr RegionHeader region_header(const Geometry& geometry, bool is_response) {
    return {kPortMagic,          kPortVersion,          geometry.slots,
            geometry.slot_bytes, is_response ? 1u : 0u, geometry.result_bytes};
}

/// One use of one slot.
struct Ticket {
    u32 slot;
    u64 generation;
};

/// A request that the server has just seen.
struct Arrival {
    u32 slot;
    u64 generation;
};

/// Memory of the client's own domain for one result, instead of the slot's result area. Only a server in the same
/// process can follow the pointer.
struct Sink {
    void* data;
    u64 capacity;
};

}  // namespace photonlink::link
