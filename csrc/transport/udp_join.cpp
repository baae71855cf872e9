#include "udp_join.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "photonlink/link/memory.hpp"
#include "photonlink/random_word.hpp"

namespace photonlink::transport {

namespace {

using link::LinkError;
using link::LinkStatus;

constexpr u64 kAgainNs = 50'000'000;

[[noreturn]] void nobody_listens(const sockaddr_in& gateway) {
    throw LinkError(LinkStatus::Closed, "nobody listens at " + to_string(gateway));
}

[[noreturn]] void refuse(const sockaddr_in& gateway, wire::Status status) {
    if (status == wire::Status::SessionExpired)
        throw LinkError(LinkStatus::Closed, "the session at " + to_string(gateway) + " has ended: reserve a new one");
    throw LinkError(LinkStatus::Rejected, "the controller at " + to_string(gateway) +
                                              " has no place for this client, with wire status " +
                                              std::to_string(static_cast<i32>(status)));
}

}  // namespace

bool send_request(int socket, const wire::RequestHeader& header, const void* payload, const wire::TagKey* tag_key) {
    wire::RequestHeader copy = header;
    auto* bytes = static_cast<u8*>(const_cast<void*>(payload));
    u64 tag = 0;
    iovec parts[] = {{&copy, sizeof copy}, {bytes, header.arg_len}, {nullptr, 0}};
    if (tag_key != nullptr) {
        tag = wire::request_tag(*tag_key, header, payload);
        parts[1] = {&tag, sizeof tag};
        parts[2] = {bytes + sizeof tag, header.arg_len - sizeof tag};
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 3;
    return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno != ECONNREFUSED;
}

bool is_signed(const wire::ResponseHeader& header, const u8* frame, u64 bytes, const wire::TagKey& tag_key) {
    const u64 used = wire::kHeaderBytes + u64{header.result_len};
    if (bytes != used + wire::kTagBytes) return false;
    u64 tag;
    platform::copy_bytes(&tag, frame + used, sizeof tag);
    return wire::equal_tags(tag, wire::response_tag(tag_key, header, wire::payload(frame)));
}

void ask_gateway(int socket, const sockaddr_in& gateway, u64 deadline_ns, const std::function<bool()>& ask,
                 const std::function<Heard(const wire::ResponseHeader&, const u8* frame, u64 bytes)>& hear) {
    std::vector<u8> in(wire::kMaxDatagramBytes);
    u64 due_ns = 0;
    for (u64 now = platform::clock_ns(); now < deadline_ns; now = platform::clock_ns()) {
        if (now >= due_ns) {
            if (!ask()) nobody_listens(gateway);
            due_ns = now + kAgainNs;
        }
        await_datagram(socket, -1, std::min(due_ns, deadline_ns) - now);
        const ssize_t bytes = ::recv(socket, in.data(), in.size(), MSG_DONTWAIT);
        if (bytes < 0 && errno == ECONNREFUSED) nobody_listens(gateway);
        wire::ResponseHeader header;
        if (bytes < 0 || wire::parse_response(in.data(), static_cast<u64>(bytes), &header) != wire::ParseError::None)
            continue;
        const Heard heard = hear(header, in.data(), static_cast<u64>(bytes));
        if (heard == Heard::Enough) return;
        if (heard == Heard::AskAgain) due_ns = 0;
    }
    throw LinkError(LinkStatus::Timeout, "the controller at " + to_string(gateway) + " does not answer");
}

UdpMembership join_gateway(int socket, const sockaddr_in& gateway, const wire::TagKey& session, u64 deadline_ns) {
    wire::JoinArgs args{0, random_word(), 0};  // the word of the tag is written by send_request()
    wire::JoinResult result{};
    std::optional<wire::TagKey> key;
    const auto ask = [&] {
        const wire::RequestHeader header{wire::kRequestMagic, wire::kJoin, sizeof args, 0, 0};
        return send_request(socket, header, &args, &session);
    };
    ask_gateway(socket, gateway, deadline_ns, ask, [&](const wire::ResponseHeader& header, const u8* frame, u64 bytes) {
        if (header.result_len != sizeof result) return Heard::Nothing;
        platform::copy_bytes(&result, wire::payload(frame), sizeof result);
        key = wire::client_key(session, args.nonce, result.cookie);
        if (!is_signed(header, frame, bytes, *key)) return Heard::Nothing;
        const auto status = static_cast<wire::Status>(header.status);
        if (status == wire::Status::Ok) return Heard::Enough;
        if (status != wire::Status::JoinAgain) refuse(gateway, status);
        const bool is_news = args.cookie != result.cookie;
        args.cookie = result.cookie;
        return is_news ? Heard::AskAgain : Heard::Nothing;
    });
    return {0, key, result.slot_bytes};
}

}  // namespace photonlink::transport
