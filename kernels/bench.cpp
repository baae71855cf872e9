#include "bench.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <thread>

#include "guards.hpp"
#include "waiting.hpp"

namespace photonlink::cuda {
namespace {

constexpr u64 kMostSamples = 1ULL << 26;

void require_samples(u64 callers, u64 calls) {
    if (callers >= 1 && calls >= 1 && calls <= kMostSamples / callers) return;
    throw std::invalid_argument("cannot measure " + std::to_string(callers) + " x " + std::to_string(calls) +
                                " calls: both must be above 0, and their product at most " +
                                std::to_string(kMostSamples));
}

/// Waits for a stream whose kernels end by themselves within `timeout`. When they do not, `held` is what they still
/// write to: it stays for good.
template <class Held>
void finish(cudaStream_t stream, double timeout, std::unique_ptr<Held>& held) {
    constexpr double kSlackSeconds = 2.0;
    constexpr const char* kWhat = "finish a measurement";
    const u64 deadline = platform::clock_ns() + limit_ns(timeout + kSlackSeconds, "timeout");
    Held* const kept = held.release();
    // Few looks: the host asks while the device measures.
    if (!wait_for(stream, deadline, kWhat, {0, 10, 200'000})) check(cudaErrorNotReady, kWhat);
    held.reset(kept);
}

/// Appends `count` samples as nanoseconds, by what the two clocks said over all of them.
template <class Counts>
void append(std::vector<double>& latencies, const u32* samples, u64 count, const Counts& counts) {
    if (count == 0) return;
    const double ns_per_tick = static_cast<double>(counts.ended_ns - counts.began_ns) /
                               static_cast<double>(std::max<u64>(counts.ended_ticks - counts.began_ticks, 1));
    for (u64 i = 0; i < count; ++i) latencies.push_back(samples[i] * ns_per_tick);
}

/// Memory of a ping-pong; the words first, since the kernel needs them longest.
struct PingPongMemory {
    MappedMemory words{sizeof(device::PingPongWords)};
    Arena arena;
};

}  // namespace

EchoReport measure_echo(DeviceLink& link, u64 callers, u64 calls, double timeout) {
    require_samples(callers, calls);
    const DeviceGuard device(link.device());
    const CaptureGuard capture;
    auto arena = std::make_unique<Arena>();
    u32* const samples = arena->take<u32>(callers * calls);
    auto* const counts = arena->take<device::EchoCounts>(callers);
    link.echo(callers, calls, timeout, samples, counts, arena->stream());
    finish(arena->stream(), timeout, arena);

    EchoReport report;
    const std::vector<u32> all = arena->download(samples, callers * calls);
    const std::vector<device::EchoCounts> seen = arena->download(counts, callers);
    u64 began = seen.front().began_ns;
    u64 ended = 0;
    for (u64 caller = 0; caller < callers; ++caller) {
        const device::EchoCounts& own = seen[caller];
        append(report.latencies_ns, &all[caller * calls], own.answered, own);
        report.answered += own.answered;
        report.wrong += own.wrong;
        if (own.ended != 0 && report.incomplete++ == 0) report.ended = static_cast<u32>(own.ended);
        began = std::min(began, own.began_ns);
        ended = std::max(ended, own.ended_ns);
    }
    report.seconds = static_cast<double>(ended - began) * 1e-9;
    return report;
}

PingPongReport measure_ping_pong(int device, u64 rounds, double timeout) {
    require_samples(1, rounds);
    const DeviceGuard guard(device);
    const CaptureGuard capture;
    check(preload_kernels(), "load the kernels");
    auto memory = std::make_unique<PingPongMemory>();
    const u64 limit = limit_ns(timeout, "timeout");
    const cudaStream_t stream = memory->arena.stream();
    u32* const samples = memory->arena.take<u32>(rounds);
    auto* const counts = memory->arena.take<device::PingPongCounts>(1);
    std::thread ponger([words = static_cast<device::PingPongWords*>(memory->words.host()), rounds, limit] {
        device::pong(words, rounds, platform::clock_ns() + limit);
    });
    const cudaError_t code = launch_ping(static_cast<device::PingPongWords*>(memory->words.device()), rounds, limit,
                                         samples, counts, stream);
    ponger.join();  // bounded by its own limit
    check(code, "launch a kernel");
    finish(stream, timeout, memory);

    const device::PingPongCounts seen = memory->arena.download(counts, 1).front();
    PingPongReport report;
    append(report.latencies_ns, memory->arena.download(samples, rounds).data(), seen.rounds, seen);
    report.rounds = seen.rounds;
    report.seconds = static_cast<double>(seen.ended_ns - seen.began_ns) * 1e-9;
    return report;
}

}  // namespace photonlink::cuda
