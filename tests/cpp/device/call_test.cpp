// One datapoint at a time against a server that follows a script: what is sent, what good answers become, and what
// bad ones do.
#include "scripted.hpp"

namespace photonlink::device::test {
namespace {

using wire::Status;

/// Threads per group.
class Call : public ::testing::TestWithParam<u32> {
  protected:
    u32 size() const { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Groups, Call, ::testing::Values(1, 3, 32));

template <class Out, class Real>
Outcome infer_with(u32 size, const Link& link, const Real* features, Out* out) {
    return launch_one(size, [&](const HostGroup& group) { return infer(group, link, features, out); });
}

TEST_P(Call, SendsHeaderKeyPhasesAndConsecutiveIds) {
    Scripted port(2);
    port.side.words.next_id = 0xFFFFFFFEULL;  // the low half wraps
    std::vector<Seen> seen;
    const auto x = random_features<double>(5, kFeatures, 1);
    std::vector<double> y(port.link().outputs);
    {
        const Server server(port, [&](link::ServerHandle& handle, const link::Arrival& arrival) {
            seen.push_back(read_request(handle, arrival.slot));
            answer_honestly(handle, arrival);
        });
        for (u64 row = 0; row < 5; ++row)
            ASSERT_EQ(infer_with(size(), port.link(), x.data() + row * kFeatures, y.data()).status, CallStatus::Ok);
    }
    ASSERT_EQ(seen.size(), 5u);
    for (u64 row = 0; row < 5; ++row) {
        EXPECT_EQ(seen[row].header.function_id, wire::kInfer);
        EXPECT_EQ(seen[row].header.request_id, static_cast<u32>(0xFFFFFFFEULL + row));
        EXPECT_EQ(seen[row].key, kKey);
        EXPECT_EQ(seen[row].count, kPhases);
        EXPECT_EQ(seen[row].outputs, port.link().outputs);
        for (u32 p = 0; p < 3; ++p) EXPECT_EQ(seen[row].phases[p], x[row * kFeatures + p]);
        EXPECT_EQ(seen[row].phases[3], 1e300 * x[row * kFeatures + 2] + 1);
    }
}

/// Inline and in the result area, in both types.
template <class Out, class Real>
void expect_honest_results(u32 size, u64 outputs, u64 offset) {
    Scripted port(2, outputs, sizeof(Out), 1024);
    const Server server(port, [offset](link::ServerHandle& handle, const link::Arrival& arrival) {
        answer_honestly(handle, arrival, offset);
    });
    const auto x = random_features<Real>(4, kFeatures, outputs);
    for (u64 row = 0; row < 4; ++row) {
        const Real* const features = x.data() + row * kFeatures;
        // Behind one value, so that floats do not always lie on eight bytes.
        std::vector<Out> y(outputs + 2, Out(-1));
        const Outcome outcome = infer_with(size, port.link(), features, y.data() + 1);
        ASSERT_EQ(outcome.status, CallStatus::Ok);
        EXPECT_TRUE(same_bits(y.data() + 1, honest_row<Out>(features, outputs).data(), outputs));
        EXPECT_EQ(y.front(), Out(-1));
        EXPECT_EQ(y.back(), Out(-1));
    }
    EXPECT_EQ(port.slots_in_use(), 0u);
    EXPECT_EQ(port.side.words.next_id, 4u);
}

TEST_P(Call, BringsResultsHomeBitForBit) {
    for (const u64 outputs : {u64{1}, u64{5}, u64{13}, u64{101}}) {  // 104 bytes fit the frame
        expect_honest_results<double, double>(size(), outputs, 0);
        expect_honest_results<double, float>(size(), outputs, 8);
        expect_honest_results<float, double>(size(), outputs, 64);
        expect_honest_results<float, float>(size(), outputs, 192);
    }
}

/// An answer that is not honest, and what it must become.
struct Bad {
    const char* what;
    CallStatus status;
    i32 wire_status;
    std::function<void(const Seen&, wire::ResponseHeader*, wire::SegmentRef*)> spoil;
};

constexpr u64 kAreaBytes = 256;

std::vector<Bad> bad_answers() {
    using Header = wire::ResponseHeader;
    const auto in_area = [](u64 offset, u64 length) {
        return [=](const Seen&, Header* header, wire::SegmentRef* where) {
            header->status = static_cast<i32>(Status::ResultInSegment);
            header->result_len = sizeof *where;
            *where = {offset, length};
        };
    };
    const auto with_length = [](u32 length) {
        return [=](const Seen&, Header* header, wire::SegmentRef*) { header->result_len = length; };
    };
    const auto refused = [](Status status) {
        return [=](const Seen&, Header* header, wire::SegmentRef*) {
            header->status = static_cast<i32>(status);
            header->result_len = 0;
        };
    };
    const auto broken = CallStatus::ProtocolError;
    return {
        {"another id", broken, 0, [](const Seen&, Header* header, wire::SegmentRef*) { header->request_id ^= 1; }},
        {"a request's magic", broken, 0,
         [](const Seen&, Header* header, wire::SegmentRef*) { header->magic = wire::kRequestMagic; }},
        {"one value too few", broken, 0, with_length(32)},
        {"one byte too many", broken, 0, with_length(41)},
        {"longer than the slot", broken, 0, with_length(0xFFFFFFF0u)},
        {"area: one byte short", broken, 0, in_area(0, 39)},
        {"area: longer", broken, 0, in_area(0, 48)},
        {"area: unaligned", broken, 0, in_area(4, 40)},
        {"area: runs over the end", broken, 0, in_area(kAreaBytes - 32, 40)},
        {"area: starts behind the end", broken, 0, in_area(kAreaBytes + 8, 40)},
        {"area: offset that wraps", broken, 0, in_area(~u64{0} - 31, 40)},
        {"area: reference cut off", broken, 0,
         [=](const Seen& seen, Header* header, wire::SegmentRef* where) {
             in_area(0, 40)(seen, header, where);
             header->result_len = 8;
         }},
        {"budget spent", CallStatus::Refused, 101, refused(Status::BudgetSpent)},
        {"bad key", CallStatus::Refused, -3, refused(Status::BadKey)},
        {"unknown status", CallStatus::Refused, 77, refused(static_cast<Status>(77))},
    };
}

void serve_badly(link::ServerHandle& server, const link::Arrival& arrival, const Bad& bad) {
    const Seen seen = read_request(server, arrival.slot);
    std::vector<u8> payload = honest_bytes(seen);
    wire::ResponseHeader header = header_for(seen, Status::Ok, payload.size());
    wire::SegmentRef where{};
    bad.spoil(seen, &header, &where);
    if (header.status == static_cast<i32>(Status::ResultInSegment)) std::memcpy(payload.data(), &where, sizeof where);
    publish(server, arrival, header, payload.data(), payload.size());
}

TEST_P(Call, BadAnswersBecomeStatusesAndTouchNothing) {
    const auto x = random_features<double>(1, kFeatures, 2);
    for (const Bad& bad : bad_answers()) {
        Scripted port(1, 5, sizeof(double), kAreaBytes);
        std::atomic<bool> spoiled{false};
        const Server server(port, [&](link::ServerHandle& handle, const link::Arrival& arrival) {
            if (!spoiled.exchange(true)) return serve_badly(handle, arrival, bad);
            answer_honestly(handle, arrival);
        });
        std::vector<double> y(5, -1);
        const Outcome outcome = infer_with(size(), port.link(), x.data(), y.data());
        EXPECT_EQ(outcome.status, bad.status) << bad.what;
        EXPECT_EQ(outcome.wire_status, bad.wire_status) << bad.what;
        EXPECT_EQ(y, std::vector<double>(5, -1)) << bad.what;
        EXPECT_EQ(port.slots_in_use(), 0u) << bad.what;
        EXPECT_EQ(infer_with(size(), port.link(), x.data(), y.data()).status, CallStatus::Ok) << bad.what;
    }
}

TEST_P(Call, ResultWithoutAnAreaIsAProtocolError) {
    Scripted port(1, 5, sizeof(double), 0);
    const Bad bad = bad_answers()[5];
    const Server server(
        port, [&](link::ServerHandle& handle, const link::Arrival& arrival) { serve_badly(handle, arrival, bad); });
    const auto x = random_features<double>(1, kFeatures, 2);
    std::vector<double> y(5);
    EXPECT_EQ(infer_with(size(), port.link(), x.data(), y.data()).status, CallStatus::ProtocolError);
}

TEST_P(Call, OtherVersionsAndTypesAreRefusedBeforeAnythingIsSent) {
    Scripted port(1);
    const auto x = random_features<double>(1, kFeatures, 3);
    std::vector<float> narrow(5, -1);
    EXPECT_EQ(infer_with(size(), port.link(), x.data(), narrow.data()).status, CallStatus::WrongType);
    Link newer{};  // of another version nothing is known but the first word: null pointers all over
    newer.version = kLinkVersion + 1;
    EXPECT_EQ(infer_with(size(), newer, x.data(), narrow.data()).status, CallStatus::WrongType);
    Pending pending{};
    EXPECT_EQ(try_submit(ThreadGroup{}, newer, x.data(), 0, &pending), CallStatus::WrongType);
    EXPECT_EQ(collect(ThreadGroup{}, newer, pending, 0, narrow.data()).status, CallStatus::WrongType);
    EXPECT_EQ(narrow, std::vector<float>(5, -1));
    EXPECT_EQ(port.side.words.next_id, 0u);
    EXPECT_EQ(port.slots_in_use(), 0u);
}

TEST_P(Call, CollectingIntoAnotherTypeGivesTheSlotUp) {
    Scripted port(1);
    const auto x = random_features<double>(1, kFeatures, 4);
    std::vector<float> narrow(5, -1);
    const Outcome outcome = launch_one(size(), [&](const HostGroup& group) {
        Pending pending{};
        EXPECT_EQ(try_submit(group, port.link(), x.data(), 7, &pending), CallStatus::Ok);
        return collect(group, port.link(), pending, patience(), narrow.data());
    });
    EXPECT_EQ(outcome.status, CallStatus::WrongType);
    EXPECT_EQ(narrow, std::vector<float>(5, -1));
    EXPECT_EQ(port.slots_in_use(), 1u) << "unanswered";
    const Server server(port, honest);
    std::vector<double> y(5);
    EXPECT_EQ(infer_with(size(), port.link(), x.data(), y.data()).status, CallStatus::Ok) << "slot never came back";
}

TEST_P(Call, FeaturesAndPhasesThatAreNotFiniteAreNotSent) {
    Scripted port(1);
    std::atomic<u32> served{0};
    const Server server(port, [&](link::ServerHandle& handle, const link::Arrival& arrival) {
        ++served;
        answer_honestly(handle, arrival);
    });
    std::vector<double> y(5, -1);
    const double bad_values[] = {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                                 -std::numeric_limits<double>::infinity(), 1e10};
    for (const double bad : bad_values) {
        std::vector<double> x{1, 2, bad};
        const CallStatus expected = std::isfinite(bad) ? CallStatus::BadPhase : CallStatus::BadFeature;
        EXPECT_EQ(infer_with(size(), port.link(), x.data(), y.data()).status, expected) << bad;
        EXPECT_EQ(y, std::vector<double>(5, -1));
        EXPECT_EQ(port.slots_in_use(), 0u);
    }
    EXPECT_EQ(served, 0u);
    const std::vector<double> good{1, 2, 3};
    EXPECT_EQ(infer_with(size(), port.link(), good.data(), y.data()).status, CallStatus::Ok);
    EXPECT_EQ(served, 1u);
    EXPECT_EQ(port.server().violations(), 0u) << "a cancelled slot broke the order of generations";
    EXPECT_EQ(port.side.words.next_id, 5u) << "ids of refused datapoints are not used again";
}

TEST_P(Call, SplitCallsKeepSeveralDatapointsInFlight) {
    constexpr u32 kSlots = 4;
    Scripted port(kSlots);
    const auto x = random_features<float>(kSlots + 1, kFeatures, 5);
    std::vector<double> y(kSlots * 5);
    const CallStatus full = launch_one(size(), [&](const HostGroup& group) {
        Pending pending[kSlots];
        for (u32 row = 0; row < kSlots; ++row)
            EXPECT_EQ(try_submit(group, port.link(), x.data() + row * kFeatures, row, &pending[row]), CallStatus::Ok);
        Pending none{};
        const float* const last = x.data() + kSlots * kFeatures;
        const CallStatus status = try_submit(group, port.link(), last, 9, &none);
        EXPECT_EQ(submit(group, port.link(), last, 9, platform::clock_ns() + kMillisecond, &none), CallStatus::Timeout);
        group.sync();
        std::unique_ptr<Server> server;
        if (group.leader()) server = std::make_unique<Server>(port, honest);
        for (u32 row = kSlots; row-- > 0;)
            EXPECT_EQ(collect(group, port.link(), pending[row], patience(), y.data() + row * 5).status, CallStatus::Ok);
        return status;
    });
    EXPECT_EQ(full, CallStatus::Full);
    for (u32 row = 0; row < kSlots; ++row)
        EXPECT_TRUE(same_bits(y.data() + row * 5, honest_row<double>(x.data() + row * kFeatures, 5).data(), 5));
    EXPECT_EQ(port.slots_in_use(), 0u);
}

}  // namespace
}  // namespace photonlink::device::test
