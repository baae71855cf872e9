// The server's side of a port: poll for arrivals, read the request frame, write the response frame, publish.
//
// The client may be hostile: everything in the request region can change at any moment. Copy a header once
// (wire::parse_request), copy a payload once, validate the copies and never look at the shared bytes again. The
// response region is written and never read back. One thread, the dispatcher, polls and publishes; close() and beat()
// may come from any thread of the server. Memory orders: see sites.hpp. Portable: plain pointers, no allocation, no
// exceptions, no STL.
#pragma once

#include "photonlink/link/port.hpp"
#include "photonlink/link/sites.hpp"

namespace photonlink::link {

/// What the server remembers of one slot, in memory of its own: shared words are only ever compared with it.
struct SlotMemory {
    u64 answered;  // last generation published
    u64 refused;   // last commit word that broke the rules, so that it counts once
};

/// Words of the server's own domain, beside the slot memories.
struct ServerWords {
    alignas(kCacheLine) u64 cursor;      // slot at which the next scan starts
    alignas(kCacheLine) u64 violations;  // commit words refused so far
    u64 beats;                           // source of the server heartbeat
};

/// A view of a port; owns nothing.
class ServerHandle {
  public:
    ServerHandle() = default;

    /// `accepted` and `memories` have one zeroed entry per slot and belong to the server alone; `sinks` is the client's
    /// table when both sides share a process, else null.
    PHL_HD ServerHandle(const Geometry& geometry, const void* requests, void* responses, const Sink* sinks,
                        u64* accepted, SlotMemory* memories, ServerWords* words)
        : geometry_(geometry),
          layout_(layout_of(geometry)),
          requests_(static_cast<const u8*>(requests)),
          responses_(static_cast<u8*>(responses)),
          sinks_(sinks),
          accepted_(accepted),
          memories_(memories),
          words_(words) {}

    PHL_HD const Geometry& geometry() const { return geometry_; }

    /// One pass over the slots from where the last find was: writes at most `max` new requests and returns how many.
    /// An idle pass is one load and one compare per slot.
    PHL_HD u32 poll(Arrival* out, u32 max) {
        u32 found = 0;
        u32 slot = static_cast<u32>(words_->cursor);
        for (u32 looked = 0; looked < geometry_.slots && found < max; ++looked) {
            const u64 commit = platform::load_acquire_system<site::kRequestCommitLoad>(request_commit(slot));
            const bool arrived = commit != accepted_[slot] && accept(slot, commit);
            if (arrived) out[found++] = Arrival{slot, commit};
            slot = slot + 1 == geometry_.slots ? 0 : slot + 1;
            // Clients claim round robin, so the next request most likely comes in the slot behind this one.
            if (arrived) words_->cursor = slot;
        }
        return found;
    }

    /// Looks at one slot only, the one behind the last find: clients claim round robin, so that a lone request comes
    /// there. Cheaper than a pass by the number of slots; whoever uses it must still poll() for the others.
    PHL_HD bool poll_next(Arrival* out) {
        const u32 slot = static_cast<u32>(words_->cursor);
        const u64 commit = platform::load_acquire_system<site::kRequestCommitLoad>(request_commit(slot));
        if (commit == accepted_[slot] || !accept(slot, commit)) return false;
        *out = Arrival{slot, commit};
        words_->cursor = slot + 1 == geometry_.slots ? 0 : slot + 1;
        return true;
    }

    /// Like poll(), but complete: if a request is in the result, so is (or was before) every request that its thread
    /// submitted earlier. Sort the result by datapoint id and the requests of one thread stand in order of submission.
    /// `out` must hold geometry().slots entries.
    ///
    /// One pass is not enough: it may look at slot 0, then a thread submits A in slot 0 and B in slot 1, and the pass
    /// finds B alone. A second pass is: B's commit word was read with acquire, A's was stored before B's by the same
    /// thread, so every later look finds A. What the second pass finds needs the same care, hence passes until one
    /// finds nothing: normally two. A slot cannot arrive twice before it is published, which bounds the passes.
    PHL_HD u32 poll_all(Arrival* out) {
        u32 found = 0;
        u32 more = 0;
        do {
            more = poll(out + found, geometry_.slots - found);
            found += more;
        } while (more != 0 && found < geometry_.slots);
        return found;
    }

    /// The request; shared bytes that the client may change under our eyes.
    PHL_HD const void* request_frame(u32 slot) const { return request_slot(slot) + kCommitBytes; }

    /// Where the answer goes, geometry().slot_bytes long, 8-aligned.
    PHL_HD void* response_frame(u32 slot) const { return response_slot(slot) + kCommitBytes; }

    /// Where a result goes that does not fit the frame: the request's sink if it has one, else the slot's own area,
    /// else null with capacity 0. Valid between arrival and publish().
    PHL_HD void* result_area(u32 slot, u64* capacity) const {
        if (sinks_ != nullptr && sinks_[slot].data != nullptr) {
            *capacity = sinks_[slot].capacity;
            return sinks_[slot].data;
        }
        *capacity = geometry_.result_bytes;
        if (geometry_.result_bytes == 0) return nullptr;
        return responses_ + layout_.results_offset + slot * geometry_.result_bytes;
    }

    /// Makes the answer visible; the slot's memory belongs to the client from here on.
    PHL_HD void publish(u32 slot, u64 generation) {
        memories_[slot].answered = generation;
        platform::store_release_system<site::kResponseCommitStore>(response_commit(slot), generation);
    }

    /// Closes the port for good with a non-zero reason; the first reason stays. Answers already published remain
    /// readable, and win over the close.
    PHL_HD void close(u64 reason) {
        if (platform::load_relaxed_system(close_word()) == 0)
            platform::store_release_system<site::kServerCloseStore>(close_word(), reason);
    }

    /// True once the client has closed. What it submitted before that is found by the next poll.
    PHL_HD bool client_closed() const {
        return platform::load_acquire_system<site::kClientCloseLoad>(
                   reinterpret_cast<const u64*>(requests_ + kCloseOffset)) != 0;
    }

    /// Client heartbeat: any change means life.
    PHL_HD u64 client_heartbeat() const {
        return platform::load_relaxed_system(reinterpret_cast<const u64*>(requests_ + kHeartbeatOffset));
    }

    /// Advances the heartbeat. The dispatcher does it while it polls, and whoever acquires does it during a long
    /// acquisition. The count is drawn inside the server and then stored, so that the shared word is never
    /// read-modify-written; should two threads store out of order, the word still changes, which is all a watchdog
    /// asks.
    PHL_HD void beat() {
        const u64 beats = platform::fetch_add_relaxed_domain(&words_->beats, 1) + 1;
        platform::store_relaxed_system(reinterpret_cast<u64*>(responses_ + kHeartbeatOffset), beats);
    }

    /// Commit words that were neither the last one nor its successor, or came before the answer to the last one.
    PHL_HD u64 violations() const { return platform::load_relaxed_domain(&words_->violations); }

  private:
    PHL_HD const u8* request_slot(u32 slot) const { return requests_ + kSlotsOffset + slot * layout_.stride; }
    PHL_HD u8* response_slot(u32 slot) const { return responses_ + kSlotsOffset + slot * layout_.stride; }
    PHL_HD const u64* request_commit(u32 slot) const { return reinterpret_cast<const u64*>(request_slot(slot)); }
    PHL_HD u64* response_commit(u32 slot) const { return reinterpret_cast<u64*>(response_slot(slot)); }
    PHL_HD u64* close_word() const { return reinterpret_cast<u64*>(responses_ + kCloseOffset); }

    /// A new commit word: true if it is the next generation of an answered slot. A refused word stays refused for as
    /// long as it stands, also when a premature one would become valid with the next answer.
    PHL_HD bool accept(u32 slot, u64 commit) {
        SlotMemory& memory = memories_[slot];
        if (commit == memory.refused) return false;
        if (commit == accepted_[slot] + 1 && memory.answered == accepted_[slot]) {
            accepted_[slot] = commit;
            memory.refused = 0;
            return true;
        }
        memory.refused = commit;
        platform::fetch_add_relaxed_domain(&words_->violations, 1);
        return false;
    }

    Geometry geometry_{};
    PortLayout layout_{};
    const u8* requests_ = nullptr;
    u8* responses_ = nullptr;
    const Sink* sinks_ = nullptr;
    u64* accepted_ = nullptr;
    SlotMemory* memories_ = nullptr;
    ServerWords* words_ = nullptr;
};

}  // namespace photonlink::link
