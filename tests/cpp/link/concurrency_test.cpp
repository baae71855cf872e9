// Many callers, one server, all contents verified. Meant to run under ThreadSanitizer too.
#include <gtest/gtest.h>

#include "link_testing.hpp"

namespace photonlink::link {
namespace {

using namespace testing;

constexpr u32 kCallers = 8;
constexpr Geometry kRing{16, 248, 0};

/// Checks each request's words and answers with its own.
void answer_with_words(ServerHandle& server, const std::vector<Arrival>& batch) {
    for (const Arrival& arrival : batch) {
        const u64 seed = seed_of(server.request_frame(arrival.slot));
        const u64 count = seed % 31 + 1;
        EXPECT_TRUE(words_match(server.request_frame(arrival.slot), seed, count));
        write_words(server.response_frame(arrival.slot), answer_seed(seed), count);
        server.publish(arrival.slot, arrival.generation);
    }
}

Ticket claim_patiently(ClientHandle& client) {
    Ticket ticket{};
    BackoffState backoff(kCrowded);
    const u64 limit = patience();
    LinkStatus status = client.try_claim(&ticket);
    while (status == LinkStatus::Full && platform::clock_ns() < limit) {
        backoff.step();
        status = client.try_claim(&ticket);
    }
    EXPECT_EQ(status, LinkStatus::Ok);
    return ticket;
}

void run_callers(u32 callers, const std::function<void(u32)>& caller) {
    std::vector<std::thread> threads;
    for (u32 id = 0; id < callers; ++id) threads.emplace_back(caller, id);
    for (std::thread& thread : threads) thread.join();
}

TEST(Concurrency, HundredThousandCallsFromEightThreads) {
    constexpr u32 kCalls = 13'000;
    InProcessPort port(kRing);
    std::atomic<u64> wrong{0};
    {
        ServerThread server(port.server(), answer_with_words);
        run_callers(kCallers, [&](u32 id) {
            ClientHandle client = port.client();
            for (u64 call = 0; call < kCalls; ++call) {
                const u64 seed = u64{id} << 32 | call;
                const u64 count = seed % 31 + 1;
                const Ticket ticket = claim_patiently(client);
                write_words(client.request_frame(ticket), seed, count);
                client.submit(ticket);
                ASSERT_EQ(client.wait(ticket, patience(), kCrowded), LinkStatus::Ok);
                if (!words_match(client.response_frame(ticket), answer_seed(seed), count)) ++wrong;
                client.release(ticket);
            }
        });
    }
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(port.client().in_use(), 0u);
    EXPECT_EQ(port.server().violations(), 0u);
}

TEST(Concurrency, ThousandsOfAbandonedCallsAndEverySlotComesBack) {
    constexpr u32 kCalls = 2'500;
    InProcessPort port(kRing);
    std::atomic<u64> abandoned{0};
    std::atomic<u64> answered{0};
    {
        std::mt19937_64 delays(11);
        ServerThread server(port.server(), [&](ServerHandle& handle, const std::vector<Arrival>& batch) {
            if (delays() % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(delays() % 50));
            answer_with_words(handle, batch);
        });
        run_callers(kCallers, [&](u32 id) {
            ClientHandle client = port.client();
            std::mt19937_64 random(id);
            for (u64 call = 0; call < kCalls; ++call) {
                const u64 seed = u64{id} << 32 | call;
                const u64 count = seed % 31 + 1;
                const Ticket ticket = claim_patiently(client);
                write_words(client.request_frame(ticket), seed, count);
                client.submit(ticket);
                // One call in four gives up without a look, however fast the server is; the others as time decides.
                const u64 choice = random() % 4;
                if (choice == 0) {
                    client.abandon(ticket);
                    ++abandoned;
                    continue;
                }
                const u64 deadline = choice == 1 ? 0 : platform::clock_ns() + random() % 200'000;
                if (client.wait(ticket, deadline, Backoff{2, 2, 0}) == LinkStatus::Ok) {
                    EXPECT_TRUE(words_match(client.response_frame(ticket), answer_seed(seed), count));
                    client.release(ticket);
                    ++answered;
                } else {
                    client.abandon(ticket);
                    ++abandoned;
                }
            }
        });
        ClientHandle client = port.client();
        const u64 limit = patience();
        while (client.in_use() != 0 && platform::clock_ns() < limit) {
            client.reap();
            std::this_thread::yield();
        }
        EXPECT_EQ(client.in_use(), 0u);
    }
    EXPECT_EQ(abandoned + answered, u64{kCallers} * kCalls);
    EXPECT_GT(abandoned, 2'000u) << "the test did not test what it says";
    EXPECT_EQ(port.server().violations(), 0u);
}

// A long ring, filled in random order while the server passes over it.
TEST(Concurrency, RequestsOfOneThreadArriveInTheOrderOfSubmission) {
    constexpr Geometry kLong{1024, 64, 0};
    constexpr u64 kRounds = 20;
    InProcessPort port(kLong);
    u64 last = 0;
    std::atomic<u64> disorders{0};
    {
        ServerThread server(port.server(), [&](ServerHandle& handle, const std::vector<Arrival>& batch) {
            std::vector<std::pair<u64, Arrival>> ordered;
            for (const Arrival& arrival : batch)
                ordered.emplace_back(seed_of(handle.request_frame(arrival.slot)), arrival);
            std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
            for (const auto& [id, arrival] : ordered) {
                if (id != last + 1) ++disorders;
                last = id;
                handle.publish(arrival.slot, arrival.generation);
            }
        });
        ClientHandle client = port.client();
        std::mt19937_64 random(3);
        std::vector<Ticket> tickets(kLong.slots);
        u64 id = 0;
        for (u64 round = 0; round < kRounds; ++round) {
            for (Ticket& ticket : tickets) ASSERT_EQ(client.try_claim(&ticket), LinkStatus::Ok);
            std::shuffle(tickets.begin(), tickets.end(), random);
            for (const Ticket& ticket : tickets) {
                ++id;
                std::memcpy(client.request_frame(ticket), &id, sizeof id);
                client.submit(ticket);
            }
            for (const Ticket& ticket : tickets) {
                ASSERT_EQ(client.wait(ticket, patience(), kCrowded), LinkStatus::Ok);
                client.release(ticket);
            }
        }
    }
    EXPECT_EQ(disorders, 0u);
    EXPECT_EQ(last, kRounds * kLong.slots);
}

TEST(Concurrency, CloseReleasesEveryWaiter) {
    for (int round = 0; round < 20; ++round) {
        InProcessPort port(kRing);
        std::atomic<u32> submitted{0};
        std::atomic<u32> closed{0};
        std::thread closer([&] {
            while (submitted < kCallers) std::this_thread::yield();
            port.server().close(1);
        });
        run_callers(kCallers, [&](u32) {
            ClientHandle client = port.client();
            const Ticket ticket = claim_patiently(client);
            client.submit(ticket);
            ++submitted;
            if (client.wait(ticket, patience(), kCrowded) == LinkStatus::Closed) ++closed;
            client.abandon(ticket);
        });
        closer.join();
        EXPECT_EQ(closed, kCallers);
    }
}

TEST(Concurrency, ResultsReachTheCallersOwnMemory) {
    constexpr u32 kCalls = 500;
    constexpr u64 kWords = 3'000;
    InProcessPort port(kRing);
    ServerThread server(port.server(), [](ServerHandle& handle, const std::vector<Arrival>& batch) {
        for (const Arrival& arrival : batch) {
            u64 capacity = 0;
            void* const area = handle.result_area(arrival.slot, &capacity);
            ASSERT_EQ(capacity, kWords * 8);
            write_words(area, answer_seed(seed_of(handle.request_frame(arrival.slot))), kWords);
            handle.publish(arrival.slot, arrival.generation);
        }
    });
    run_callers(4, [&](u32 id) {
        ClientHandle client = port.client();
        std::vector<u64> out(kWords);
        for (u64 call = 0; call < kCalls; ++call) {
            const u64 seed = u64{id} << 32 | call;
            const Ticket ticket = claim_patiently(client);
            std::memcpy(client.request_frame(ticket), &seed, sizeof seed);
            ASSERT_TRUE(client.set_sink(ticket, out.data(), kWords * 8));
            client.submit(ticket);
            ASSERT_EQ(client.wait(ticket, patience(), kCrowded), LinkStatus::Ok);
            ASSERT_TRUE(words_match(out.data(), answer_seed(seed), kWords));
            client.release(ticket);
        }
    });
}

}  // namespace
}  // namespace photonlink::link
