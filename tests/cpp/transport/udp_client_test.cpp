// The UDP client against a raw socket that answers, datagram by datagram, what a test says.
#include "photonlink/transport/udp_client.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace photonlink::transport {
namespace {

constexpr u32 kSlot = 64;
constexpr u64 kSecond = 1'000'000'000;
constexpr u64 kPatience = 240 * kSecond;  // only ever reached by a failure
constexpr u32 kFunction = wire::function_id("addThem");

using Bytes = std::vector<u8>;
using Datagrams = std::vector<Bytes>;

u64 in(u64 ns) { return platform::clock_ns() + ns; }

/// A bound socket; what it receives and sends is the test's business.
class RawServer {
  public:
    RawServer() : fd_(::socket(AF_INET, SOCK_DGRAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), length), 0);
        EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        port_ = ntohs(address.sin_port);
    }
    ~RawServer() { ::close(fd_); }

    u16 port() const { return port_; }

    /// For the system nobody listens here to any other port; and the port is taken, so that nobody will.
    void hear_only(u16 port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }

    /// The next request; empty if none comes in time.
    Bytes receive(int milliseconds = static_cast<int>(kPatience / 1'000'000)) {
        pollfd entry{fd_, POLLIN, 0};
        if (::poll(&entry, 1, milliseconds) != 1) return {};
        Bytes bytes(70'000);
        socklen_t length = sizeof client_;
        bytes.resize(static_cast<std::size_t>(
            ::recvfrom(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&client_), &length)));
        return bytes;
    }

    void send(const Bytes& bytes) {
        EXPECT_EQ(
            ::sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&client_), sizeof client_),
            static_cast<ssize_t>(bytes.size()));
    }

  private:
    int fd_;
    u16 port_ = 0;
    sockaddr_in client_{};
};

wire::RequestHeader header_of(const Bytes& request) {
    wire::RequestHeader header{};
    EXPECT_EQ(wire::parse_request(request.data(), request.size(), &header), wire::ParseError::None);
    return header;
}

/// A slot-sized answer that carries `value`; what follows is left over from others.
Bytes answer(const wire::RequestHeader& request, i64 value, wire::Status status = wire::Status::Ok) {
    Bytes bytes(kSlot, 0xEE);
    wire::write_response(bytes.data(), request, status, status == wire::Status::Ok ? 8 : 0);
    std::memcpy(wire::payload(bytes.data()), &value, sizeof value);
    return bytes;
}

/// Answers the n-th request with what the n-th step makes of it.
class Script {
  public:
    using Step = std::function<Datagrams(const wire::RequestHeader&)>;

    explicit Script(std::vector<Step> steps)
        : thread_([this, steps = std::move(steps)] {
              for (const Step& step : steps) {
                  const Bytes request = server_.receive();
                  if (request.empty()) return;
                  for (const Bytes& datagram : step(header_of(request))) server_.send(datagram);
              }
          }) {}
    ~Script() { thread_.join(); }

    u16 port() const { return server_.port(); }

  private:
    RawServer server_;
    std::thread thread_;
};

Script::Step say(i64 value) {
    return [value](const wire::RequestHeader& request) { return Datagrams{answer(request, value)}; };
}

Datagrams nothing(const wire::RequestHeader&) { return {}; }

struct Call {
    i64 argument = 0;
    i64 result = -1;
    UdpCall raw() { return {kFunction, &argument, sizeof argument, &result, sizeof result}; }
};

TEST(UdpClient, SendsTheGoldenFrameInAWholeSlot) {
    RawServer server;
    UdpClient client("127.0.0.1", server.port(), kSlot);
    const i32 arguments[2] = {2, 40};
    UdpClient::Ticket ticket{};
    const UdpOutcome sent = client.submit({kFunction, arguments, sizeof arguments, nullptr, 0}, in(kSecond), &ticket);
    EXPECT_EQ(sent.status, CallStatus::Ok);
    Bytes expected{0x52, 0x51, 0x55, 0x43, 0x1e, 0x90, 0x6c, 0x5a, 0x08, 0, 0, 0, 0x01, 0, 0, 0,
                   0,    0,    0,    0,    0,    0,    0,    0,    0x02, 0, 0, 0, 0x28, 0, 0, 0};
    expected.resize(kSlot);
    EXPECT_EQ(server.receive(), expected);
}

TEST(UdpClient, ReturnsWhatTheServiceAnswers) {
    Script script({say(42), say(-7)});
    UdpClient client("localhost", script.port(), kSlot);
    for (const i64 expected : {42, -7}) {
        Call call;
        const UdpOutcome outcome = client.call(call.raw(), in(kPatience));
        EXPECT_EQ(outcome.status, CallStatus::Ok);
        EXPECT_EQ(outcome.result_bytes, 8u);
        EXPECT_EQ(call.result, expected);
    }
    EXPECT_EQ(client.traffic().answered, 2u);
}

TEST(UdpClient, AnswersInAnyOrderFindTheirCalls) {
    RawServer server;
    UdpClient client("127.0.0.1", server.port(), kSlot, 8);
    Call calls[8];
    UdpClient::Ticket tickets[8];
    std::vector<wire::RequestHeader> requests;
    for (int k = 0; k < 8; ++k) {
        ASSERT_EQ(client.submit(calls[k].raw(), in(kSecond), &tickets[k]).status, CallStatus::Ok);
        requests.push_back(header_of(server.receive()));
    }
    std::shuffle(requests.begin(), requests.end(), std::mt19937(1));
    for (const wire::RequestHeader& request : requests) server.send(answer(request, request.request_id * 10));
    for (int k = 0; k < 8; ++k) {
        const UdpOutcome outcome = client.collect(tickets[k], calls[k].raw(), in(kPatience));
        EXPECT_EQ(outcome.status, CallStatus::Ok);
        EXPECT_EQ(calls[k].result, tickets[k].request_id * 10);
        EXPECT_EQ(client.collect(tickets[k], calls[k].raw(), in(0)).status, CallStatus::Cancelled);
    }
}

TEST(UdpClient, LateDoubledAndForeignAnswersAreDropped) {
    wire::RequestHeader first{};
    Script script({[&](const wire::RequestHeader& request) {
                       first = request;
                       return Datagrams{};
                   },
                   [&](const wire::RequestHeader& request) {
                       wire::RequestHeader foreign = request;
                       foreign.request_id = 999;
                       wire::RequestHeader stamped = request;
                       stamped.ptp_timestamp = 5;
                       return Datagrams{answer(first, 1), answer(foreign, 2), answer(stamped, 3), answer(request, 4),
                                        answer(request, 5)};
                   },
                   say(6)});
    UdpClient client("127.0.0.1", script.port(), kSlot);
    Call call;
    EXPECT_EQ(client.call(call.raw(), in(kSecond / 20)).status, CallStatus::Timeout);
    for (const i64 expected : {4, 6}) {
        EXPECT_EQ(client.call(call.raw(), in(kPatience)).status, CallStatus::Ok);
        EXPECT_EQ(call.result, expected);
    }
    EXPECT_EQ(client.traffic().stale, 4u);
    EXPECT_EQ(client.traffic().sent, 3u);
}

TEST(UdpClient, MalformedAnswersFailTheirCallAndNoOther) {
    const std::vector<std::function<void(Bytes&)>> spoil{
        [](Bytes& bytes) { bytes[0] = 0; },
        [](Bytes& bytes) { bytes[0] = 0x52; },  // the magic of a request
        [](Bytes& bytes) { bytes.resize(31); },
        [](Bytes& bytes) { bytes[11] = 0xff; },
        [](Bytes& bytes) { bytes.resize(kSlot + 1); },
        [](Bytes& bytes) { bytes.resize(60'000); },
    };
    for (const auto& change : spoil) {
        Script script({[&](const wire::RequestHeader& request) {
                           Bytes bytes = answer(request, 1);
                           change(bytes);
                           return Datagrams{Bytes{}, Bytes(23), bytes};  // the first two name no call
                       },
                       say(2)});
        UdpClient client("127.0.0.1", script.port(), kSlot);
        Call call;
        EXPECT_EQ(client.call(call.raw(), in(kPatience)).status, CallStatus::ProtocolError);
        EXPECT_EQ(call.result, -1);
        EXPECT_EQ(client.call(call.raw(), in(kPatience)).status, CallStatus::Ok);
        EXPECT_EQ(client.traffic().malformed, 3u);
    }
}

TEST(UdpClient, StatusesAndLargeResultsAreReported) {
    Script script({[](const wire::RequestHeader& request) {
                       return Datagrams{answer(request, 1, wire::Status::UnknownFunction)};
                   },
                   say(5)});
    UdpClient client("127.0.0.1", script.port(), kSlot);
    Call call;
    const UdpOutcome refused = client.call(call.raw(), in(kPatience));
    EXPECT_EQ(refused.status, CallStatus::Refused);
    EXPECT_EQ(refused.remote_status, -1);
    UdpCall small = call.raw();
    small.result_capacity = 7;
    const UdpOutcome large = client.call(small, in(kPatience));
    EXPECT_EQ(large.status, CallStatus::Ok);
    EXPECT_EQ(large.result_bytes, 8u);
    EXPECT_EQ(call.result, -1) << "a result that does not fit must not be copied";
}

TEST(UdpClient, WhatIsLateMayBeAskedForAgainUnlessItWasAbandoned) {
    RawServer server;
    UdpClient client("127.0.0.1", server.port(), kSlot, 1);
    Call call;
    UdpClient::Ticket ticket{};
    ASSERT_EQ(client.submit(call.raw(), in(kSecond), &ticket).status, CallStatus::Ok);
    EXPECT_EQ(client.collect(ticket, call.raw(), in(kSecond / 100)).status, CallStatus::Timeout);
    UdpClient::Ticket second{};
    EXPECT_EQ(client.submit(call.raw(), in(kSecond / 100), &second).status, CallStatus::Full);
    server.send((server.receive(), answer({0, 0, 0, ticket.request_id, 0}, 9)));
    EXPECT_EQ(client.collect(ticket, call.raw(), in(kPatience)).status, CallStatus::Ok);
    EXPECT_EQ(call.result, 9);

    ASSERT_EQ(client.submit(call.raw(), in(kSecond), &ticket).status, CallStatus::Ok);
    client.abandon(ticket);
    EXPECT_EQ(client.collect(ticket, call.raw(), in(kSecond)).status, CallStatus::Cancelled);
    EXPECT_EQ(client.submit(call.raw(), in(kSecond), &second).status, CallStatus::Ok) << "it takes no place any more";
}

TEST(UdpClient, NobodyListens) {
    RawServer elsewhere;
    elsewhere.hear_only(1);
    UdpClient client("127.0.0.1", elsewhere.port(), kSlot);
    Call call;
    EXPECT_EQ(client.call(call.raw(), in(kPatience)).status, CallStatus::PeerLost);
}

TEST(UdpClient, CloseWakesWhoWaits) {
    Script script({nothing});
    UdpClient client("127.0.0.1", script.port(), kSlot);
    Call call;
    UdpOutcome outcome;
    std::thread waiting([&] { outcome = client.call(call.raw(), in(100 * kSecond)); });
    while (client.traffic().sent == 0) platform::sleep_ns(1'000'000);
    client.close();
    client.close();
    waiting.join();
    EXPECT_EQ(outcome.status, CallStatus::Closed);
    EXPECT_EQ(client.call(call.raw(), in(kSecond)).status, CallStatus::Closed);
}

/// Answers every request with its id, at times several together in any order.
void answer_shuffled(RawServer& server, int requests) {
    std::mt19937 random(2);
    Datagrams held;
    while (requests > 0) {
        const Bytes request = server.receive(2);  // a silence ends the holding back
        if (!request.empty()) {
            held.push_back(answer(header_of(request), header_of(request).request_id));
            --requests;
            if (random() % 2 != 0) continue;
        }
        std::shuffle(held.begin(), held.end(), random);
        for (const Bytes& datagram : std::exchange(held, {})) server.send(datagram);
    }
    for (const Bytes& datagram : held) server.send(datagram);
}

TEST(UdpClient, ThreadsShareIt) {
    constexpr int kThreads = 4;
    constexpr int kCalls = 300;
    RawServer server;
    std::thread serving([&server] { answer_shuffled(server, kThreads * kCalls); });
    UdpClient client("127.0.0.1", server.port(), kSlot, kThreads);
    std::vector<std::thread> threads;
    std::vector<int> wrong(kThreads);
    for (int& count : wrong)
        threads.emplace_back([&client, &count] {
            for (int k = 0; k < kCalls; ++k) {
                Call call;
                const UdpOutcome outcome = client.call(call.raw(), in(kPatience));
                count += outcome.status != CallStatus::Ok || call.result != outcome.request_id;
            }
        });
    for (std::thread& thread : threads) thread.join();
    serving.join();
    EXPECT_EQ(std::accumulate(wrong.begin(), wrong.end(), 0), 0);
    EXPECT_EQ(client.traffic().answered, static_cast<u64>(kThreads * kCalls));
}

TEST(UdpClient, RefusesWhatNoDatagramHas) {
    EXPECT_THROW(UdpClient("127.0.0.1", 1, 23), std::invalid_argument);
    EXPECT_THROW(UdpClient("127.0.0.1", 1, 65508), std::invalid_argument);
    EXPECT_THROW(UdpClient("no such host.invalid", 1), std::invalid_argument);
    UdpClient client("127.0.0.1", 1, kSlot);
    const Bytes arguments(kSlot - 23);
    UdpClient::Ticket ticket{};
    EXPECT_THROW(client.submit({kFunction, arguments.data(), arguments.size(), nullptr, 0}, in(0), &ticket),
                 std::invalid_argument);
}

}  // namespace
}  // namespace photonlink::transport
