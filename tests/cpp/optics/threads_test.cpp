// Threads change how long a batch takes, and nothing else.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <numeric>
#include <thread>

#include "../qsc/waiting.hpp"
#include "photonlink/optics/thread_pool.hpp"
#include "programs.hpp"

namespace photonlink::optics {
namespace {

using namespace test;

std::vector<u32> spread(u32 modes, u32 photons) {
    std::vector<u32> input(modes);
    for (u32 p = 0; p < photons; ++p) input[p * modes / photons] = 1;
    return input;
}

template <class Real>
std::unique_ptr<Simulator> with_threads(const ProgramSpec& spec, u32 threads, std::size_t limit = kGiB) {
    return Simulator::create(std::make_shared<const ProgramSpec>(spec), kPrecision<Real>, limit, false, threads);
}

struct Case {
    u32 modes, photons;
    ReadoutSpec readout;
    u32 shots;
};

const Case kCases[] = {
    {12, 5, {ReadoutKind::Probabilities, Space::Fock}, 0},  // lanes
    {14, 7, {ReadoutKind::Probabilities, Space::Fock}, 0},  // few datapoints at a time
    {14, 7, {ReadoutKind::Probabilities, Space::Unbunched}, 0},
    {14, 7, {ReadoutKind::Probabilities, Space::Fock, Grouping::Lex, 9}, 0},
    {14, 7, {ReadoutKind::Probabilities, Space::Unbunched, Grouping::Mod, 5}, 0},
    {12, 5, {ReadoutKind::Correlators, Space::Unbunched}, 0},
    {12, 5, {ReadoutKind::Probabilities, Space::Fock}, 500},
    {16, 8, {ReadoutKind::Correlators, Space::Fock}, 0},  // closed form
};

template <class Real>
void expect_same_bits(const Case& test_case) {
    constexpr std::size_t kRows = 37;
    const ProgramSpec spec =
        random_program(test_case.modes, spread(test_case.modes, test_case.photons), 1, test_case.readout, 4);
    const std::vector<double> phases = random_phases(spec, kRows, 5);
    std::vector<u64> ids(kRows);
    std::iota(ids.begin(), ids.end(), u64{9});
    RunOptions options;
    options.shots = test_case.shots;
    options.ids = ids.data();
    const std::vector<Real> expected = run<Real>(*with_threads<Real>(spec, 1), phases.data(), kRows, options);
    for (const u32 threads : {2u, 3u, 7u}) {
        const auto simulator = with_threads<Real>(spec, threads);
        EXPECT_EQ(simulator->threads(), threads);
        for (u32 repeat = 0; repeat < 3; ++repeat)
            EXPECT_EQ(run<Real>(*simulator, phases.data(), kRows, options), expected) << threads << " threads";
    }
}

TEST(Threads, GiveTheSameBits) {
    for (const Case& test_case : kCases) {
        SCOPED_TRACE(&test_case - kCases);
        expect_same_bits<float>(test_case);
        expect_same_bits<double>(test_case);
    }
}

template <class Real>
void expect_same_bits_of_a_lone_row(const ReadoutSpec& readout) {
    const ProgramSpec spec = random_program(15, spread(15, 7), 1, readout, 4);
    const std::vector<double> phases = random_phases(spec, 1, 5);
    const std::vector<Real> expected = run<Real>(*with_threads<Real>(spec, 1), phases.data(), 1);
    for (const u32 threads : {2u, 5u})
        EXPECT_EQ(run<Real>(*with_threads<Real>(spec, threads), phases.data(), 1), expected) << threads << " threads";
}

TEST(Threads, ShareTheStatesOfALoneRowAndGiveTheSameBits) {
    for_each_profile([&](const std::string&) {
        expect_same_bits_of_a_lone_row<float>({ReadoutKind::Probabilities, Space::Fock});
        expect_same_bits_of_a_lone_row<double>({ReadoutKind::Probabilities, Space::Fock});
        expect_same_bits_of_a_lone_row<float>({ReadoutKind::Probabilities, Space::Unbunched});
    });
}

TEST(Threads, EveryWayOfComputingGivesTheSameBits) {
    constexpr std::size_t kRows = 21;
    for_each_profile([&](const std::string&) {
        for (const Space space : {Space::Fock, Space::Unbunched}) {
            const ProgramSpec spec = random_program(13, spread(13, 7), 1, {ReadoutKind::Probabilities, space}, 4);
            const std::vector<double> phases = random_phases(spec, kRows, 5);
            const auto roomy = with_threads<float>(spec, 1);
            const auto tight = with_threads<float>(spec, 1, predict_bytes(spec, Precision::Float32));
            EXPECT_EQ(run<float>(*roomy, phases.data(), kRows), run<float>(*tight, phases.data(), kRows));
        }
    });
}

TEST(Threads, StartOnlyWhenTheyPayAndEndWithTheSimulator) {
    const std::size_t before = qsc::test::threads_at_rest();
    const ProgramSpec spec = random_program(12, spread(12, 6), 1, {ReadoutKind::Probabilities, Space::Fock}, 1);
    const std::vector<double> phases = random_phases(spec, 256, 2);
    {
        const auto simulator = with_threads<float>(spec, 4);
        run<float>(*simulator, phases.data(), 1);
        EXPECT_EQ(qsc::test::thread_count(), before);
        run<float>(*simulator, phases.data(), 256);
        EXPECT_EQ(qsc::test::thread_count(), before + 3);
    }
    qsc::test::expect_threads(before);
}

/// Phase noise and an ideal source's loss are executed by the noiseless simulator, which keeps to what was asked for.
TEST(Threads, AreThoseAskedForWithPhaseNoise) {
    ProgramSpec spec = random_program(12, spread(12, 5), 1, {ReadoutKind::Probabilities, Space::Fock}, 4);
    spec.noise.phase_imprecision = 0.1;
    for (const u32 threads : {1u, 2u, 3u}) EXPECT_EQ(with_threads<float>(spec, threads)->threads(), threads);
    spec.noise.transmittance = 0.5;
    for (const u32 threads : {1u, 2u, 3u}) EXPECT_EQ(with_threads<float>(spec, threads)->threads(), threads);
}

TEST(Threads, FewerWhereTheirScratchDoesNotFit) {
    const ProgramSpec spec = random_program(14, spread(14, 7), 1, {ReadoutKind::Probabilities, Space::Fock}, 1);
    const std::size_t roomy = with_threads<float>(spec, 4)->memory_bytes();
    for (std::size_t limit = predict_bytes(spec, Precision::Float32); limit < roomy; limit += limit / 4) {
        const auto squeezed = with_threads<float>(spec, 4, limit);
        EXPECT_LE(squeezed->memory_bytes(), limit);
        EXPECT_LT(squeezed->preferred_batch(), with_threads<float>(spec, 4)->preferred_batch());
    }
    EXPECT_EQ(with_threads<float>(spec, 4, predict_bytes(spec, Precision::Float32))->threads(), 1u);
}

/// Only the program can be wrong for some rows and not for others: all of the space's mass lies outside it.
TEST(Threads, TheFirstFailureIsReported) {
    ProgramSpec spec = random_program(2, {1, 1}, 2, {ReadoutKind::Samples, Space::Unbunched}, 1);
    const double h = std::sqrt(0.5);
    spec.interferometers[0] = {h, h, h, -h};  // phase 0 here bunches the photons; phase pi / 2 takes them apart
    spec.interferometers[1] = {h, h, h, -h};
    spec.interferometers[2] = {1, 0, 0, 1};
    spec.phases = {{0, 0}};
    std::vector<double> phases(64, 0.0);
    for (const std::size_t row : {41u, 13u, 57u}) phases[row] = std::acos(0.0);
    std::vector<u64> ids(phases.size());
    std::vector<RowReport> reports(phases.size());
    SimulationBatch batch;
    batch.rows = phases.size();
    batch.phases = phases.data();
    batch.ids = ids.data();
    batch.shots = 20'000;
    batch.reports = reports.data();
    const auto simulator = with_threads<double>(spec, 4);
    try {
        simulator->run(batch);
        FAIL() << "no row failed";
    } catch (const PostSelectionError& problem) {
        EXPECT_NE(std::string(problem.what()).find("row 13 "), std::string::npos) << problem.what();
    }
}

TEST(Threads, AForkedChildHasItsOwn) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "ThreadSanitizer ends a forked child that starts threads";
#endif
    const ProgramSpec spec = random_program(12, spread(12, 6), 1, {ReadoutKind::Probabilities, Space::Fock}, 1);
    const std::vector<double> phases = random_phases(spec, 64, 2);
    const auto simulator = with_threads<float>(spec, 3);
    const std::vector<float> expected = run<float>(*simulator, phases.data(), 64);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) _exit(run<float>(*simulator, phases.data(), 64) == expected ? 0 : 1);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_EQ(run<float>(*simulator, phases.data(), 64), expected);
}

TEST(UsableThreads, AreThoseAskedForOrOfTheEnvironmentOrOfTheAffinityMask) {
    unsetenv("PHOTONLINK_THREADS");
    cpu_set_t mask;
    ASSERT_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
    EXPECT_EQ(usable_threads(0), static_cast<u32>(CPU_COUNT(&mask)));
    EXPECT_EQ(usable_threads(3), 3u);
    setenv("PHOTONLINK_THREADS", "5", 1);
    EXPECT_EQ(usable_threads(0), 5u);
    EXPECT_EQ(usable_threads(2), 2u);
    for (const char* wrong : {"0", "many", "-1", "2x", "100000"}) {
        setenv("PHOTONLINK_THREADS", wrong, 1);
        EXPECT_THROW(usable_threads(0), ProgramError) << wrong;
    }
    unsetenv("PHOTONLINK_THREADS");
}

TEST(ThreadPool, EveryNumberRunsOncePerJob) {
    ThreadPool pool;
    for (u32 job = 0; job < 200; ++job) {
        const u32 threads = 1 + job % 5;
        std::atomic<u32> calls[5] = {};
        pool.run(threads, [&](u32 number) { calls[number].fetch_add(1); });
        for (u32 number = 0; number < 5; ++number) ASSERT_EQ(calls[number].load(), number < threads ? 1u : 0u);
    }
}

TEST(ThreadPool, PartsRunOnceWhoeverComesFirst) {
    ThreadPool pool;
    constexpr u32 kThreads = 16;  // more than there are cores: some helpers come late, some not at all
    for (const bool caller_is_slow : {false, true})
        for (u32 job = 0; job < 50; ++job) {
            std::atomic<u32> calls[kThreads] = {};
            std::atomic<u32> others{0};
            pool.run(kThreads, [&](u32 number) {
                calls[number].fetch_add(1);
                if (number != 0) others.fetch_add(1);
                // Helpers do everything else meanwhile; bounded, in case none can be had.
                for (u32 turn = 0; number == 0 && caller_is_slow && others < kThreads - 1 && turn < 10'000; ++turn)
                    platform::yield();
            });
            for (const std::atomic<u32>& count : calls) ASSERT_EQ(count.load(), 1u);
        }
}

}  // namespace
}  // namespace photonlink::optics
