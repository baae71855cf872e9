// How answers leave a gateway's socket, in the one form that they have. Private to transport/.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <vector>

#include "photonlink/wire/datagram.hpp"
#include "udp_socket.hpp"

namespace photonlink::transport {

class UdpOutbox {
  public:
    explicit UdpOutbox(int socket) : socket_(socket), padding_(wire::kMaxDatagramBytes) {}

    /// Sends a header and the `header.result_len` bytes of its result, padded with zeros to `stride`: no bytes of
    /// earlier requests leave. A datagram that the system has no room for is as good as lost: the client asks again.
    void send(const sockaddr_in& to, const wire::ResponseHeader& header, const void* result, u32 stride) {
        wire::ResponseHeader copy = header;
        sockaddr_in address = to;
        iovec parts[] = {{&copy, sizeof copy},
                         {const_cast<void*>(result), header.result_len},
                         {padding_.data(), stride - wire::kHeaderBytes - header.result_len}};
        msghdr message{};
        message.msg_name = &address;
        message.msg_namelen = sizeof address;
        message.msg_iov = parts;
        message.msg_iovlen = 3;
        ::sendmsg(socket_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }

  private:
    const int socket_;
    std::vector<u8> padding_;
};

}  // namespace photonlink::transport
