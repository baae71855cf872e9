// Every transition of a slot, one step at a time on one thread.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "link_testing.hpp"

namespace photonlink::link {
namespace {

using testing::kCrowded;
using testing::patience;

constexpr Geometry kSmall{4, 64, 0};

class Slots : public ::testing::Test {
  protected:
    Ticket claim() {
        Ticket ticket{};
        EXPECT_EQ(client.try_claim(&ticket), LinkStatus::Ok);
        return ticket;
    }
    Ticket claim_and_submit() {
        const Ticket ticket = claim();
        client.submit(ticket);
        return ticket;
    }
    u32 serve() {
        std::array<Arrival, kSmall.slots> arrivals{};
        const u32 count = server.poll_all(arrivals.data());
        for (u32 i = 0; i < count; ++i) server.publish(arrivals[i].slot, arrivals[i].generation);
        return count;
    }
    /// Writes a commit word as a client would that knows no rules.
    void forge_commit(u32 slot, u64 word) {
        u8* const frame = static_cast<u8*>(client.request_frame(Ticket{slot, 0}));
        platform::store_release_system<site::kRequestCommitStore>(reinterpret_cast<u64*>(frame - kCommitBytes), word);
    }

    InProcessPort port{kSmall};
    ClientHandle client = port.client();
    ServerHandle server = port.server();
};

TEST_F(Slots, CallGoesRoundOnce) {
    const Ticket ticket = claim();
    EXPECT_EQ(ticket.generation, 1u);
    EXPECT_EQ(client.in_use(), 1u);
    std::memcpy(client.request_frame(ticket), "question", 8);
    Arrival arrival{};
    EXPECT_EQ(server.poll(&arrival, 1), 0u) << "arrived before it was submitted";
    client.submit(ticket);
    EXPECT_EQ(client.poll(ticket), LinkStatus::Pending);
    ASSERT_EQ(server.poll(&arrival, 1), 1u);
    EXPECT_EQ(arrival.slot, ticket.slot);
    EXPECT_EQ(arrival.generation, ticket.generation);
    EXPECT_EQ(std::memcmp(server.request_frame(arrival.slot), "question", 8), 0);
    EXPECT_EQ(server.poll(&arrival, 1), 0u) << "arrived twice";
    std::memcpy(server.response_frame(arrival.slot), "answered", 8);
    EXPECT_EQ(client.poll(ticket), LinkStatus::Pending);
    server.publish(arrival.slot, arrival.generation);
    EXPECT_EQ(client.poll(ticket), LinkStatus::Ok);
    EXPECT_EQ(client.wait(ticket, 0, kCrowded), LinkStatus::Ok) << "an answer wins over a passed deadline";
    EXPECT_EQ(std::memcmp(client.response_frame(ticket), "answered", 8), 0);
    client.release(ticket);
    EXPECT_EQ(client.in_use(), 0u);
    EXPECT_EQ(server.violations(), 0u);
}

TEST_F(Slots, GenerationsGrowWithEveryUse) {
    for (u64 round = 1; round <= 100; ++round) {
        std::array<Ticket, kSmall.slots> tickets{};
        for (Ticket& ticket : tickets) {
            ticket = claim_and_submit();
            EXPECT_EQ(ticket.generation, round);
        }
        EXPECT_EQ(serve(), kSmall.slots);
        for (const Ticket& ticket : tickets) {
            EXPECT_EQ(client.poll(ticket), LinkStatus::Ok);
            client.release(ticket);
        }
    }
    EXPECT_EQ(server.violations(), 0u);
}

TEST_F(Slots, FullRingSaysSoAndComesBackBySlot) {
    std::array<Ticket, kSmall.slots> tickets{};
    for (Ticket& ticket : tickets) ticket = claim_and_submit();
    Ticket more{};
    EXPECT_EQ(client.try_claim(&more), LinkStatus::Full);
    EXPECT_EQ(serve(), kSmall.slots);
    EXPECT_EQ(client.try_claim(&more), LinkStatus::Full) << "answered, but not released";
    client.release(tickets[2]);
    EXPECT_EQ(client.try_claim(&more), LinkStatus::Ok);
    EXPECT_EQ(more.slot, tickets[2].slot);
    EXPECT_EQ(more.generation, tickets[2].generation + 1);
}

TEST_F(Slots, AbandonedSlotIsClaimedOnlyAfterItsAnswer) {
    for (u32 i = 0; i < kSmall.slots; ++i) client.abandon(claim_and_submit());
    Ticket ticket{};
    EXPECT_EQ(client.try_claim(&ticket), LinkStatus::Full);
    EXPECT_EQ(client.reap(), 0u);
    EXPECT_EQ(client.in_use(), kSmall.slots);
    EXPECT_EQ(serve(), kSmall.slots);
    EXPECT_EQ(client.try_claim(&ticket), LinkStatus::Ok);
    EXPECT_EQ(ticket.generation, 2u);
    EXPECT_EQ(client.poll(ticket), LinkStatus::Pending) << "took the abandoned answer for its own";
    client.submit(ticket);
    EXPECT_EQ(serve(), 1u);
    EXPECT_EQ(client.poll(ticket), LinkStatus::Ok);
}

TEST_F(Slots, ReapFreesFinishedSlotsOnly) {
    const Ticket first = claim_and_submit();
    client.abandon(first);
    EXPECT_EQ(serve(), 1u);
    const Ticket second = claim_and_submit();
    client.abandon(second);
    EXPECT_FALSE(client.settled(second));
    EXPECT_TRUE(client.settled(first));
    EXPECT_EQ(client.reap(), 1u);
    EXPECT_EQ(client.in_use(), 1u);
    EXPECT_EQ(serve(), 1u);
    EXPECT_EQ(client.reap(), 1u);
    EXPECT_EQ(client.reap(), 0u);
    EXPECT_EQ(client.in_use(), 0u);
    for (u32 i = 0; i < 2 * kSmall.slots; ++i) {  // every slot still in step with the server
        const Ticket ticket = claim_and_submit();
        EXPECT_EQ(serve(), 1u);
        EXPECT_EQ(client.poll(ticket), LinkStatus::Ok);
        client.release(ticket);
    }
    EXPECT_TRUE(client.settled(first)) << "settled for good";
    EXPECT_EQ(server.violations(), 0u);
}

TEST_F(Slots, CancelGivesTheGenerationBack) {
    for (u32 i = 0; i < 3 * kSmall.slots; ++i) client.cancel(claim());
    EXPECT_EQ(client.in_use(), 0u);
    const Ticket ticket = claim_and_submit();
    EXPECT_EQ(ticket.generation, 1u);
    EXPECT_EQ(serve(), 1u);
    EXPECT_EQ(client.poll(ticket), LinkStatus::Ok);
    EXPECT_EQ(server.violations(), 0u);
}

TEST_F(Slots, WaitEndsAtItsDeadlineAndTheTicketLivesOn) {
    const Ticket ticket = claim_and_submit();
    const u64 begin = platform::clock_ns();
    EXPECT_EQ(client.wait(ticket, begin + 2'000'000, Backoff{}), LinkStatus::Timeout);
    EXPECT_GE(platform::clock_ns(), begin + 2'000'000);
    EXPECT_EQ(client.wait(ticket, 0, Backoff{0, 0, 0}), LinkStatus::Timeout);
    EXPECT_EQ(serve(), 1u);
    EXPECT_EQ(client.wait(ticket, patience(), Backoff{}), LinkStatus::Ok);
}

TEST_F(Slots, ServerCloseEndsWaitsButNotAnswers) {
    const Ticket answered = claim_and_submit();
    EXPECT_EQ(serve(), 1u);
    const Ticket pending = claim_and_submit();
    server.close(42);
    server.close(43);
    EXPECT_EQ(client.server_close_reason(), 42u);
    EXPECT_EQ(client.wait(pending, patience(), kCrowded), LinkStatus::Closed);
    EXPECT_EQ(client.wait(answered, patience(), kCrowded), LinkStatus::Ok);
    Ticket ticket{};
    EXPECT_EQ(client.try_claim(&ticket), LinkStatus::Closed);
    EXPECT_EQ(serve(), 1u) << "what was submitted can still be answered";
    EXPECT_EQ(client.poll(pending), LinkStatus::Ok);
}

TEST_F(Slots, ClientCloseIsSeenByBothSides) {
    const Ticket ticket = claim_and_submit();
    EXPECT_FALSE(server.client_closed());
    client.close();
    EXPECT_TRUE(server.client_closed());
    EXPECT_EQ(client.poll(ticket), LinkStatus::Closed);
    Ticket more{};
    EXPECT_EQ(client.try_claim(&more), LinkStatus::Closed);
    EXPECT_EQ(serve(), 1u) << "submitted before the close";
    EXPECT_EQ(client.poll(ticket), LinkStatus::Ok);
}

TEST_F(Slots, LostPeerEndsWaitsButNotAnswers) {
    const Ticket answered = claim_and_submit();
    EXPECT_EQ(serve(), 1u);
    const Ticket pending = claim_and_submit();
    client.mark_peer_lost();
    EXPECT_EQ(client.wait(pending, patience(), kCrowded), LinkStatus::PeerLost);
    EXPECT_EQ(client.poll(answered), LinkStatus::Ok);
    Ticket ticket{};
    EXPECT_EQ(client.try_claim(&ticket), LinkStatus::PeerLost);
}

TEST_F(Slots, StaleRepeatedAndSkippedCommitWordsAreCountedOnceAndIgnored) {
    for (int i = 0; i < 3; ++i) {  // slot 0 to 3, then 0 again: all slots at generation 1 or more
        for (u32 slot = 0; slot < kSmall.slots; ++slot) {
            const Ticket ticket = claim_and_submit();
            EXPECT_EQ(serve(), 1u);
            client.release(ticket);
        }
    }
    u64 refused = 0;
    for (const u64 word : {2ULL, 1ULL, 5ULL, 1000ULL, ~0ULL}) {  // last is 3, next would be 4
        forge_commit(1, word);
        EXPECT_EQ(serve(), 0u) << word;
        EXPECT_EQ(serve(), 0u) << word;
        EXPECT_EQ(server.violations(), ++refused) << word;
    }
    forge_commit(1, 3);  // a repeated word is simply the last one
    EXPECT_EQ(serve(), 0u);
    EXPECT_EQ(server.violations(), refused);
    forge_commit(1, 4);
    EXPECT_EQ(serve(), 1u) << "the slot still serves its rightful next request";
}

TEST_F(Slots, CommitBeforeTheLastAnswerIsRefusedForGood) {
    const Ticket ticket = claim_and_submit();
    std::array<Arrival, kSmall.slots> arrivals{};
    ASSERT_EQ(server.poll_all(arrivals.data()), 1u);
    forge_commit(ticket.slot, ticket.generation + 1);
    Arrival more{};
    EXPECT_EQ(server.poll(&more, 1), 0u) << "one slot, two requests";
    EXPECT_EQ(server.violations(), 1u);
    server.publish(ticket.slot, ticket.generation);
    EXPECT_EQ(server.poll(&more, 1), 0u);
    EXPECT_EQ(server.violations(), 1u);
}

TEST_F(Slots, PollTakesNoMoreThanAskedAndLosesNothing) {
    for (u32 i = 0; i < kSmall.slots; ++i) claim_and_submit();
    std::array<bool, kSmall.slots> seen{};
    for (u32 i = 0; i < kSmall.slots; ++i) {
        Arrival arrival{};
        ASSERT_EQ(server.poll(&arrival, 1), 1u);
        EXPECT_FALSE(seen[arrival.slot]);
        seen[arrival.slot] = true;
    }
    Arrival none{};
    EXPECT_EQ(server.poll(&none, 1), 0u);
}

TEST_F(Slots, SinkReplacesTheResultAreaForOneUse) {
    std::array<u8, 100> out{};
    Ticket ticket = claim();
    u64 capacity = 1;
    EXPECT_EQ(client.result_area(ticket, &capacity), nullptr) << "this port has no result areas";
    EXPECT_EQ(capacity, 0u);
    ASSERT_TRUE(client.set_sink(ticket, out.data(), out.size()));
    client.submit(ticket);
    Arrival arrival{};
    ASSERT_EQ(server.poll(&arrival, 1), 1u);
    EXPECT_EQ(server.result_area(arrival.slot, &capacity), out.data());
    EXPECT_EQ(capacity, out.size());
    server.publish(arrival.slot, arrival.generation);
    EXPECT_EQ(client.result_area(ticket), out.data());
    client.release(ticket);
    for (u32 i = 0; i < kSmall.slots; ++i) {
        ticket = claim_and_submit();
        ASSERT_EQ(server.poll(&arrival, 1), 1u);
        EXPECT_EQ(server.result_area(arrival.slot, &capacity), nullptr) << "a sink outlived its request";
        server.publish(arrival.slot, arrival.generation);
        client.release(ticket);
    }
}

TEST(ResultAreas, AreApartAlignedAndTheSameOnBothSides) {
    InProcessPort port(Geometry{3, 64, 192});
    ClientHandle client = port.client();
    ServerHandle server = port.server();
    for (u32 slot = 0; slot < 3; ++slot) {
        u64 capacity = 0;
        auto* const area = static_cast<u8*>(server.result_area(slot, &capacity));
        ASSERT_EQ(capacity, 192u);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(area) % kCacheLine, 0u);
        EXPECT_EQ(client.result_area(Ticket{slot, 1}), area);
        std::memset(area, static_cast<int>(slot + 1), capacity);
        std::memset(server.response_frame(slot), 0xff, 64);
    }
    for (u32 slot = 0; slot < 3; ++slot) {
        const auto* const area = static_cast<const u8*>(client.result_area(Ticket{slot, 1}));
        for (u64 at = 0; at < 192; ++at) ASSERT_EQ(area[at], slot + 1) << "areas or frames overlap";
    }
}

}  // namespace
}  // namespace photonlink::link
