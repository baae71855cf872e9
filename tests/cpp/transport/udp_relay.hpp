// A network between one client and a gateway that loses, doubles, delays, cuts and corrupts datagrams, in both
// directions, as a fixed seed has it.
#pragma once

#include <mutex>
#include <random>

#include "udp_testing.hpp"

namespace photonlink::transport::test {

/// Shares of all datagrams.
struct Faults {
    double lost = 0;
    double doubled = 0;
    double delayed = 0;  // overtaken by what comes in the next milliseconds
    double cut = 0;      // to a random length
    double corrupt = 0;  // in one byte
};

class Relay {
  public:
    Relay(u16 gateway, const Faults& faults, u64 seed)
        : faults_(faults),
          random_(seed),
          front_(open_socket()),
          back_(open_socket()),
          gateway_(at_loopback(gateway)),
          thread_([this] { run(); }) {}
    ~Relay() {
        stopping_ = true;
        thread_.join();
        ::close(front_);
        ::close(back_);
    }
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    /// Where the client goes instead of the gateway.
    u16 port() const {
        sockaddr_in address{};
        socklen_t length = sizeof address;
        EXPECT_EQ(::getsockname(front_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        return ntohs(address.sin_port);
    }
    /// Nothing comes through from now on.
    void cut_off() { cut_off_ = true; }
    u64 disturbed() const { return disturbed_; }
    /// What the client sent so far.
    std::vector<std::vector<u8>> recorded() const {
        const std::lock_guard<std::mutex> lock(record_mutex_);
        return recorded_;
    }
    /// From the address that the client has for the gateway.
    void send_to_gateway(const std::vector<u8>& bytes) { send(bytes, true); }

  private:
    struct Late {
        u64 due_ns;
        bool to_gateway;
        std::vector<u8> bytes;
    };

    static int open_socket() {
        const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const sockaddr_in address = at_loopback(0);
        EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return fd;
    }

    void run() {
        while (!stopping_) {
            pollfd entries[] = {{front_, POLLIN, 0}, {back_, POLLIN, 0}};
            ::poll(entries, 2, 1);
            forward(front_, true);
            forward(back_, false);
            send_late();
        }
    }

    void forward(int from, bool to_gateway) {
        for (;;) {
            std::vector<u8> bytes(65536);
            sockaddr_in source{};
            socklen_t length = sizeof source;
            const ssize_t count =
                ::recvfrom(from, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&source), &length);
            if (count < 0) return;
            bytes.resize(static_cast<std::size_t>(count));
            if (to_gateway) {
                client_ = source;
                note(bytes);
            }
            if (!cut_off_) disturb(std::move(bytes), to_gateway);
        }
    }

    void note(const std::vector<u8>& bytes) {
        const std::lock_guard<std::mutex> lock(record_mutex_);
        recorded_.push_back(bytes);
    }

    void disturb(std::vector<u8> bytes, bool to_gateway) {
        const double draw = std::uniform_real_distribution<double>(0, 1)(random_);
        const double lost = faults_.lost;
        const double doubled = lost + faults_.doubled;
        const double delayed = doubled + faults_.delayed;
        const double cut = delayed + faults_.cut;
        const double corrupt = cut + faults_.corrupt;
        if (draw < corrupt) ++disturbed_;
        if (draw < lost) return;
        if (draw >= doubled && draw < delayed) {
            late_.push_back({platform::clock_ns() + 1'000'000 * (1 + random_() % 20), to_gateway, std::move(bytes)});
            return;
        }
        if (draw >= delayed && draw < cut) bytes.resize(1 + random_() % bytes.size());
        if (draw >= cut && draw < corrupt) bytes[random_() % bytes.size()] ^= static_cast<u8>(1 + random_() % 255);
        send(bytes, to_gateway);
        if (draw >= lost && draw < doubled) send(bytes, to_gateway);
    }

    void send_late() {
        const u64 now = platform::clock_ns();
        for (std::size_t i = 0; i < late_.size();) {
            if (late_[i].due_ns > now) {
                ++i;
                continue;
            }
            send(late_[i].bytes, late_[i].to_gateway);
            late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }

    void send(const std::vector<u8>& bytes, bool to_gateway) {
        const sockaddr_in& to = to_gateway ? gateway_ : client_;
        ::sendto(to_gateway ? back_ : front_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                 sizeof to);
    }

    const Faults faults_;
    std::mt19937_64 random_;
    const int front_;
    const int back_;
    const sockaddr_in gateway_;
    sockaddr_in client_{};
    std::vector<Late> late_;
    mutable std::mutex record_mutex_;
    std::vector<std::vector<u8>> recorded_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> cut_off_{false};
    std::atomic<u64> disturbed_{0};
    std::thread thread_;
};

}  // namespace photonlink::transport::test
