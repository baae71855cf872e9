// Runs every ordering site of device/ so that weakening any one of them is a data race. Built once per site by
// mutation.py, under ThreadSanitizer. Needs nothing but the portable headers.
#include "../link/in_turn.hpp"
#include "photonlink/device/batch.hpp"

namespace {

using namespace photonlink;
using namespace photonlink::device;
using namespace photonlink::probe;

struct Device {
    Words words{};
    Latch latch{};
    Link link{};

    Device() {
        link.version = kLinkVersion;
        link.words = &words;
        link.latch = &latch;
        link.backoff = link::Backoff{50, 50, 0};
    }
};

Failure failure_of(u64 number) { return {CallStatus::Timeout, 0, number, number, number, number}; }

/// Two threads of the device fail one after the other, then the host looks: the second comes too late for the latch,
/// but it reads what the first has written there.
void latch() {
    Device device;
    u64 taken = 0;
    const auto fail = [&](u32 number) { latch_failure(device.link, failure_of(number)); };
    const auto take = [&](u32 number) {
        Failure failure{};
        check(take_failure(&device.latch, &failure), "no failure is there");
        check(failure.row + 2 == number && failure.elapsed_ns + 2 == number, "not the first failure");
        ++taken;
    };
    in_turn(3, {{0, fail}, {1, fail}, {2, take}});
    check(taken == kRounds && device.words.failed_rows == 2 * kRounds, "failures were lost");
}

/// Blocks that live through many launches on the same words. The gate between two launches is that the last block to
/// leave comes first again: nothing but its leave orders what the others read before its next ids.
void launches(u32 blocks) {
    constexpr u64 kRows = 10;
    Device device;
    LaunchWords words{};
    u64 expected = 0;  // only ever touched by block 0
    std::vector<u64> ids(blocks);
    const ThreadGroup group;
    const auto begin = [&](u32 block) {
        const u64 limit = platform::clock_ns() + kDeadlineNs;
        ids[block] = begin_launch(group, device.link, &words, blocks, kRows, limit);
    };
    std::vector<Step> steps;
    steps.push_back({0, [&](u32) {
                         begin(0);
                         check(ids[0] == expected, "ids of consecutive launches are not contiguous");
                         expected += kRows;
                     }});
    for (u32 block = 1; block < blocks; ++block)
        steps.push_back({block, [&, block](u32 number) {
                             begin(block);
                             check(ids[block] == number / (blocks + 1) * kRows, "blocks disagree");
                             end_launch(group, &words, blocks);
                         }});
    steps.push_back({0, [&](u32) { end_launch(group, &words, blocks); }});
    in_turn(blocks, steps);
}

}  // namespace

int main() {
    latch();
    launches(2);
    launches(4);
    return 0;
}
