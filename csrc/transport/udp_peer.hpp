// A client whose answers are datagrams to its address. Private to transport/.
#pragma once

#include "remote_peer.hpp"
#include "udp_outbox.hpp"

namespace photonlink::transport {

class UdpPeer : public RemotePeer {
  public:
    /// `outbox` is the gateway's, and not touched once that is gone; the rest as in RemotePeer.
    UdpPeer(const sockaddr_in& address, const std::optional<wire::TagKey>& tag_key, UdpOutbox& outbox,
            const link::Geometry& geometry, u64 silence_ns, std::atomic<u64>& repeated)
        : RemotePeer(geometry, silence_ns, repeated), address_(address), tag_key_(tag_key), outbox_(outbox) {}

    u64 address() const { return address_word(address_); }
    /// Of its datagrams, if they carry tags.
    const std::optional<wire::TagKey>& tag_key() const { return tag_key_; }

    void answer(u32, const wire::ResponseHeader& header, const void* result) override {
        if (tag_key_)
            outbox_.send_tagged(address_, header, result, *tag_key_);
        else
            outbox_.send(address_, header, result, stride());
    }

  private:
    const sockaddr_in address_;
    const std::optional<wire::TagKey> tag_key_;
    UdpOutbox& outbox_;
};

}  // namespace photonlink::transport
