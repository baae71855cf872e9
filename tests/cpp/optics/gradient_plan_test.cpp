// What must not change results: batches, threads, memory, lanes. And what is refused.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "gradient_programs.hpp"

namespace photonlink::optics::test {
namespace {

const GradientCase kCases[] = {
    {"fock", {1, 0, 2, 0, 1, 0}, {ReadoutKind::Probabilities, Space::Fock}},
    {"unbunched", {1, 0, 1, 0, 1, 1}, {ReadoutKind::Correlators, Space::Unbunched}},
    {"dual_rail", {1, 0, 1, 0, 1, 0}, {ReadoutKind::Probabilities, Space::DualRail}},
    {"closed form", {1, 1, 1, 0, 1, 0}, {ReadoutKind::ClickProbabilities, Space::Fock}},
    {"distinguishable", {1, 0, 2, 0, 1, 0}, {ReadoutKind::Probabilities, Space::Fock}, false},
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class Real>
void expect_invariant(const GradientCase& at) {
    SCOPED_TRACE(describe(at));
    constexpr std::size_t kRows = 37;  // two full groups and one of 5
    const ProgramSpec spec = make_program(at, 2, 7);
    const auto phases = random_phases(spec, kRows, 8);
    const auto differentiator = make_differentiator<Real>(spec);
    const std::size_t outputs = differentiator->output_size();
    const auto cotangents = random_cotangents<Real>(kRows * outputs, 9);
    const auto whole = differentiate(*differentiator, spec, phases.data(), cotangents.data(), kRows);

    for (std::size_t row = 0; row < kRows; ++row) {
        const auto one = differentiate(*differentiator, spec, phases.data() + row * spec.phases.size(),
                                       cotangents.data() + row * outputs, 1);
        ASSERT_EQ(std::memcmp(one.values.data(), whole.values.data() + row * outputs, outputs * sizeof(Real)), 0);
        ASSERT_EQ(std::memcmp(one.phases.data(), whole.phases.data() + row * spec.phases.size(),
                              spec.phases.size() * sizeof(double)),
                  0);
    }
}

template <class Real>
void expect_threads_do_not_matter(const GradientCase& at) {
    SCOPED_TRACE(describe(at));
    constexpr std::size_t kRows = 1413;  // enough for three threads to pay; a wave of groups, others, and one of 5
    const ProgramSpec spec = make_program(at, 2, 7);
    const auto phases = random_phases(spec, kRows, 8);
    const auto alone = make_differentiator<Real>(spec);
    const auto cotangents = random_cotangents<Real>(kRows * alone->output_size(), 9);
    const auto whole = differentiate(*alone, spec, phases.data(), cotangents.data(), kRows);
    const auto threaded = make_differentiator<Real>(spec, 3);
    EXPECT_EQ(threaded->threads(), 3u);
    const auto shared = differentiate(*threaded, spec, phases.data(), cotangents.data(), kRows);
    EXPECT_TRUE(same_bits(shared.values, whole.values));
    EXPECT_TRUE(same_bits(shared.phases, whole.phases));
    EXPECT_TRUE(same_bits(shared.interferometers, whole.interferometers));
}

TEST(GradientPlan, BatchAndThreadsDoNotChangeABit) {
    for (const GradientCase& at : kCases) {
        expect_invariant<float>(at);
        expect_invariant<double>(at);
        expect_threads_do_not_matter<float>(at);
        expect_threads_do_not_matter<double>(at);
    }
}

TEST(GradientPlan, EveryProfileAgrees) {
    for (const GradientCase& at : kCases) {
        const ProgramSpec spec = make_program(at, 2, 7);
        const auto phases = random_phases(spec, 20, 8);
        Gradients<double> first;
        for (const std::string& profile : supported_profiles()) {
            const ForcedProfile forced(profile);
            expect_invariant<double>(at);
            const auto differentiator = make_differentiator<double>(spec);
            EXPECT_EQ(differentiator->kernel_profile(), profile);
            const auto cotangents = random_cotangents<double>(20 * differentiator->output_size(), 9);
            const auto gradients = differentiate(*differentiator, spec, phases.data(), cotangents.data(), 20);
            if (first.phases.empty()) first = gradients;
            for (std::size_t i = 0; i < first.phases.size(); ++i)
                ASSERT_NEAR(gradients.phases[i], first.phases[i], 1e-12);
        }
    }
}

/// Less memory: fewer levels are kept and computed again instead, then fewer lanes; the results stay the same bits.
TEST(GradientPlan, LevelsAreComputedAgainWhereMemoryIsShort) {
    const GradientCase at{"unbunched", {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {ReadoutKind::Probabilities, Space::Unbunched}};
    const ProgramSpec spec = make_program(at, 1, 3);
    const auto phases = random_phases(spec, 5, 4);
    const auto ample = make_differentiator<double>(spec);
    EXPECT_EQ(ample->levels(), 5u);
    EXPECT_EQ(ample->kept_levels(), 5u);
    const auto cotangents = random_cotangents<double>(5 * ample->output_size(), 5);
    const auto expected = differentiate(*ample, spec, phases.data(), cotangents.data(), 5);
    std::vector<u32> kept_seen, lanes_seen;
    const std::size_t least = predict_gradient_bytes(spec, Precision::Float64);
    for (std::size_t limit = ample->memory_bytes(); limit >= least; limit -= 64) {
        const auto tight = make_differentiator<double>(spec, 1, limit);
        ASSERT_LE(tight->memory_bytes(), limit);
        if (!kept_seen.empty() && kept_seen.back() == tight->kept_levels() && lanes_seen.back() == tight->lanes())
            continue;
        kept_seen.push_back(tight->kept_levels());
        lanes_seen.push_back(tight->lanes());
        const auto gradients = differentiate(*tight, spec, phases.data(), cotangents.data(), 5);
        ASSERT_TRUE(same_bits(gradients.values, expected.values)) << limit;
        ASSERT_TRUE(same_bits(gradients.phases, expected.phases)) << limit;
        ASSERT_TRUE(same_bits(gradients.interferometers, expected.interferometers)) << limit;
    }
    for (const u32 kept : {5u, 2u, 1u, 0u})  // not 4 or 3: the two levels on top always have a buffer each
        EXPECT_TRUE(std::find(kept_seen.begin(), kept_seen.end(), kept) != kept_seen.end()) << kept;
    EXPECT_EQ(lanes_seen.back(), 1u);
    EXPECT_THROW(make_differentiator<double>(spec, 1, least - 1), ProgramError);
}

TEST(GradientPlan, FewerThreadsAreTakenWhereMemoryIsShort) {
    const ProgramSpec spec = make_program(kCases[0], 2, 7);
    setenv("PHOTONLINK_THREADS", "4", 1);
    const std::size_t most = make_differentiator<double>(spec, 4)->memory_bytes();
    EXPECT_EQ(make_differentiator<double>(spec, 0)->threads(), 4u);
    const std::size_t least = predict_gradient_bytes(spec, Precision::Float64);
    EXPECT_EQ(make_differentiator<double>(spec, 0, least)->threads(), 1u);
    EXPECT_THROW(make_differentiator<double>(spec, 4, least), ProgramError);
    EXPECT_GT(most, least);
    unsetenv("PHOTONLINK_THREADS");
}

TEST(GradientPlan, TakesOtherInterferometers) {
    const ProgramSpec spec = make_program(kCases[0], 2, 7);
    const ProgramSpec other = make_program(kCases[0], 2, 8);
    const auto phases = random_phases(spec, 3, 1);
    const auto differentiator = make_differentiator<double>(spec, 2);
    const auto cotangents = random_cotangents<double>(3 * differentiator->output_size(), 2);
    const auto expected =
        differentiate(*make_differentiator<double>(other), other, phases.data(), cotangents.data(), 3);
    std::vector<Complex> matrices;
    for (const auto& matrix : other.interferometers) matrices.insert(matrices.end(), matrix.begin(), matrix.end());
    differentiator->set_interferometers(matrices.data());
    const auto gradients = differentiate(*differentiator, spec, phases.data(), cotangents.data(), 3);
    EXPECT_TRUE(same_bits(gradients.phases, expected.phases));
    matrices[3] *= 1.1;
    EXPECT_THROW(differentiator->set_interferometers(matrices.data()), ProgramError);
}

TEST(GradientPlan, RefusesWhatHasNoDerivative) {
    ProgramSpec spec = make_program(kCases[0], 2, 7);
    std::vector<double> phases = random_phases(spec, 1, 1);
    const auto differentiator = make_differentiator<double>(spec);
    std::vector<double> cotangents = random_cotangents<double>(differentiator->output_size(), 2);
    phases[1] = std::numeric_limits<double>::infinity();
    EXPECT_THROW(differentiate(*differentiator, spec, phases.data(), cotangents.data(), 1), ProgramError);
    phases[1] = 0;
    cotangents[2] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_THROW(differentiate(*differentiator, spec, phases.data(), cotangents.data(), 1), ProgramError);
    for (const double indistinguishability : {1.0, 0.9}) {
        ProgramSpec noisy = spec;
        noisy.noise.indistinguishability = indistinguishability;
        noisy.noise.phase_imprecision = 0.1;
        EXPECT_THROW(make_differentiator<double>(noisy), ProgramError);
        EXPECT_THROW(phase_degree(noisy), ProgramError);
    }
    spec.readout.kind = ReadoutKind::Samples;
    EXPECT_THROW(make_differentiator<double>(spec), ProgramError);
}

TEST(GradientPlan, ValuesAloneNeedNoCotangents) {
    for (const GradientCase& at : kCases) {
        const ProgramSpec spec = make_program(at, 2, 7);
        const auto phases = random_phases(spec, 3, 1);
        const auto differentiator = make_differentiator<double>(spec);
        const auto expected = run<double>(spec, phases, 3);
        const auto values = differentiate<double>(*differentiator, spec, phases.data(), nullptr, 3);
        for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(values.values[i], expected[i], 1e-13);
        for (const Complex derivative : values.interferometers) ASSERT_EQ(derivative, Complex(0));
    }
}

}  // namespace
}  // namespace photonlink::optics::test
