// Authentication of datagrams: SipHash-2-4 with tags of 64 bits (J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast
// short-input PRF", INDOCRYPT 2012). Portable.
//
// A tagged request has its tag where the session key stands otherwise, in payload bytes 0-7; the tag covers all the
// rest of the frame. A tagged answer is its frame, and behind the result the tag of that.
#pragma once

#include "photonlink/wire/frame.hpp"

namespace photonlink::wire {

inline constexpr u32 kTagBytes = 8;

struct TagKey {
    u64 low;   // bytes 0-7 of the key
    u64 high;  // bytes 8-15
};

namespace detail {

class SipHash {
  public:
    PHL_HD explicit SipHash(const TagKey& key)
        : v0_(key.low ^ 0x736f6d6570736575ULL),
          v1_(key.high ^ 0x646f72616e646f6dULL),
          v2_(key.low ^ 0x6c7967656e657261ULL),
          v3_(key.high ^ 0x7465646279746573ULL) {}

    /// Takes in a part that something follows: a multiple of eight bytes.
    PHL_HD void take(const void* part, u64 bytes) {
        const auto* from = static_cast<const u8*>(part);
        length_ += bytes;
        for (u64 at = 0; at + sizeof(u64) <= bytes; at += sizeof(u64)) {
            u64 word;
            platform::copy_bytes(&word, from + at, sizeof word);
            mix(word);
        }
    }

    /// Takes in the last part, of any length.
    PHL_HD u64 finish(const void* part, u64 bytes) {
        const u64 left = bytes % sizeof(u64);
        take(part, bytes);
        u64 word = length_ << 56;
        if (left != 0) {
            u64 rest = 0;
            platform::copy_bytes(&rest, static_cast<const u8*>(part) + (bytes - left), left);
            word |= rest;
        }
        mix(word);
        v2_ ^= 0xff;
        for (int i = 0; i < 4; ++i) round();
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

  private:
    PHL_HD static u64 rotate(u64 word, int by) { return word << by | word >> (64 - by); }

    PHL_HD void mix(u64 word) {
        v3_ ^= word;
        round();
        round();
        v0_ ^= word;
    }

    PHL_HD void round() {
        v0_ += v1_;
        v2_ += v3_;
        v1_ = rotate(v1_, 13) ^ v0_;
        v3_ = rotate(v3_, 16) ^ v2_;
        v0_ = rotate(v0_, 32);
        v2_ += v1_;
        v0_ += v3_;
        v1_ = rotate(v1_, 17) ^ v2_;
        v3_ = rotate(v3_, 21) ^ v0_;
        v2_ = rotate(v2_, 32);
    }

    u64 v0_, v1_, v2_, v3_;
    u64 length_ = 0;
};

}  // namespace detail

/// SipHash-2-4 of `bytes` bytes.
PHL_HD u64 siphash(const TagKey& key, const void* data, u64 bytes) { return detail::SipHash(key).finish(data, bytes); }

/// Tag of a request with at least eight bytes of payload: over its header and what follows the word of the tag.
PHL_HD u64 request_tag(const TagKey& key, const RequestHeader& header, const void* payload) {
    detail::SipHash hash(key);
    hash.take(&header, sizeof header);
    return hash.finish(static_cast<const u8*>(payload) + kTagBytes, header.arg_len - kTagBytes);
}

/// Tag of an answer: over its header and result.
PHL_HD u64 response_tag(const TagKey& key, const ResponseHeader& header, const void* result) {
    detail::SipHash hash(key);
    hash.take(&header, sizeof header);
    return hash.finish(result, header.result_len);
}

/// Compares all bits in any case: the time that it takes says nothing about where two tags differ.
PHL_HD bool equal_tags(u64 a, u64 b) { return (a ^ b) == 0; }

/// Key of one client's datagrams, out of the session's key, a number that the client drew and one that the gateway did:
/// what was recorded from one client, or under an earlier number, is worth nothing under another.
PHL_HD TagKey client_key(const TagKey& session, u64 nonce, u64 cookie) {
    const u64 low[] = {0, nonce, cookie};  // no frame begins with a magic of 0 or 1
    const u64 high[] = {1, nonce, cookie};
    return {siphash(session, low, sizeof low), siphash(session, high, sizeof high)};
}

}  // namespace photonlink::wire
