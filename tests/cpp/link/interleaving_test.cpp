// Interleavings that are too narrow to wait for, made to happen: a page that one side is about to touch is taken away,
// and what the other side does meanwhile runs in the fault handler, exactly between two loads.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "link_testing.hpp"

namespace photonlink::link {
namespace {

constexpr Geometry kTwoPages{64, 64, 0};
constexpr u32 kNearSlot = 0;  // on the page of the control lines
constexpr u32 kFarSlot = 40;  // on the next page
static_assert(kSlotsOffset + kFarSlot * layout_of(kTwoPages).stride >= kPageBytes);

/// Runs an action once, at the first touch of the page around `address`.
class PageTrap {
  public:
    PageTrap(const void* address, std::function<void()> action) {
        page_ = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(address) / kPageBytes * kPageBytes);
        action_ = std::move(action);
        struct sigaction handler {};
        handler.sa_handler = [](int) { spring(); };
        EXPECT_EQ(::sigaction(SIGSEGV, &handler, &previous_), 0);
        EXPECT_EQ(::mprotect(page_, kPageBytes, PROT_NONE), 0);
    }
    ~PageTrap() {
        EXPECT_EQ(page_, nullptr) << "nobody touched the page";
        ::sigaction(SIGSEGV, &previous_, nullptr);
    }
    PageTrap(const PageTrap&) = delete;
    PageTrap& operator=(const PageTrap&) = delete;

  private:
    // A second fault is a crash like any other: the page is there again, and so is the old handler.
    static void spring() {
        ::sigaction(SIGSEGV, &previous_, nullptr);
        ::mprotect(page_, kPageBytes, PROT_READ | PROT_WRITE);
        page_ = nullptr;
        action_();
    }

    static inline void* page_ = nullptr;
    static inline std::function<void()> action_;
    static inline struct sigaction previous_ {};
};

class Interleaving : public ::testing::Test {
  protected:
    void SetUp() override {
        if (::sysconf(_SC_PAGESIZE) != static_cast<long>(kPageBytes)) GTEST_SKIP() << "needs pages of 4096 bytes";
        for (Ticket& ticket : tickets) ASSERT_EQ(client.try_claim(&ticket), LinkStatus::Ok);
        std::sort(tickets.begin(), tickets.end(), [](Ticket a, Ticket b) { return a.slot < b.slot; });
    }

    InProcessPort port{kTwoPages};
    ClientHandle client = port.client();
    ServerHandle server = port.server();
    std::vector<Ticket> tickets = std::vector<Ticket>(kTwoPages.slots);
};

// The client has seen no answer and is about to look at the close word; now the server answers and closes.
TEST_F(Interleaving, AnswerAndCloseBetweenTheTwoLooksOfAPoll) {
    const Ticket ticket = tickets[kFarSlot];
    client.submit(ticket);
    const PageTrap control_lines(client.response_frame(tickets[kNearSlot]), [&] {
        server.publish(ticket.slot, ticket.generation);
        server.close(1);
    });
    EXPECT_EQ(client.poll(ticket), LinkStatus::Ok) << "the close erased an answer";
    EXPECT_EQ(client.server_close_reason(), 1u);
}

// The server has passed the near slot and is about to look at the far one; now a thread submits in both.
TEST_F(Interleaving, TwoSubmissionsBehindAndAheadOfAPass) {
    const PageTrap far_page(client.request_frame(tickets[kFarSlot]), [&] {
        client.submit(tickets[kNearSlot]);
        client.submit(tickets[kFarSlot]);
    });
    std::vector<Arrival> arrivals(kTwoPages.slots);
    ASSERT_EQ(server.poll_all(arrivals.data()), 2u) << "the later request came without the earlier one";
    EXPECT_EQ(arrivals[0].slot, kFarSlot);
    EXPECT_EQ(arrivals[1].slot, kNearSlot);
}

}  // namespace
}  // namespace photonlink::link
