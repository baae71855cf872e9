// The memory that simulators and differentiators predict bounds what they take, and a warm run takes none.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "photonlink/optics/gradient_noisy_closed_form.hpp"
#include "photonlink/optics/gradients.hpp"
#include "programs.hpp"

namespace {
std::atomic<std::size_t> allocated_bytes{0};
std::atomic<std::size_t> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
    allocated_bytes += bytes;
    ++allocations;
    void* const memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}
}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return counted(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return counted(bytes, alignof(std::max_align_t));
}
void operator delete(void* memory) noexcept { std::free(memory); }
// Not inlined: gcc takes a free() that it can see for a mismatch where it does not see the allocation.
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace photonlink::optics {
namespace {

using namespace test;

struct Case {
    u32 modes;
    std::vector<u32> input;
    ReadoutSpec readout;
};

const Case kCases[] = {
    {10, {1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, {ReadoutKind::Probabilities, Space::Fock, Grouping::None, 0}},
    {10, {1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, {ReadoutKind::Probabilities, Space::Fock, Grouping::Lex, 4}},
    {14, {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, {ReadoutKind::Correlators, Space::Unbunched, Grouping::None, 0}},
    {9, {3, 1, 1, 0, 0, 0, 0, 0, 0}, {ReadoutKind::ClickPatterns, Space::Fock, Grouping::None, 0}},
    {13, {1, 1, 1, 1, 1, 1, 1}, {ReadoutKind::Probabilities, Space::Fock, Grouping::None, 0}},
    {13, {1, 1, 1, 1, 1, 1, 1}, {ReadoutKind::Probabilities, Space::Fock, Grouping::Mod, 5}},
    {18, {1, 1, 1, 1, 1, 1, 1, 1}, {ReadoutKind::Probabilities, Space::Unbunched, Grouping::None, 0}},
    {16, {1, 1, 1, 1, 1, 1, 1, 1}, {ReadoutKind::Probabilities, Space::DualRail, Grouping::None, 0}},
    {12, {1, 1, 1, 1, 1, 1}, {ReadoutKind::Correlators, Space::Fock, Grouping::None, 0}},
};

TEST(Memory, PredictionBoundsWhatASimulatorTakes) {
    constexpr std::size_t kBookkeeping = 256 << 10;  // ranks, walkers, builders of tables, the objects themselves
    for (Case test_case : kCases) {
        test_case.input.resize(test_case.modes);
        const ProgramSpec spec = random_program(test_case.modes, test_case.input, 1, test_case.readout, 1);
        const auto shared = std::make_shared<const ProgramSpec>(spec);
        const std::size_t before = allocated_bytes;
        const auto simulator = Simulator::create(shared, Precision::Float32, kGiB);
        const std::size_t taken = allocated_bytes - before;
        EXPECT_LE(taken, simulator->memory_bytes() + kBookkeeping);
        EXPECT_GE(taken * 2, simulator->memory_bytes());
        EXPECT_LE(predict_bytes(spec, Precision::Float32), simulator->memory_bytes());
        EXPECT_NO_THROW(make_simulator<float>(spec, predict_bytes(spec, Precision::Float32)));
        EXPECT_THROW(make_simulator<float>(spec, predict_bytes(spec, Precision::Float32) - 1), ProgramError);
    }
}

TEST(Memory, PredictionBoundsWhatDerivativesOfNoiseTake) {
    constexpr std::size_t kBookkeeping = 256 << 10;
    for (const Detectors detectors : {Detectors::Resolving, Detectors::Threshold})
        for (const Space space : {Space::Fock, Space::Unbunched}) {
            ProgramSpec spec =
                random_program(10, {1, 0, 1, 0, 1, 0, 1, 0, 0, 0}, 1, {ReadoutKind::Probabilities, space}, 1);
            spec.noise = noise_of(0.9, 0.8, 0.9, 0.05, true);
            spec.noise.detectors = detectors;
            const std::size_t before = allocated_bytes;
            const auto differentiator =
                Differentiator::create(std::make_shared<const ProgramSpec>(spec), Precision::Float64, {kGiB, 2});
            const std::size_t taken = allocated_bytes - before;
            EXPECT_LE(taken, differentiator->memory_bytes() + kBookkeeping);
            EXPECT_GE((taken + kBookkeeping) * 2, differentiator->memory_bytes());
        }
}

/// Of each readout that has one, with many photons from one source where that is accurate.
std::vector<ProgramSpec> noisy_closed_forms() {
    std::vector<ProgramSpec> programs;
    for (const ReadoutKind kind :
         {ReadoutKind::ModeExpectations, ReadoutKind::Correlators, ReadoutKind::ClickProbabilities}) {
        const u32 many = kind == ReadoutKind::ClickProbabilities ? 7 : 14;
        programs.push_back(random_program(8, {many, 1, many, 0, 1, 0, 0, 0}, 1, {kind, Space::Fock}, 1));
        programs.back().noise = noise_of(0.9, 0.8, 0.9, 0, false);
        programs.back().noise.min_detected = 0;
    }
    return programs;
}

/// Of their threads, whose share is far less than the bookkeeping around all of them.
TEST(Memory, PredictionBoundsWhatThreadsTakeForClosedForms) {
    constexpr std::size_t kObjects = 2 << 10;
    for (const ProgramSpec& spec : noisy_closed_forms()) {
        const auto shared = std::make_shared<const ProgramSpec>(spec);
        std::size_t taken[2], predicted[2];
        for (const u32 more : {0u, 1u}) {
            const std::size_t before = allocated_bytes;
            const auto differentiator = Differentiator::create(shared, Precision::Float64, {kGiB, 2 + more});
            taken[more] = allocated_bytes - before;
            predicted[more] = differentiator->memory_bytes();
            ASSERT_EQ(differentiator->levels(), 0u);
        }
        EXPECT_LE(taken[1] - taken[0], predicted[1] - predicted[0] + kObjects);
    }
}

/// Threads may not fail for want of memory in the middle of a batch.
TEST(Memory, ClosedFormsOfNoiseAllocateNothingAtWork) {
    for (const ProgramSpec& spec : noisy_closed_forms()) {
        const NoisePlan plan = plan_noise(spec);
        ASSERT_TRUE(has_noisy_closed_form(spec, plan));
        NoisyClosedFormGradient closed_form(spec, plan);
        const std::vector<double> matrix(2 * spec.modes * plan.sources.size(), 0.25);
        std::vector<double> out(matrix.size()), values(spec.modes * spec.modes), cotangents(values.size(), 1.0);
        const std::size_t before = allocations;
        closed_form.evaluate(matrix.data(), matrix.data() + 1, 1, values.data());
        closed_form.pull_back(matrix.data(), matrix.data() + 1, 1, cotangents.data(), out.data(), out.data() + 1);
        EXPECT_EQ(allocations, before);
    }
}

TEST(Memory, WarmRunsAllocateNothing) {
    constexpr std::size_t kRows = 19;
    for (Case test_case : kCases) {
        test_case.input.resize(test_case.modes);
        const ProgramSpec spec = random_program(test_case.modes, test_case.input, 1, test_case.readout, 1);
        const auto simulator = make_simulator<float>(spec);
        const std::vector<double> phases = random_phases(spec, kRows, 2);
        std::vector<float> out(kRows * simulator->output_size());
        std::vector<void*> targets;
        for (std::size_t row = 0; row < kRows; ++row) targets.push_back(out.data() + row * simulator->output_size());
        std::vector<u64> ids(kRows);
        SimulationBatch batch;
        batch.rows = kRows;
        batch.phases = phases.data();
        batch.ids = ids.data();
        batch.observables = targets.data();
        for (const u32 shots : {0u, 100u}) {
            batch.shots = shots;
            simulator->run(batch);
            const std::size_t before = allocations;
            simulator->run(batch);
            EXPECT_EQ(allocations, before) << shots << " shots";
        }
    }
}

}  // namespace
}  // namespace photonlink::optics
