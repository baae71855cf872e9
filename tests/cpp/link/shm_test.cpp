// The shared-memory transport between processes: calls, deaths on either side, nothing left behind.
#include "photonlink/transport/shm.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "shm_testing.hpp"

namespace photonlink::transport {
namespace {

using namespace link;
using namespace link::testing;

constexpr Geometry kGeometry{8, 248, 0};
constexpr u64 kSecond = 1'000'000'000;
constexpr u64 kStall = 60 * kSecond;

Ticket submit(ClientHandle client, int fill) {
    Ticket ticket{};
    EXPECT_EQ(client.try_claim(&ticket), LinkStatus::Ok);
    std::memset(client.request_frame(ticket), fill, client.geometry().slot_bytes);
    client.submit(ticket);
    return ticket;
}

bool all_bytes_are(const void* data, u8 value, u64 bytes) {
    const auto* const begin = static_cast<const u8*>(data);
    return std::all_of(begin, begin + bytes, [value](u8 byte) { return byte == value; });
}

/// Polls until `condition` holds; false if it never does.
bool eventually(const std::function<bool()>& condition) {
    const u64 limit = patience();
    while (!condition()) {
        if (platform::clock_ns() > limit) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

class Shm : public ::testing::Test {
  protected:
    void SetUp() override { fds_before_ = open_fds(); }
    void TearDown() override { EXPECT_EQ(open_fds(), fds_before_) << "descriptors were left behind"; }

    std::string address_ = fresh_address();

  private:
    std::size_t fds_before_ = 0;
};

TEST_F(Shm, CallsAServerInAnotherProcess) {
    PeerProcess peer({"serve", address_, "100000"});
    ASSERT_TRUE(peer.ready());
    const auto connection = ShmClient::connect(address_, 30 * kSecond, kStall);
    EXPECT_EQ(connection->session_key(), 0x0123456789abcdefULL);
    EXPECT_EQ(connection->geometry().slots, 8u);
    EXPECT_EQ(connection->geometry().result_bytes, 4096u);
    ClientHandle client = connection->client();
    for (int call = 0; call < 3000; ++call) {
        const u8 fill = static_cast<u8>(call * 31);
        const Ticket ticket = submit(client, fill);
        ASSERT_EQ(connection->watchdog().wait(ticket, patience(), kCrowded), LinkStatus::Ok);
        ASSERT_TRUE(all_bytes_are(client.response_frame(ticket), static_cast<u8>(~fill), 248));
        ASSERT_TRUE(all_bytes_are(client.result_area(ticket), static_cast<u8>(~fill), 248));
        client.release(ticket);
    }
    EXPECT_TRUE(connection->peer_alive());
}

TEST_F(Shm, ServerThatDiesInTheMiddleIsNoticed) {
    PeerProcess peer({"serve", address_, "5"});
    ASSERT_TRUE(peer.ready());
    const auto connection = ShmClient::connect(address_, 30 * kSecond, kStall);
    ClientHandle client = connection->client();
    for (int call = 0; call < 5; ++call) {
        const Ticket ticket = submit(client, call);
        ASSERT_EQ(connection->watchdog().wait(ticket, patience(), kCrowded), LinkStatus::Ok);
        client.release(ticket);
    }
    const Ticket last = submit(client, 5);
    EXPECT_EQ(connection->watchdog().wait(last, patience(), kCrowded), LinkStatus::PeerLost);
    EXPECT_FALSE(connection->peer_alive());
    client.abandon(last);
    Ticket ticket{};
    EXPECT_EQ(client.try_claim(&ticket), LinkStatus::PeerLost);
}

TEST_F(Shm, KilledServerReleasesAllWaiters) {
    PeerProcess peer({"serve", address_, "0"});
    ASSERT_TRUE(peer.ready());
    const auto connection = ShmClient::connect(address_, 30 * kSecond, kStall);
    std::vector<Ticket> tickets;
    for (int i = 0; i < 4; ++i) tickets.push_back(submit(connection->client(), i));
    std::atomic<u32> lost{0};
    std::vector<std::thread> waiters;
    for (const Ticket& ticket : tickets)
        waiters.emplace_back([&connection, &lost, ticket] {
            if (connection->watchdog().wait(ticket, patience(), kCrowded) == LinkStatus::PeerLost) ++lost;
        });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(lost, 0u);
    peer.kill();
    for (std::thread& waiter : waiters) waiter.join();
    EXPECT_EQ(lost, 4u);
}

TEST_F(Shm, HungServerIsNoticedByItsHeartbeat) {
    PeerProcess peer({"hang", address_});
    ASSERT_TRUE(peer.ready());
    const auto connection = ShmClient::connect(address_, 30 * kSecond, kSecond / 5);
    const Ticket ticket = submit(connection->client(), 1);
    EXPECT_EQ(connection->watchdog().wait(ticket, patience(), kCrowded), LinkStatus::PeerLost);
    EXPECT_TRUE(connection->peer_alive()) << "its process lives; only its heart stands still";
}

TEST_F(Shm, ServerSeesItsClientDie) {
    ShmServer listener(address_);
    PeerProcess peer({"call", address_, "10"});
    const auto port = listener.accept(60 * kSecond, kGeometry, 1);
    ASSERT_NE(port, nullptr);
    EXPECT_EQ(port->peer_pid(), peer.pid());
    ServerHandle server = port->server();
    u32 served = 0;
    const u64 limit = patience();
    while (served < 10 && platform::clock_ns() < limit) {
        Arrival arrival{};
        server.beat();
        if (server.poll(&arrival, 1) == 1) {
            EXPECT_TRUE(all_bytes_are(server.request_frame(arrival.slot), static_cast<u8>(served++), 64));
            server.publish(arrival.slot, arrival.generation);
        }
        std::this_thread::yield();
    }
    ASSERT_EQ(served, 10u);
    EXPECT_TRUE(eventually([&] { return !port->peer_alive(); }));
    // Its last request lies there, and answering it harms nobody.
    Arrival arrival{};
    ASSERT_EQ(server.poll(&arrival, 1), 1u);
    server.publish(arrival.slot, arrival.generation);
    EXPECT_EQ(server.violations(), 0u);
}

TEST_F(Shm, AcceptIsBoundedAndOutlivesClientsThatLeave) {
    ShmServer listener(address_);
    const u64 begin = platform::clock_ns();
    EXPECT_EQ(listener.accept(20'000'000, kGeometry, 1), nullptr);
    EXPECT_GE(platform::clock_ns(), begin + 20'000'000);
    PeerProcess peer({"leave", address_});
    const auto first = listener.accept(60 * kSecond, kGeometry, 1);
    ASSERT_NE(first, nullptr);
    EXPECT_TRUE(eventually([&] { return !first->peer_alive(); }));
    PeerProcess next({"call", address_, "0"});
    EXPECT_NE(listener.accept(60 * kSecond, kGeometry, 1), nullptr);
}

TEST_F(Shm, ClosingOneEndIsSeenAtTheOther) {
    ShmServer listener(address_);
    std::unique_ptr<ShmClient> connection;
    std::thread connector([&] { connection = ShmClient::connect(address_, 60 * kSecond, kStall); });
    auto port = listener.accept(60 * kSecond, kGeometry, 77);
    connector.join();
    ASSERT_NE(port, nullptr);
    EXPECT_EQ(connection->session_key(), 77u);
    EXPECT_TRUE(connection->peer_alive());
    EXPECT_TRUE(port->peer_alive());
    const Ticket ticket = submit(connection->client(), 1);
    port->server().close(9);
    EXPECT_EQ(connection->watchdog().wait(ticket, patience(), kCrowded), LinkStatus::Closed);
    EXPECT_EQ(connection->client().server_close_reason(), 9u);
    port.reset();
    EXPECT_FALSE(connection->peer_alive());
}

// A forked child holds copies of descriptors; it must not keep a dead parent's connection alive, nor touch the memory.
TEST_F(Shm, ForkedChildNeitherHoldsNorOwnsTheConnection) {
    ShmServer listener(address_);
    std::unique_ptr<ShmClient> connection;
    std::thread connector([&] { connection = ShmClient::connect(address_, 60 * kSecond, kStall); });
    const auto port = listener.accept(60 * kSecond, kGeometry, 1);
    connector.join();
    int gate[2];
    ASSERT_EQ(::pipe2(gate, O_CLOEXEC), 0);
    const UniqueFd gate_out(gate[0]);
    UniqueFd gate_in(gate[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        gate_in = UniqueFd();
        const bool inherited = connection->inherited() && port->inherited();
        connection.reset();
        char byte = 0;
        const bool told = ::read(gate_out.get(), &byte, 1) == 0;
        ::_exit(inherited && told ? 0 : 1);
    }
    EXPECT_TRUE(port->peer_alive());
    connection.reset();
    EXPECT_TRUE(eventually([&] { return !port->peer_alive(); })) << "the child keeps the connection open";
    gate_in = UniqueFd();
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(Shm, AddressesInTheFileSystemAreRemovedAgain) {
    const std::string path = ::testing::TempDir() + "photonlink-" + std::to_string(::getpid()) + ".sock";
    {
        ShmServer listener(path);
        EXPECT_TRUE(std::filesystem::exists(path));
        EXPECT_THROW(ShmServer{path}, std::system_error) << "taken";
        std::unique_ptr<ShmClient> connection;
        std::thread connector([&] { connection = ShmClient::connect(path, 60 * kSecond, kStall); });
        EXPECT_NE(listener.accept(60 * kSecond, kGeometry, 1), nullptr);
        connector.join();
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(Shm, ManyConnectionsLeaveNothingBehind) {
    ShmServer listener(address_);
    for (int round = 0; round < 50; ++round) {
        std::unique_ptr<ShmClient> connection;
        std::thread connector([&] { connection = ShmClient::connect(address_, 60 * kSecond, kStall); });
        const auto port = listener.accept(60 * kSecond, kGeometry, 1);
        connector.join();
        ASSERT_TRUE(port && connection);
    }
}

}  // namespace
}  // namespace photonlink::transport
