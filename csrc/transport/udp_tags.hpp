// Who may talk to a gateway whose datagrams carry tags (wire/tag.hpp, wire/datagram.hpp). Private to transport/.
#pragma once

#include "photonlink/random_word.hpp"
#include "photonlink/wire/datagram.hpp"
#include "photonlink/wire/tag.hpp"
#include "udp_socket.hpp"

namespace photonlink::transport {

inline wire::TagKey random_tag_key() { return {random_word(), random_word()}; }

/// Whether the frame of `header` and `payload` carries the tag of `key`.
inline bool carries_tag(const wire::TagKey& key, const wire::RequestHeader& header, const void* payload) {
    u64 tag;
    platform::copy_bytes(&tag, payload, sizeof tag);
    return wire::equal_tags(tag, wire::request_tag(key, header, payload));
}

/// The secrets of one session.
class UdpTags {
  public:
    /// What clients learn from the control plane, and nobody else may.
    const wire::TagKey& key() const { return key_; }

    /// What somebody at `address` who drew `nonce` must come with to be let in as client number `client`. It is not
    /// remembered: whoever only says that it is at an address costs nothing, and nothing lets in twice.
    u64 cookie(const sockaddr_in& address, u64 nonce, u64 client) const {
        const u64 words[] = {address_word(address), nonce, client};
        return wire::siphash(secret_, words, sizeof words);
    }

  private:
    wire::TagKey key_ = random_tag_key();
    wire::TagKey secret_ = random_tag_key();
};

}  // namespace photonlink::transport
