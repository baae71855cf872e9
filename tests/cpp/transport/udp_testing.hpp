// Equipment of the UDP tests: a controller behind a gateway, and a client that writes datagrams byte by byte with calls
// of the system alone.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../qsc/fixture.hpp"
#include "photonlink/transport/udp_gateway.hpp"
#include "photonlink/wire/datagram.hpp"

namespace photonlink::transport::test {

using qsc::test::infer_payload;
using qsc::test::kPatience_ns;
using qsc::test::put;
using qsc::test::wait_until;

constexpr int kPatienceMs = static_cast<int>(kPatience_ns / 1'000'000);
constexpr int kSilenceMs = 100;     // how long nothing must come where nothing may come
constexpr u64 kSomeDatagrams = 50;  // fit the buffer of a socket that nobody looks at

inline sockaddr_in at_loopback(u16 port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

struct Reply {
    std::vector<u8> bytes;
    wire::ResponseHeader header{};

    wire::Status status() const { return static_cast<wire::Status>(header.status); }
    std::vector<u8> payload() const {
        const auto begin = bytes.begin() + wire::kHeaderBytes;
        return {begin, begin + header.result_len};
    }
    template <class Value>
    std::vector<Value> values() const {
        std::vector<Value> result(header.result_len / sizeof(Value));
        if (!result.empty()) std::memcpy(result.data(), bytes.data() + wire::kHeaderBytes, header.result_len);
        return result;
    }
};

class RawClient {
  public:
    explicit RawClient(u16 port) : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        const sockaddr_in address = at_loopback(port);
        EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    ~RawClient() { ::close(fd_); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    void send_bytes(const std::vector<u8>& bytes) {
        EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    }

    static std::vector<u8> frame(u32 function, const std::vector<u8>& payload, u32 request_id, u64 stamp = 77) {
        const wire::RequestHeader header{wire::kRequestMagic, function, static_cast<u32>(payload.size()), request_id,
                                         stamp};
        std::vector<u8> bytes(sizeof header + payload.size());
        std::memcpy(bytes.data(), &header, sizeof header);
        if (!payload.empty()) std::memcpy(bytes.data() + sizeof header, payload.data(), payload.size());
        return bytes;
    }

    void send(u32 function, const std::vector<u8>& payload, u32 request_id, u64 stamp = 77) {
        send_bytes(frame(function, payload, request_id, stamp));
    }

    /// Nothing if no datagram comes in time.
    std::optional<Reply> receive(int patience_ms = kPatienceMs) {
        pollfd entry{fd_, POLLIN, 0};
        if (::poll(&entry, 1, patience_ms) <= 0) return std::nullopt;
        Reply reply;
        reply.bytes.resize(65536);
        const ssize_t bytes = ::recv(fd_, reply.bytes.data(), reply.bytes.size(), 0);
        if (bytes < 0) return std::nullopt;
        reply.bytes.resize(static_cast<std::size_t>(bytes));
        EXPECT_EQ(wire::parse_response(reply.bytes.data(), reply.bytes.size(), &reply.header), wire::ParseError::None);
        return reply;
    }

    Reply call(u32 function, const std::vector<u8>& payload, u32 request_id, u64 stamp = 77) {
        send(function, payload, request_id, stamp);
        const std::optional<Reply> reply = receive();
        EXPECT_TRUE(reply.has_value()) << "no answer";
        return reply.value_or(Reply{});
    }

  private:
    const int fd_;
};

inline std::vector<u8> key_payload(u64 key) {
    std::vector<u8> bytes;
    put(bytes, key);
    return bytes;
}

inline std::vector<u8> fetch_payload(u64 key, u64 id, u64 offset, u64 count) {
    std::vector<u8> bytes;
    for (const u64 word : {key, id, offset, count}) put(bytes, word);
    return bytes;
}

inline link::Geometry small_slots() { return {8, 256, 0}; }

/// Nobody counts as lost because the machine is busy.
inline UdpOptions patient() {
    UdpOptions options;
    options.silence_s = kPatience_ns * 1e-9;
    return options;
}

/// A controller with one session, offered by a gateway.
class UdpBench {
  public:
    explicit UdpBench(qsc::test::ProcessorSettings settings = {}, qsc::SessionOptions options = {},
                      const link::Geometry& shape = small_slots(), const UdpOptions& udp = patient())
        : geometry(shape),
          record(std::make_shared<qsc::test::Record>(std::move(settings))),
          controller(std::make_shared<qsc::Controller>(std::make_unique<qsc::test::TestProcessor>(record))),
          gateway(std::make_unique<UdpGateway>(controller, udp)) {
        reserve(options);
    }
    ~UdpBench() { record->open_gate(); }
    UdpBench(const UdpBench&) = delete;
    UdpBench& operator=(const UdpBench&) = delete;

    void reserve(const qsc::SessionOptions& options) {
        grant = controller->reserve(qsc::test::test_program(), options);
        tag_key = gateway->open(grant, geometry);
    }

    std::vector<u8> infer(const std::vector<double>& phases) const {
        return infer_payload<double>(grant.key, phases, grant.output_size);
    }
    /// Datapoint `n` of a test, and its observables.
    static std::vector<double> phases(u64 n) {
        const double x = static_cast<double>(n);
        return {0.5 * x, 1.0 + x, -0.25 * x, 3.0};
    }
    std::vector<double> expected(u64 n, u32 shots = 0, u64 seed = 0, u64 id = 0) const {
        std::vector<double> values(grant.output_size);
        const std::vector<double> sent = phases(n);
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = qsc::test::expected_value(sent.data(), sent.size(), i, shots, seed, id);
        return values;
    }
    /// Waits until the gateway has looked at so many datagrams.
    void await_received(u64 count) const {
        wait_until([&] { return gateway->counts().received >= count; });
    }
    /// Sends recorded datagrams again, in portions that no buffer of the system is too small for.
    void play(const std::vector<std::vector<u8>>& recorded, const std::function<void(const std::vector<u8>&)>& send) {
        u64 received = gateway->counts().received;
        for (std::size_t i = 0; i < recorded.size(); ++i) {
            send(recorded[i]);
            ++received;
            if (i % kSomeDatagrams == 0 || i + 1 == recorded.size()) await_received(received);
        }
    }
    u64 tokens() const { return controller->usage(grant.session).counts.tokens; }
    qsc::EndReason end() const { return controller->usage(grant.session).end; }

    const link::Geometry geometry;
    std::shared_ptr<qsc::test::Record> record;
    std::shared_ptr<qsc::Controller> controller;
    std::unique_ptr<UdpGateway> gateway;
    qsc::SessionGrant grant;
    std::optional<wire::TagKey> tag_key;  // where frames carry tags
};

}  // namespace photonlink::transport::test
