// The watchdog's verdicts: silence, death, and no false alarm.
#include "photonlink/link/watchdog.hpp"

#include <gtest/gtest.h>

#include "link_testing.hpp"

namespace photonlink::link {
namespace {

using namespace testing;

constexpr Geometry kGeometry{4, 64, 0};
constexpr u64 kStallNs = 30'000'000;

Ticket submit(ClientHandle client) {
    Ticket ticket{};
    EXPECT_EQ(client.try_claim(&ticket), LinkStatus::Ok);
    client.submit(ticket);
    return ticket;
}

TEST(Watchdog, SilentServerIsLostWithoutAnyDeadlinePassing) {
    InProcessPort port(kGeometry);
    Watchdog watchdog(port.client(), kStallNs);
    const Ticket ticket = submit(port.client());
    EXPECT_EQ(watchdog.wait(ticket, patience(), kCrowded), LinkStatus::PeerLost);
    EXPECT_FALSE(watchdog.check());
    EXPECT_EQ(port.client().poll(ticket), LinkStatus::PeerLost) << "other waiters see the verdict";
    Ticket more{};
    EXPECT_EQ(port.client().try_claim(&more), LinkStatus::PeerLost);
}

TEST(Watchdog, BeatingServerIsNotLostHoweverLongItTakes) {
    InProcessPort port(kGeometry);
    // Generous against a machine that stops this test's threads for a while.
    Watchdog watchdog(port.client(), 5'000'000'000);
    const Ticket ticket = submit(port.client());
    std::thread server([&] {
        ServerHandle handle = port.server();
        Arrival arrival{};
        while (handle.poll(&arrival, 1) == 0) std::this_thread::yield();
        for (int i = 0; i < 100; ++i) {  // a long acquisition
            handle.beat();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        handle.publish(arrival.slot, arrival.generation);
    });
    EXPECT_EQ(watchdog.wait(ticket, patience(), kCrowded), LinkStatus::Ok);
    EXPECT_TRUE(watchdog.check());
    server.join();
}

TEST(Watchdog, EveryBeatStartsTheSilenceAnew) {
    InProcessPort port(kGeometry);
    Watchdog watchdog(port.client(), kStallNs);
    ServerHandle server = port.server();
    const u64 end = platform::clock_ns() + 4 * kStallNs;
    while (platform::clock_ns() < end) {
        server.beat();
        ASSERT_TRUE(watchdog.check());
        std::this_thread::yield();
    }
}

TEST(Watchdog, TimeInWhichNobodyLookedIsNotSilence) {
    InProcessPort port(kGeometry);
    Watchdog watchdog(port.client(), kStallNs);
    std::this_thread::sleep_for(std::chrono::nanoseconds(3 * kStallNs));
    EXPECT_TRUE(watchdog.check()) << "both sides may have been stopped together";
}

TEST(Watchdog, DeadPeerIsLostAtTheNextLook) {
    InProcessPort port(kGeometry);
    std::atomic<bool> alive{true};
    Watchdog watchdog(port.client(), kPatienceNs, [&] { return alive.load(); });
    EXPECT_TRUE(watchdog.check());
    const Ticket ticket = submit(port.client());
    std::thread killer([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        alive = false;
    });
    EXPECT_EQ(watchdog.wait(ticket, patience(), kCrowded), LinkStatus::PeerLost);
    killer.join();
}

TEST(Watchdog, AnswersDeadlinesAndClosesPassThrough) {
    InProcessPort port(kGeometry);
    Watchdog watchdog(port.client(), kPatienceNs);
    const Ticket answered = submit(port.client());
    const Ticket pending = submit(port.client());
    ServerHandle server = port.server();
    server.publish(answered.slot, answered.generation);
    EXPECT_EQ(watchdog.wait(answered, 0, kCrowded), LinkStatus::Ok);
    const u64 deadline = platform::clock_ns() + 30'000'000;  // several looks long
    EXPECT_EQ(watchdog.wait(pending, deadline, kCrowded), LinkStatus::Timeout);
    EXPECT_GE(platform::clock_ns(), deadline);
    server.close(3);
    EXPECT_EQ(watchdog.wait(pending, patience(), kCrowded), LinkStatus::Closed);
}

TEST(Watchdog, ManyWaitersShareOne) {
    InProcessPort port(kGeometry);
    Watchdog watchdog(port.client(), kStallNs);
    std::vector<std::thread> waiters;
    std::atomic<u32> lost{0};
    for (u32 i = 0; i < kGeometry.slots; ++i)
        waiters.emplace_back([&] {
            // A late thread may find the verdict already there.
            Ticket ticket{};
            ClientHandle client = port.client();
            const LinkStatus claimed = client.try_claim(&ticket);
            if (claimed == LinkStatus::Ok) client.submit(ticket);
            const LinkStatus status = claimed == LinkStatus::Ok ? watchdog.wait(ticket, patience(), kCrowded) : claimed;
            if (status == LinkStatus::PeerLost) ++lost;
        });
    for (std::thread& waiter : waiters) waiter.join();
    EXPECT_EQ(lost, kGeometry.slots);
}

}  // namespace
}  // namespace photonlink::link
