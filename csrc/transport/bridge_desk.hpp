// The slots of a transport provider, as whoever answers sees them: the next request, and the way back of its answer.
// Every request that is taken owes its slot an answer or a drop; a repetition of one that is under way shares its
// answer. Private to transport/. Whoever has the gateway's carrier works on it, one at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "photonlink/transport/bridge.hpp"
#include "photonlink/wire/frame.hpp"

namespace photonlink::transport {

class BridgeDesk {
  public:
    /// A provider that takes no answer for `silence_ns` is lost.
    BridgeDesk(const BridgePlane& plane, u64 silence_ns);

    /// Takes the next request in, if there is one; its copy is in frame().
    bool take(u32* place);
    /// The request taken last: its header, and as many bytes of its payload as it says and a slot holds.
    const u8* frame() const { return frame_.data(); }
    u32 slot_bytes() const { return plane_.slot_bytes; }

    /// Sends a header and the `header.result_len` bytes of its result, with the time stamp that the request had.
    void answer(u32 place, const wire::ResponseHeader& header, const void* result);
    /// What `first` is answered, `place` is answered, too.
    void await_answer(u32 place, u32 first);
    /// No answer goes back to what is no request. A provider of rings sends in their order and would keep all later
    /// answers back for the missing one: there it is an empty one with status UnknownFunction.
    void drop(u32 place);
    void refuse(u32 place, wire::Status status);
    /// Refuses every request that is owed an answer.
    void refuse_all(wire::Status status);
    bool owes() const { return owed_ != 0; }

    /// Why the provider cannot be worked with any more, once that is so.
    const std::optional<std::string>& problem();

  private:
    static constexpr u32 kNone = ~0u;

    struct Place {
        bool owed = false;
        u32 also = kNone;  // a repetition that gets the same answer
        wire::RequestHeader header{};
    };

    bool has_hooks() const { return plane_.form == BridgePlane::Form::Hooks; }
    bool find_by_hooks(u32* place);
    bool find_by_flags(u32* place);
    void copy_in(u32 place);
    void send(u32 place, wire::ResponseHeader header, const void* result);
    void hand_over(u32 place, const u8* slot);
    void give_back(u32 place);
    void watch_sender();

    const BridgePlane plane_;
    const u64 silence_ns_;
    std::vector<Place> places_;
    std::vector<u8> frame_;
    u32 owed_ = 0;
    u32 cursor_ = 0;      // where the next request comes; of rings
    u32 unsent_ = kNone;  // the latest answer that the provider may not have sent; of rings
    u64 unsent_ns_ = 0;   // since when nothing excuses that
    u32 failures_ = 0;    // of tx_publish, one after the other
    std::optional<std::string> problem_;
};

}  // namespace photonlink::transport
