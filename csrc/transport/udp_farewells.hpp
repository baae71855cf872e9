// Clients of the session before the present one, which may not have heard of its end. Private to transport/.
//
// Their tags open nothing any more, and silence is all that they would notice, after a while. So a ping is answered
// once more if it comes from the address at which such a client was let in and carries its tag: whoever cannot make
// that tag still hears nothing. Each is answered a limited number of times, so that a recorded ping, played again and
// again, does not make the gateway send for ever.
#pragma once

#include <vector>

#include "udp_outbox.hpp"
#include "udp_ping.hpp"
#include "udp_tags.hpp"

namespace photonlink::transport {

class UdpFarewells {
  public:
    /// Forgets the clients of the session before the one that has ended now.
    void begin(u64 end_reason) {
        end_reason_ = end_reason;
        former_.clear();
    }
    void remember(u64 address, const wire::TagKey& key) { former_.push_back({address, key, kAnswers}); }

    /// Answers a ping of one of them; false if it is none. `payload` has room for a tag.
    bool answer(const sockaddr_in& from, const wire::RequestHeader& header, const void* payload, UdpOutbox& outbox) {
        if (header.function_id != wire::kPing || header.arg_len != wire::kKeyBytes) return false;
        for (Former& former : former_) {
            if (former.address != address_word(from) || !carries_tag(former.key, header, payload)) continue;
            if (former.answers_left == 0) return false;
            --former.answers_left;
            const auto words = end_words(end_reason_);
            outbox.send_tagged(from, wire::response_to(header, wire::Status::Ok, sizeof words), words.data(),
                               former.key);
            return true;
        }
        return false;
    }

  private:
    // A client that heard none of so many, five a second, has given up by itself.
    static constexpr u32 kAnswers = 16;

    struct Former {
        u64 address;
        wire::TagKey key;
        u32 answers_left;
    };

    u64 end_reason_ = 0;
    std::vector<Former> former_;
};

}  // namespace photonlink::transport
