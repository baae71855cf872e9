// How a client speaks to a gateway: with tags or without, and how it becomes a client where there are tags. Private to
// transport/.
#pragma once

#include <functional>
#include <optional>

#include "photonlink/wire/datagram.hpp"
#include "photonlink/wire/tag.hpp"
#include "udp_socket.hpp"

namespace photonlink::transport {

/// What a client of a gateway signs its requests with.
struct UdpMembership {
    u64 key;  // the session's, where frames carry no tags
    std::optional<wire::TagKey> tag_key;
    u64 slot_bytes;  // of the gateway; 0: as long as its answers

    const wire::TagKey* tag() const { return tag_key ? &*tag_key : nullptr; }
};

/// Sends one request through a connected socket, with a tag in the place of the key if there is a `tag_key`. False if
/// the system says that nobody listens at the other end.
bool send_request(int socket, const wire::RequestHeader& header, const void* payload, const wire::TagKey* tag_key);

/// Whether the `bytes` of an answer, whose header was checked, are what the gateway signed.
bool is_signed(const wire::ResponseHeader& header, const u8* frame, u64 bytes, const wire::TagKey& tag_key);

/// What an answer means to somebody who asks.
enum class Heard : u8 { Nothing, AskAgain, Enough };

/// Asks until `hear` has heard enough. Throws link::LinkError: Closed (nobody listens) or Timeout.
void ask_gateway(int socket, const sockaddr_in& gateway, u64 deadline_ns, const std::function<bool()>& ask,
                 const std::function<Heard(const wire::ResponseHeader&, const u8* frame, u64 bytes)>& hear);

/// Becomes a client of the session whose secret is `session`. Throws link::LinkError: Closed (nobody listens, or the
/// session has ended), Timeout (nobody who knows the secret answers), or Rejected (no place for this client).
UdpMembership join_gateway(int socket, const sockaddr_in& gateway, const wire::TagKey& session, u64 deadline_ns);

}  // namespace photonlink::transport
