// How answers leave a gateway's socket, in the two forms that they have. Private to transport/.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <vector>

#include "photonlink/wire/datagram.hpp"
#include "photonlink/wire/tag.hpp"
#include "udp_socket.hpp"

namespace photonlink::transport {

class UdpOutbox {
  public:
    explicit UdpOutbox(int socket) : socket_(socket), padding_(wire::kMaxDatagramBytes) {}

    /// Sends a header and the `header.result_len` bytes of its result, padded with zeros to `stride`: no bytes of
    /// earlier requests leave. A datagram that the system has no room for is as good as lost: the client asks again.
    void send(const sockaddr_in& to, const wire::ResponseHeader& header, const void* result, u32 stride) {
        transmit(to, header, result, padding_.data(), stride - wire::kHeaderBytes - header.result_len);
    }

    /// Sends a header, its result and their tag, and no byte more.
    void send_tagged(const sockaddr_in& to, const wire::ResponseHeader& header, const void* result,
                     const wire::TagKey& key) {
        u64 tag = wire::response_tag(key, header, result);
        transmit(to, header, result, &tag, sizeof tag);
    }

  private:
    void transmit(sockaddr_in to, wire::ResponseHeader header, const void* result, void* end, u64 end_bytes) const {
        iovec parts[] = {{&header, sizeof header}, {const_cast<void*>(result), header.result_len}, {end, end_bytes}};
        msghdr message{};
        message.msg_name = &to;
        message.msg_namelen = sizeof to;
        message.msg_iov = parts;
        message.msg_iovlen = 3;
        ::sendmsg(socket_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }

    const int socket_;
    std::vector<u8> padding_;
};

}  // namespace photonlink::transport
