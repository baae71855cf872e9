// Datagrams with authentication tags, written byte by byte.
#pragma once

#include "udp_caller.hpp"

namespace photonlink::transport::test {

inline UdpOptions with_tags() {
    UdpOptions options = patient();
    options.tags = true;
    return options;
}

/// A bench whose frames carry tags.
class TaggedBench : public UdpBench {
  public:
    explicit TaggedBench(qsc::test::ProcessorSettings settings = {}, const link::Geometry& shape = small_slots())
        : UdpBench(std::move(settings), {}, shape, with_tags()) {}
};

/// A datagram with the tag of `key` in place of its first argument.
inline std::vector<u8> tagged(const wire::TagKey& key, std::vector<u8> frame) {
    wire::RequestHeader header;
    EXPECT_EQ(wire::parse_request(frame.data(), frame.size(), &header), wire::ParseError::None);
    const u64 tag = wire::request_tag(key, header, wire::payload(frame.data()));
    std::memcpy(wire::payload(frame.data()), &tag, sizeof tag);
    return frame;
}

inline std::vector<u8> join_frame(const wire::TagKey& key, u64 nonce, u64 cookie) {
    std::vector<u8> payload;
    for (const u64 word : {u64{0}, nonce, cookie}) put(payload, word);
    return tagged(key, RawClient::frame(wire::kJoin, payload, 1));
}

/// Joins byte by byte; returns the key of the datagrams that follow.
inline wire::TagKey join(RawClient& client, const wire::TagKey& session, u64 nonce) {
    u64 cookie = 0;
    for (const wire::Status expected : {wire::Status::JoinAgain, wire::Status::Ok}) {
        client.send_bytes(join_frame(session, nonce, cookie));
        const std::optional<Reply> reply = client.receive();
        EXPECT_TRUE(reply && reply->status() == expected);
        if (reply) cookie = reply->values<u64>()[0];
    }
    return wire::client_key(session, nonce, cookie);
}

}  // namespace photonlink::transport::test
