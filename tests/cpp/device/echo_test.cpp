// The kernels that measure the link: they count what they see, find what is wrong, and end in time.
#include "photonlink/device/echo.hpp"

#include "photonlink/device/ping_pong.hpp"
#include "scripted.hpp"

namespace photonlink::device::test {
namespace {

constexpr u64 kUntouched = 0xFFFFFFFF;

struct Nanoseconds {
    u64 operator()() const { return platform::clock_ns(); }
};

/// Echoes as a controller does: the payload without its key, and whatever `change` makes of it.
class Echoes {
  public:
    using Change = std::function<void(wire::ResponseHeader&, u64 (&)[3])>;

    explicit Echoes(
        const Scripted& port, Change change = [](wire::ResponseHeader&, u64 (&)[3]) {})
        : server_(port, [this, change](link::ServerHandle& server, const link::Arrival& arrival) {
              struct {
                  wire::RequestHeader header;
                  u64 key;
                  u64 words[3];
              } request;
              std::memcpy(&request, server.request_frame(arrival.slot), sizeof request);
              EXPECT_EQ(request.header.function_id, wire::kEcho);
              EXPECT_EQ(request.header.arg_len, kEchoArgBytes);
              EXPECT_EQ(request.key, kKey);
              numbers.push_back(request.words[1]);
              wire::ResponseHeader header{wire::kResponseMagic, 0, sizeof request.words, request.header.request_id, 0};
              change(header, request.words);
              publish(server, arrival, header, request.words, sizeof request.words);
          }) {}

    std::vector<u64> numbers;  // carried by the requests; complete once every caller has ended

  private:
    Server server_;
};

EchoCounts echo(const Scripted& port, u64 first, std::vector<u32>& samples, u64 deadline_ns = patience()) {
    EchoCounts counts{};
    echo_calls(port.link(), first, samples.size(), deadline_ns, samples.data(), &counts, Nanoseconds());
    return counts;
}

TEST(Echo, ManyCallersLoseDoubleAndTearNothing) {
    constexpr u32 kCallers = 6;
    constexpr u64 kCalls = 500;
    Scripted port(4);  // fewer slots than callers: some always wait for one
    std::vector<std::vector<u32>> samples(kCallers, std::vector<u32>(kCalls, kUntouched));
    std::vector<EchoCounts> counts(kCallers);
    std::vector<u64> numbers;
    {
        const Echoes echoes(port);
        std::vector<std::thread> callers;
        for (u32 caller = 0; caller < kCallers; ++caller)
            callers.emplace_back([&, caller] { counts[caller] = echo(port, caller * kCalls, samples[caller]); });
        for (std::thread& caller : callers) caller.join();
        numbers = echoes.numbers;
    }
    for (u32 caller = 0; caller < kCallers; ++caller) {
        EXPECT_EQ(counts[caller].answered, kCalls);
        EXPECT_EQ(counts[caller].wrong, 0u);
        EXPECT_EQ(counts[caller].ended, 0u);
        u64 sum = 0;
        for (const u32 sample : samples[caller]) {
            EXPECT_NE(sample, kUntouched);
            sum += sample;
        }
        EXPECT_LE(sum, counts[caller].ended_ticks - counts[caller].began_ticks);
        EXPECT_LE(counts[caller].began_ns, counts[caller].began_ticks);  // here both clocks are the same one
        EXPECT_LE(counts[caller].ended_ticks, counts[caller].ended_ns);
    }
    std::sort(numbers.begin(), numbers.end());
    ASSERT_EQ(numbers.size(), kCallers * kCalls);
    for (u64 i = 0; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], i);
    EXPECT_EQ(port.slots_in_use(), 0u);
}

/// Every way in which an answer can be wrong is seen, one in three answers at a time.
TEST(Echo, WrongAnswersAreCounted) {
    const std::vector<Echoes::Change> changes = {
        [](wire::ResponseHeader&, u64(&words)[3]) { words[0] += 1; },
        [](wire::ResponseHeader&, u64(&words)[3]) { words[1] -= 1; },  // the answer of the call before
        [](wire::ResponseHeader&, u64(&words)[3]) { words[2] ^= 1; },  // torn
        [](wire::ResponseHeader&, u64(&words)[3]) { words[2] = words[1]; },
        [](wire::ResponseHeader& header, u64(&)[3]) { header.request_id += 1; },
        [](wire::ResponseHeader& header, u64(&)[3]) { header.result_len -= 8; },
        [](wire::ResponseHeader& header, u64(&)[3]) { header.status = static_cast<i32>(wire::Status::BadKey); },
        [](wire::ResponseHeader& header, u64(&)[3]) { header.magic += 1; },
    };
    for (std::size_t which = 0; which < changes.size(); ++which) {
        Scripted port(2);
        const Echoes echoes(port, [&](wire::ResponseHeader& header, u64(&words)[3]) {
            if (words[1] % 3 == 0) changes[which](header, words);
        });
        std::vector<u32> samples(30);
        const EchoCounts counts = echo(port, 1, samples);
        EXPECT_EQ(counts.answered, 30u) << "change " << which;
        EXPECT_EQ(counts.wrong, 10u) << "change " << which;
    }
}

TEST(Echo, ChecksFollowFromTheirNumberAlone) {
    std::vector<u64> checks;
    for (u64 number = 0; number < 5000; ++number) checks.push_back(detail::echo_check(number));
    std::sort(checks.begin(), checks.end());
    EXPECT_EQ(std::adjacent_find(checks.begin(), checks.end()), checks.end());
}

TEST(Echo, WithoutAServerTheCallerEndsAtItsDeadline) {
    Scripted port(2);
    std::vector<u32> samples(5, kUntouched);
    for (u32 caller = 0; caller < 3;
         ++caller) {  // the third finds no slot: two calls were abandoned and never answered
        const EchoCounts counts = echo(port, 0, samples, platform::clock_ns() + 500 * kMillisecond);
        EXPECT_EQ(counts.answered, 0u);
        EXPECT_EQ(counts.ended, static_cast<u64>(CallStatus::Timeout));
    }
    EXPECT_EQ(samples, std::vector<u32>(5, kUntouched));
    EXPECT_EQ(port.slots_in_use(), 2u);
}

TEST(Echo, AClosedPortEndsTheCaller) {
    Scripted port(2);
    port.server().close(7);
    std::vector<u32> samples(5);
    EXPECT_EQ(echo(port, 0, samples).ended, static_cast<u64>(CallStatus::Closed));
}

TEST(PingPong, EveryRoundIsAnswered) {
    constexpr u64 kRounds = 500;
    PingPongWords words{};
    std::vector<u32> samples(kRounds, kUntouched);
    PingPongCounts counts{};
    u64 answered = 0;
    std::thread host([&] { answered = pong(&words, kRounds, patience()); });
    ping(&words, kRounds, patience(), samples.data(), &counts, Nanoseconds());
    host.join();
    EXPECT_EQ(answered, kRounds);
    EXPECT_EQ(counts.rounds, kRounds);
    EXPECT_EQ(words.request, kRounds);
    EXPECT_EQ(words.response, kRounds);
    EXPECT_EQ(std::count(samples.begin(), samples.end(), kUntouched), 0);
}

TEST(PingPong, EitherSideAloneEndsAtItsDeadline) {
    PingPongWords words{};
    std::vector<u32> samples(3, kUntouched);
    PingPongCounts counts{};
    ping(&words, 3, platform::clock_ns() + kMillisecond, samples.data(), &counts, Nanoseconds());
    EXPECT_EQ(counts.rounds, 0u);
    EXPECT_EQ(samples[0], kUntouched);
    words = {};
    EXPECT_EQ(pong(&words, 3, platform::clock_ns() + kMillisecond), 0u);
}

}  // namespace
}  // namespace photonlink::device::test
