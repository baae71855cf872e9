#include "photonlink/transport/udp_bench.hpp"

#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <thread>

#include "photonlink/link/bench.hpp"
#include "photonlink/link/memory.hpp"
#include "photonlink/wire/datagram.hpp"
#include "udp_socket.hpp"

namespace photonlink::transport {

namespace {

constexpr u64 kLostNs = 5'000'000'000;
constexpr u64 kLongestSleepNs = 20'000'000;  // out of which a datagram wakes

constexpr std::size_t kIdOffset = offsetof(wire::RequestHeader, request_id);
static_assert(kIdOffset == offsetof(wire::ResponseHeader, request_id), "an echo and an answer have it alike");

u32 id_in(const std::vector<u8>& frame) {
    u32 id;
    platform::copy_bytes(&id, frame.data() + kIdOffset, sizeof id);
    return id;
}

/// Waits for the answer to `id`, and passes over what answers an earlier round. Returns its bytes.
std::size_t await_answer(int socket, u32 id, std::vector<u8>& answer, u64 deadline_ns) {
    UdpIdle idle;
    for (;;) {
        const ssize_t bytes = ::recv(socket, answer.data(), answer.size(), MSG_DONTWAIT);
        if (bytes >= static_cast<ssize_t>(wire::kHeaderBytes) && id_in(answer) == id)
            return static_cast<std::size_t>(bytes);
        if (platform::clock_ns() >= deadline_ns)
            throw link::LinkError(link::LinkStatus::Timeout,
                                  "a datagram was not answered: it was lost, or nobody listens");
        idle.wait(socket, -1, kLongestSleepNs);
    }
}

}  // namespace

class UdpEcho::Impl {
  public:
    explicit Impl(u32 datagram_bytes)
        : socket_(bind_udp(udp_address("127.0.0.1", 0))), buffer_(datagram_bytes), thread_(&Impl::run, this) {}
    ~Impl() {
        stopping_.store(true, std::memory_order_relaxed);  // joined below: the join orders everything
        thread_.join();
    }

    u16 port() const { return ntohs(local_address(socket_.get()).sin_port); }

  private:
    void run() {
        UdpIdle idle;
        while (!stopping_.load(std::memory_order_relaxed)) {
            sockaddr_in from;
            socklen_t length = sizeof from;
            auto* generic = reinterpret_cast<sockaddr*>(&from);
            const ssize_t bytes =
                ::recvfrom(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT, generic, &length);
            if (bytes < 0) {
                idle.wait(socket_.get(), -1, kLongestSleepNs);
                continue;
            }
            ::sendto(socket_.get(), buffer_.data(), static_cast<std::size_t>(bytes), MSG_DONTWAIT, generic, length);
            idle.worked();
        }
    }

    const link::UniqueFd socket_;
    std::vector<u8> buffer_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;  // last: starts when everything above is there
};

UdpEcho::UdpEcho(u32 datagram_bytes) : impl_(std::make_unique<Impl>(datagram_bytes)) {}
UdpEcho::~UdpEcho() = default;
u16 UdpEcho::port() const { return impl_->port(); }

UdpPingPong udp_ping_pong(const std::string& host, u16 port, std::vector<u8> request, u64 rounds) {
    if (request.size() < wire::kHeaderBytes)
        throw std::invalid_argument("a request of " + std::to_string(request.size()) + " bytes: a frame has at least " +
                                    std::to_string(wire::kHeaderBytes));
    const link::UniqueFd socket = connect_udp(udp_address(host, port));
    std::vector<u8> answer(wire::kMaxDatagramBytes);
    std::size_t answer_bytes = 0;
    link::LatencyRecorder recorder(rounds);
    for (u64 round = 1; round <= rounds; ++round) {
        const u32 id = static_cast<u32>(round);
        platform::copy_bytes(request.data() + kIdOffset, &id, sizeof id);
        const u64 begun_ns = platform::clock_ns();
        ::send(socket.get(), request.data(), request.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        answer_bytes = await_answer(socket.get(), id, answer, begun_ns + kLostNs);
        recorder.record(platform::clock_ns() - begun_ns);
    }
    answer.resize(answer_bytes);
    return {recorder.samples(), std::move(answer)};
}

}  // namespace photonlink::transport
