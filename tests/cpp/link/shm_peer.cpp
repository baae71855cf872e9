// A process at the other end of the shared-memory transport, for tests that need one they can kill.
//
//   link_shm_peer serve <address> <calls>    answers that many calls, then dies without a word; 0 = answers none, lives
//   on link_shm_peer hang <address>             accepts a client, then stands still without dying link_shm_peer call
//   <address> <calls>     makes that many calls, then dies with one unanswered link_shm_peer leave <address> connects
//   and dies at once
// Prints READY once it can be talked to (serve, hang) or has done its work (call, leave).
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "photonlink/transport/shm.hpp"

namespace {

using namespace photonlink;
using namespace photonlink::link;

constexpr u64 kSecond = 1'000'000'000;
constexpr Geometry kGeometry{8, 248, 4096};
constexpr u64 kKey = 0x0123456789abcdefULL;

void ready() {
    std::puts("READY");
    std::fflush(stdout);
}

void die() { ::_exit(0); }

/// Answers with every byte of the frame inverted, in the frame and in the result area.
void answer(ServerHandle& server, const Arrival& arrival) {
    u8 bytes[kGeometry.slot_bytes];
    std::memcpy(bytes, server.request_frame(arrival.slot), sizeof bytes);
    for (u8& byte : bytes) byte = static_cast<u8>(~byte);
    u64 capacity = 0;
    std::memcpy(server.result_area(arrival.slot, &capacity), bytes, sizeof bytes);
    std::memcpy(server.response_frame(arrival.slot), bytes, sizeof bytes);
    server.publish(arrival.slot, arrival.generation);
}

int serve(const std::string& address, u64 calls) {
    transport::ShmServer listener(address);
    ready();
    const auto port = listener.accept(30 * kSecond, kGeometry, kKey);
    if (!port) return 3;
    ServerHandle server = port->server();
    BackoffState idle(Backoff{});
    for (u64 answered = 0; port->peer_alive();) {
        Arrival arrival{};
        server.beat();
        if (calls == 0 || server.poll(&arrival, 1) == 0) {
            idle.step();
            continue;
        }
        if (answered++ == calls) die();
        answer(server, arrival);
        idle.reset();
    }
    return 0;
}

int hang(const std::string& address) {
    transport::ShmServer listener(address);
    ready();
    const auto port = listener.accept(30 * kSecond, kGeometry, kKey);
    if (!port) return 3;
    port->server().beat();
    ::sleep(60);
    return 0;
}

int call(const std::string& address, u64 calls) {
    const auto connection = transport::ShmClient::connect(address, 30 * kSecond, 30 * kSecond);
    ClientHandle client = connection->client();
    for (u64 made = 0; made <= calls; ++made) {
        Ticket ticket{};
        if (client.try_claim(&ticket) != LinkStatus::Ok) return 4;
        std::memset(client.request_frame(ticket), static_cast<int>(made), 64);
        client.submit(ticket);
        if (made == calls) break;
        const u64 deadline = platform::clock_ns() + 30 * kSecond;
        if (connection->watchdog().wait(ticket, deadline, Backoff{}) != LinkStatus::Ok) return 5;
        client.release(ticket);
    }
    ready();
    die();
    return 0;
}

int leave(const std::string& address) {
    const auto connection = transport::ShmClient::connect(address, 30 * kSecond, 30 * kSecond);
    ready();
    die();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const std::string role = argv[1];
    const std::string address = argv[2];
    const u64 calls = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
    try {
        if (role == "serve") return serve(address, calls);
        if (role == "hang") return hang(address);
        if (role == "call") return call(address, calls);
        if (role == "leave") return leave(address);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 6;
    }
    return 2;
}
