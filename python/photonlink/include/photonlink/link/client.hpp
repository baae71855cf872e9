// The caller's side of a port: claim a slot, fill its request frame, submit, wait, read, release.
//
//     Ticket ticket;
//     if (client.try_claim(&ticket) != LinkStatus::Ok) ...      // Full, Closed or PeerLost
//     write(client.request_frame(ticket));
//     client.submit(ticket);
//     if (client.wait(ticket, deadline, Backoff{}) == LinkStatus::Ok) {
//         read(client.response_frame(ticket));
//         client.release(ticket);
//     } else {
//         client.abandon(ticket);                               // never waits for the server
//     }
//
// Slot state lives in memory that only the client's domain touches: generation << 2 | state. A claim is a
// compare-and-swap there, so any number of threads may share one handle. Memory orders: see sites.hpp.
// Portable: plain pointers, no allocation, no exceptions, no STL; a kernel takes the handle by value.
#pragma once

#include "photonlink/link/backoff.hpp"
#include "photonlink/link/port.hpp"
#include "photonlink/link/sites.hpp"

namespace photonlink::link {

/// Words of the client's own domain, beside the slot states.
struct ClientWords {
    alignas(kCacheLine) u64 hint;   // where the next scan for a slot starts; any value is right
    alignas(kCacheLine) u64 beats;  // source of the client heartbeat
};

/// A view of a port; owns nothing. Copy it freely inside its domain. Like a pointer's, its constness says nothing about
/// what it shows.
class ClientHandle {
  public:
    ClientHandle() = default;

    /// `states` has one zeroed word per slot; `sinks` one zeroed entry per slot, or is null across processes.
    PHL_HD ClientHandle(const Geometry& geometry, void* requests, const void* responses, u64* states, Sink* sinks,
                        ClientWords* words)
        : geometry_(geometry),
          layout_(layout_of(geometry)),
          requests_(static_cast<u8*>(requests)),
          responses_(static_cast<const u8*>(responses)),
          states_(states),
          sinks_(sinks),
          words_(words) {}

    PHL_HD const Geometry& geometry() const { return geometry_; }

    /// Takes a slot: Ok, Full, Closed or PeerLost. Also recycles an abandoned slot whose answer has come meanwhile.
    PHL_HD LinkStatus try_claim(Ticket* ticket) const {
        const LinkStatus state = port_state();
        return state == LinkStatus::Ok ? claim_free(ticket) : state;
    }

    /// try_claim() that looks at the close words only when no slot is free: for a device, where each look is a trip
    /// over the bus. A request that is submitted to a closed port is not lost: waiting for it says Closed.
    PHL_HD LinkStatus claim_free(Ticket* ticket) const {
        u32 slot = static_cast<u32>(platform::load_relaxed_domain(&words_->hint) % geometry_.slots);
        for (u32 tried = 0; tried < geometry_.slots; ++tried) {
            const u32 next = slot + 1 == geometry_.slots ? 0 : slot + 1;
            if (claim_slot(slot, ticket)) {
                platform::store_relaxed_domain(&words_->hint, next);
                return LinkStatus::Ok;
            }
            slot = next;
        }
        const LinkStatus state = port_state();
        return state == LinkStatus::Ok ? LinkStatus::Full : state;
    }

    /// Where the request frame goes, geometry().slot_bytes long, 8-aligned; its payload too.
    PHL_HD void* request_frame(Ticket ticket) const { return request_slot(ticket.slot) + kCommitBytes; }

    /// Lets an in-process server write a large result straight into `data`. Call it between claim and submit. The
    /// memory must outlive the request even if it is abandoned: until settled(ticket), or until the server has stopped.
    /// False when the server lives elsewhere and could not follow the pointer.
    PHL_HD bool set_sink(Ticket ticket, void* data, u64 capacity) const {
        if (sinks_ == nullptr) return false;
        sinks_[ticket.slot] = Sink{data, capacity};
        return true;
    }

    /// Hands the request to the server. It is executed at most once, whatever becomes of the ticket.
    PHL_HD void submit(Ticket ticket) const {
        platform::store_release_system<site::kRequestCommitStore>(request_commit(ticket.slot), ticket.generation);
    }

    /// Looks once: Ok, Pending, Closed or PeerLost. An answer that is there wins over a closed or lost port.
    PHL_HD LinkStatus poll(Ticket ticket) const {
        if (answered(ticket)) return LinkStatus::Ok;
        const LinkStatus state = port_state();
        if (state == LinkStatus::Ok) return LinkStatus::Pending;
        // The answer may have been published between the two looks, and the close after it.
        return answered(ticket) ? LinkStatus::Ok : state;
    }

    /// Waits until `deadline_ns` on platform::clock_ns(): Ok, Timeout, Closed or PeerLost. After Timeout the ticket is
    /// still valid: wait again, or abandon it. The fast path reads one word only; clock and close word wait until the
    /// spinning is over.
    PHL_HD LinkStatus wait(Ticket ticket, u64 deadline_ns, const Backoff& limits) const {
        BackoffState backoff(limits);
        while (!answered(ticket)) {
            if (!backoff.step()) continue;
            const LinkStatus status = poll(ticket);
            if (status != LinkStatus::Pending) return status;
            if (platform::clock_ns() >= deadline_ns) return LinkStatus::Timeout;
        }
        return LinkStatus::Ok;
    }

    /// The answer, after Ok and before release(). Copy and check its header with wire::parse_response().
    PHL_HD const void* response_frame(Ticket ticket) const { return response_slot(ticket.slot) + kCommitBytes; }

    /// Where a result lies that did not fit the frame: the ticket's sink if it has one, else the slot's result area;
    /// null if there is neither. `capacity` may be null; bound every length from the answer by it.
    PHL_HD const void* result_area(Ticket ticket, u64* capacity = nullptr) const {
        if (sinks_ != nullptr && sinks_[ticket.slot].data != nullptr) {
            if (capacity != nullptr) *capacity = sinks_[ticket.slot].capacity;
            return sinks_[ticket.slot].data;
        }
        if (capacity != nullptr) *capacity = geometry_.result_bytes;
        if (geometry_.result_bytes == 0) return nullptr;
        return responses_ + layout_.results_offset + ticket.slot * geometry_.result_bytes;
    }

    /// Gives the slot back after its answer was read.
    PHL_HD void release(Ticket ticket) const {
        platform::store_release_domain<site::kFreeStore>(&states_[ticket.slot], word(ticket.generation, kFree));
    }

    /// Gives up on a submitted request without waiting. The slot comes back once the server has answered it.
    PHL_HD void abandon(Ticket ticket) const {
        platform::store_release_domain<site::kZombieStore>(&states_[ticket.slot], word(ticket.generation, kZombie));
    }

    /// Gives back a slot that was claimed and never submitted. The generation goes back with it: the server expects
    /// the next commit word to be its last one plus one.
    PHL_HD void cancel(Ticket ticket) const {
        platform::store_release_domain<site::kCancelStore>(&states_[ticket.slot], word(ticket.generation - 1, kFree));
    }

    /// True once the server is done with the memory of a ticket, abandoned ones included.
    PHL_HD bool settled(Ticket ticket) const {
        return platform::load_acquire_system<site::kResponseCommitLoad>(response_commit(ticket.slot)) >=
               ticket.generation;
    }

    /// Frees abandoned slots whose answers have come; returns how many. Claiming does it too: this is for callers that
    /// want to know that everything is back.
    PHL_HD u32 reap() const {
        u32 freed = 0;
        for (u32 slot = 0; slot < geometry_.slots; ++slot) freed += reap_slot(slot) ? 1u : 0u;
        return freed;
    }

    /// Slots that are not free, abandoned ones included. A snapshot.
    PHL_HD u32 in_use() const {
        u32 count = 0;
        for (u32 slot = 0; slot < geometry_.slots; ++slot)
            count += (platform::load_relaxed_domain(&states_[slot]) & kStateMask) != kFree ? 1u : 0u;
        return count;
    }

    /// Tells the server, and every thread that waits on this port, that no more requests come.
    PHL_HD void close() const { platform::store_release_system<site::kClientCloseStore>(client_close_word(), kClosed); }

    /// Reason that the server gave for closing, 0 while it is open.
    PHL_HD u64 server_close_reason() const {
        return platform::load_acquire_system<site::kServerCloseLoad>(server_close_word());
    }

    /// Server heartbeat: any change means life. Read by the watchdog.
    PHL_HD u64 server_heartbeat() const {
        return platform::load_relaxed_system(reinterpret_cast<const u64*>(responses_ + kHeartbeatOffset));
    }

    /// Makes every wait and claim return PeerLost from now on (unless its answer is there).
    /// The verdict lies in the client's close word, where a device that shares the port with its host finds it too.
    PHL_HD void mark_peer_lost() const {
        if (platform::load_relaxed_system(client_close_word()) == 0)
            platform::store_release_system<site::kClientCloseStore>(client_close_word(), kPeerLost);
    }

    /// Advances the client heartbeat; any thread of the client may do it, since only a change means something.
    PHL_HD void beat() const {
        const u64 beats = platform::fetch_add_relaxed_domain(&words_->beats, 1) + 1;
        platform::store_relaxed_system(reinterpret_cast<u64*>(requests_ + kHeartbeatOffset), beats);
    }

  private:
    static constexpr u64 kFree = 0;
    static constexpr u64 kBusy = 1;
    static constexpr u64 kZombie = 2;
    static constexpr u64 kStateMask = 3;
    // Values of the client's close word; 0 is open.
    static constexpr u64 kClosed = 1;
    static constexpr u64 kPeerLost = 2;

    PHL_HD static u64 word(u64 generation, u64 state) { return generation << 2 | state; }

    PHL_HD u8* request_slot(u32 slot) const { return requests_ + kSlotsOffset + slot * layout_.stride; }
    PHL_HD const u8* response_slot(u32 slot) const { return responses_ + kSlotsOffset + slot * layout_.stride; }
    PHL_HD u64* request_commit(u32 slot) const { return reinterpret_cast<u64*>(request_slot(slot)); }
    PHL_HD const u64* response_commit(u32 slot) const { return reinterpret_cast<const u64*>(response_slot(slot)); }
    PHL_HD u64* client_close_word() const { return reinterpret_cast<u64*>(requests_ + kCloseOffset); }
    PHL_HD const u64* server_close_word() const { return reinterpret_cast<const u64*>(responses_ + kCloseOffset); }

    PHL_HD bool answered(Ticket ticket) const {
        return platform::load_acquire_system<site::kResponseCommitLoad>(response_commit(ticket.slot)) ==
               ticket.generation;
    }

    PHL_HD LinkStatus port_state() const {
        if (server_close_reason() != 0) return LinkStatus::Closed;
        const u64 closed = platform::load_relaxed_system(client_close_word());
        if (closed == 0) return LinkStatus::Ok;
        return closed == kPeerLost ? LinkStatus::PeerLost : LinkStatus::Closed;
    }

    PHL_HD bool zombie_finished(u32 slot, u64 generation) const {
        return platform::load_acquire_system<site::kZombieCommitLoad>(response_commit(slot)) == generation;
    }

    PHL_HD bool claim_slot(u32 slot, Ticket* ticket) const {
        const u64 seen = platform::load_relaxed_domain(&states_[slot]);
        const u64 generation = seen >> 2;
        const u64 claimed = word(generation + 1, kBusy);
        if ((seen & kStateMask) == kFree) {
            if (!platform::compare_swap_acquire_domain<site::kFreeClaim>(&states_[slot], seen, claimed)) return false;
        } else if ((seen & kStateMask) == kZombie) {
            if (!zombie_finished(slot, generation)) return false;
            if (!platform::compare_swap_acquire_domain<site::kZombieClaim>(&states_[slot], seen, claimed)) return false;
        } else {
            return false;
        }
        if (sinks_ != nullptr) sinks_[slot] = Sink{nullptr, 0};
        *ticket = Ticket{slot, generation + 1};
        return true;
    }

    // Through BUSY and a release store rather than straight to FREE: a bare compare-and-swap to FREE would hand the
    // next claimer the abandoner's past, but not the server's, which only this thread has seen.
    PHL_HD bool reap_slot(u32 slot) const {
        const u64 seen = platform::load_relaxed_domain(&states_[slot]);
        const u64 generation = seen >> 2;
        if ((seen & kStateMask) != kZombie || !zombie_finished(slot, generation)) return false;
        if (!platform::compare_swap_acquire_domain<site::kReapClaim>(&states_[slot], seen, word(generation, kBusy)))
            return false;
        platform::store_release_domain<site::kReapStore>(&states_[slot], word(generation, kFree));
        return true;
    }

    Geometry geometry_{};
    PortLayout layout_{};
    u8* requests_ = nullptr;
    const u8* responses_ = nullptr;
    u64* states_ = nullptr;
    Sink* sinks_ = nullptr;
    ClientWords* words_ = nullptr;
};

}  // namespace photonlink::link
