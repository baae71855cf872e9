// The UDP link against a service that is written here from the description of the wire.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "calling.hpp"

namespace photonlink::device_call::test {
namespace {

constexpr u32 kDevice = 6;
constexpr u32 kSlotBytes = 128;
constexpr u64 kSecond = 1'000'000'000;

using Datagram = std::vector<u8>;

/// Answers each datagram with those that `script` makes of it.
class Service {
  public:
    explicit Service(std::function<std::vector<Datagram>(const Datagram&)> script) {
        socket_ = ::socket(AF_INET, SOCK_DGRAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        socklen_t length = sizeof address;
        EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        port = ntohs(address.sin_port);
        const timeval patience{0, 20'000};
        EXPECT_EQ(::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
        thread_ = std::thread([this, script = std::move(script)] { run(script); });
    }
    ~Service() {
        done_ = true;
        thread_.join();
        ::close(socket_);
    }

    /// For the system nobody listens here to any other port; and the port is taken, so that nobody will.
    void hear_only(u16 other) const {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(other);
        EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }

    u16 port = 0;

  private:
    void run(const std::function<std::vector<Datagram>(const Datagram&)>& script) {
        while (!done_) {
            Datagram received(2048);
            sockaddr_in from{};
            socklen_t length = sizeof from;
            const auto bytes =
                ::recvfrom(socket_, received.data(), received.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
            if (bytes < 0) continue;
            received.resize(static_cast<std::size_t>(bytes));
            for (const Datagram& answer : script(received))
                ::sendto(socket_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
        }
    }

    int socket_ = -1;
    std::atomic<bool> done_{false};
    std::thread thread_;
};

/// The response to `request`, with its payload sent back and `id_offset` added to its id, in a whole slot.
Datagram response(const Datagram& request, i32 status = 0, u32 id_offset = 0) {
    wire::RequestHeader header;
    EXPECT_EQ(wire::parse_request(request.data(), request.size(), &header), wire::ParseError::None);
    Datagram answer = request;
    header.request_id += id_offset;
    wire::write_response(answer.data(), header, static_cast<wire::Status>(status), status == 0 ? header.arg_len : 0);
    return answer;
}

class OpenDevice {
  public:
    explicit OpenDevice(u16 port, u64 timeout_ns = 20 * kSecond) {
        EXPECT_EQ(photonlink_device_open_udp(kDevice, "127.0.0.1", port, kSlotBytes, timeout_ns), 0);
    }
    ~OpenDevice() { photonlink_device_close(kDevice); }
};

TEST(UdpLink, SendsWholeSlotsAndTakesTheAnswer) {
    std::atomic<u64> size{0};
    const Service service([&size](const Datagram& request) {
        size = request.size();
        return std::vector<Datagram>{response(request)};
    });
    const OpenDevice device(service.port);
    EXPECT_EQ(call(kDevice, "rpc", integer(99), 8).value<i64>(), 99);
    EXPECT_EQ(size, kSlotBytes);
}

TEST(UdpLink, PassesOverWhatAnswersSomethingElse) {
    const Service service([](const Datagram& request) {
        Datagram alien = response(request, 0, 1000);
        alien[0] ^= 1;
        return std::vector<Datagram>{alien, Datagram(3), response(request, 5, 1000), response(request)};
    });
    const OpenDevice device(service.port);
    for (i64 value = 0; value < 20; ++value) EXPECT_EQ(call(kDevice, "rpc", integer(value), 8).value<i64>(), value);
}

TEST(UdpLink, AnAnswerWithAnotherMagicIsAnError) {
    const Service service([](const Datagram& request) {
        Datagram broken = response(request);
        broken[0] ^= 1;
        return std::vector<Datagram>{broken};
    });
    const OpenDevice device(service.port);
    EXPECT_EQ(call(kDevice, "rpc", integer(1), 8).status, PHOTONLINK_DEVICE_REMOTE_ERROR);
    EXPECT_NE(std::strstr(last_error().cause, "breaks the wire format"), nullptr);
}

TEST(UdpLink, ReportsTheStatusOfTheService) {
    const Service service([](const Datagram& request) { return std::vector<Datagram>{response(request, 5)}; });
    const OpenDevice device(service.port);
    EXPECT_EQ(call(kDevice, "rpc", integer(1), 8).status, PHOTONLINK_DEVICE_REMOTE_ERROR);
    EXPECT_EQ(last_error().remote_status, 5);
}

TEST(UdpLink, GivesUpInTimeAndTakesNoLateAnswer) {
    Datagram kept;
    const Service service([&kept](const Datagram& request) -> std::vector<Datagram> {
        if (kept.empty()) {
            kept = response(request);
            return {};
        }
        return {kept, response(request)};
    });
    const OpenDevice device(service.port, 2 * kSecond);
    EXPECT_EQ(call(kDevice, "rpc", integer(1), 8).status, PHOTONLINK_DEVICE_TIMEOUT);
    EXPECT_EQ(call(kDevice, "rpc", integer(2), 8).value<i64>(), 2);
}

TEST(UdpLink, NoticesThatNobodyListens) {
    const Service elsewhere([](const Datagram&) { return std::vector<Datagram>{}; });
    elsewhere.hear_only(1);
    const OpenDevice device(elsewhere.port);
    EXPECT_EQ(call(kDevice, "rpc", integer(1), 8).status, PHOTONLINK_DEVICE_NOT_INITIALIZED);
    EXPECT_NE(std::strstr(last_error().cause, "nothing listens"), nullptr);
}

TEST(UdpLink, RefusesWhatNoSlotHolds) {
    const Service service([](const Datagram& request) { return std::vector<Datagram>{response(request)}; });
    const OpenDevice device(service.port);
    EXPECT_EQ(call(kDevice, "rpc", std::vector<u8>(kSlotBytes - 24), 0).status, 0) << "a full slot";
    EXPECT_EQ(call(kDevice, "rpc", std::vector<u8>(kSlotBytes - 23), 0).status, PHOTONLINK_DEVICE_INVALID_ARGUMENT);
}

TEST(UdpLink, ThreadsShareALink) {
    const Service service([](const Datagram& request) { return std::vector<Datagram>{response(request)}; });
    const OpenDevice device(service.port);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (i64 thread = 0; thread < 4; ++thread)
        threads.emplace_back([thread, &wrong] {
            for (i64 i = 0; i < 100; ++i)
                if (call(kDevice, "rpc", integer(thread * 100 + i), 8).value<i64>() != thread * 100 + i) ++wrong;
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST(UdpLink, BadArgumentsOpenNothing) {
    EXPECT_EQ(photonlink_device_open_udp(kDevice, "127.0.0.1", 1, 23, kSecond), PHOTONLINK_DEVICE_INVALID_ARGUMENT);
    EXPECT_EQ(photonlink_device_open_udp(kDevice, "127.0.0.1", 1, 70000, kSecond), PHOTONLINK_DEVICE_INVALID_ARGUMENT);
    EXPECT_EQ(photonlink_device_open_udp(kDevice, nullptr, 1, 256, kSecond), PHOTONLINK_DEVICE_INVALID_ARGUMENT);
    EXPECT_EQ(photonlink_device_is_open(kDevice), 0);
}

}  // namespace
}  // namespace photonlink::device_call::test
