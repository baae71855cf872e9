// What must not change results, ideal or noisy: batches, threads, memory, lanes. And what is refused.
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

std::vector<ProgramSpec> programs() {
    std::vector<ProgramSpec> all = few_noisy_programs();
    for (const GradientCase& at : kCases) all.push_back(make_program(at, 2, 7));
    return all;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class Real>
void expect_same_bits(const Gradients<Real>& found, const Gradients<Real>& expected) {
    EXPECT_TRUE(same_bits(found.values, expected.values));
    EXPECT_TRUE(same_bits(found.phases, expected.phases));
    EXPECT_TRUE(same_bits(found.interferometers, expected.interferometers));
}

/// Without the derivatives that are summed over rows.
template <class Real>
Gradients<Real> in_pieces(Differentiator& differentiator, const ProgramSpec& spec, const std::vector<double>& phases,
                          const std::vector<Real>& cotangents, std::size_t rows, std::size_t piece) {
    Gradients<Real> all;
    for (std::size_t row = 0; row < rows; row += piece) {
        const auto some =
            differentiate(differentiator, spec, phases.data() + row * spec.phases.size(),
                          cotangents.data() + row * differentiator.output_size(), std::min(piece, rows - row));
        all.values.insert(all.values.end(), some.values.begin(), some.values.end());
        all.phases.insert(all.phases.end(), some.phases.begin(), some.phases.end());
    }
    return all;
}

template <class Real>
void expect_batches_do_not_matter(const ProgramSpec& spec) {
    SCOPED_TRACE(describe(spec));
    constexpr std::size_t kRows = 37;  // two full groups and one of 5
    const auto phases = random_phases(spec, kRows, 8);
    const auto differentiator = make_differentiator<Real>(spec);
    const auto cotangents = random_cotangents<Real>(kRows * differentiator->output_size(), 9);
    const auto whole = differentiate(*differentiator, spec, phases.data(), cotangents.data(), kRows);
    const std::size_t least = predict_gradient_bytes(spec, kPrecision<Real>);
    const auto tight = make_differentiator<Real>(spec, 1, least);
    EXPECT_EQ(tight->lanes(), 1u);
    expect_same_bits(differentiate(*tight, spec, phases.data(), cotangents.data(), kRows), whole);
    EXPECT_THROW(make_differentiator<Real>(spec, 1, least - 1), ProgramError);

    EXPECT_TRUE(same_bits(run<Real>(spec, phases, kRows), whole.values));
    const Real* const none = nullptr;
    for (const std::size_t rows : {std::size_t{1}, std::size_t{2}, kRows}) {
        const auto alone = differentiate(*differentiator, spec, phases.data(), none, rows);
        EXPECT_TRUE(std::equal(alone.values.begin(), alone.values.end(), whole.values.begin())) << rows;
        for (const Complex derivative : alone.interferometers) ASSERT_EQ(derivative, Complex(0));
    }
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}}) {
        const auto pieces = in_pieces(*differentiator, spec, phases, cotangents, kRows, piece);
        EXPECT_TRUE(same_bits(pieces.values, whole.values)) << piece;
        EXPECT_TRUE(same_bits(pieces.phases, whole.phases)) << piece;
    }
}

TEST(GradientPlan, BatchAndMemoryDoNotChangeABit) {
    for_each_profile([](const std::string&) {
        for (const ProgramSpec& spec : programs()) {
            expect_batches_do_not_matter<float>(spec);
            expect_batches_do_not_matter<double>(spec);
        }
    });
}

template <class Real>
void expect_threads_do_not_matter(const ProgramSpec& spec) {
    SCOPED_TRACE(describe(spec));
    constexpr std::size_t kRows = 1413;  // enough for three threads to pay; a wave of groups, others, and one of 5
    const auto phases = random_phases(spec, kRows, 8);
    const auto alone = make_differentiator<Real>(spec);
    const auto cotangents = random_cotangents<Real>(kRows * alone->output_size(), 9);
    const auto whole = differentiate(*alone, spec, phases.data(), cotangents.data(), kRows);
    const auto threaded = make_differentiator<Real>(spec, 3);
    EXPECT_EQ(threaded->threads(), 3u);
    expect_same_bits(differentiate(*threaded, spec, phases.data(), cotangents.data(), kRows), whole);
    const Real* const none = nullptr;
    EXPECT_TRUE(same_bits(differentiate(*threaded, spec, phases.data(), none, kRows).values, whole.values));
}

TEST(GradientPlan, ThreadsDoNotChangeABit) {
    for (const ProgramSpec& spec : programs()) {
        expect_threads_do_not_matter<float>(spec);
        expect_threads_do_not_matter<double>(spec);
    }
}

TEST(GradientPlan, EveryProfileAgrees) {
    for (const ProgramSpec& spec : programs()) {
        SCOPED_TRACE(describe(spec));
        const auto phases = random_phases(spec, 20, 8);
        std::vector<double> first;
        for_each_profile([&](const std::string& profile) {
            const auto differentiator = make_differentiator<double>(spec);
            EXPECT_EQ(differentiator->kernel_profile(), profile);
            const auto cotangents = random_cotangents<double>(20 * differentiator->output_size(), 9);
            const auto found = differentiate(*differentiator, spec, phases.data(), cotangents.data(), 20).phases;
            if (first.empty()) first = found;
            for (std::size_t i = 0; i < first.size(); ++i) ASSERT_NEAR(found[i], first[i], 1e-12);
        });
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
        SCOPED_TRACE(limit);
        expect_same_bits(differentiate(*tight, spec, phases.data(), cotangents.data(), 5), expected);
    }
    for (const u32 kept : {5u, 2u, 1u, 0u})  // not 4 or 3: the two levels on top always have a buffer each
        EXPECT_TRUE(std::find(kept_seen.begin(), kept_seen.end(), kept) != kept_seen.end()) << kept;
    EXPECT_EQ(lanes_seen.back(), 1u);
    EXPECT_THROW(make_differentiator<double>(spec, 1, least - 1), ProgramError);
}

TEST(GradientPlan, FewerThreadsAreTakenWhereMemoryIsShort) {
    for (const ProgramSpec& spec : programs()) {
        SCOPED_TRACE(describe(spec));
        setenv("PHOTONLINK_THREADS", "4", 1);
        EXPECT_EQ(make_differentiator<double>(spec, 0)->threads(), 4u);
        const std::size_t least = predict_gradient_bytes(spec, Precision::Float64);
        EXPECT_EQ(make_differentiator<double>(spec, 0, least)->threads(), 1u);
        EXPECT_THROW(make_differentiator<double>(spec, 4, least), ProgramError);
        unsetenv("PHOTONLINK_THREADS");
    }
}

TEST(GradientPlan, TakesOtherInterferometers) {
    for (const ProgramSpec& spec : programs()) {
        SCOPED_TRACE(describe(spec));
        ProgramSpec other = spec;
        other.interferometers = random_program(spec.modes, spec.input, 2, spec.readout, 80).interferometers;
        const auto phases = random_phases(spec, 3, 1);
        const auto differentiator = make_differentiator<double>(spec, 2);
        const auto cotangents = random_cotangents<double>(3 * differentiator->output_size(), 2);
        const auto expected =
            differentiate(*make_differentiator<double>(other), other, phases.data(), cotangents.data(), 3);
        std::vector<Complex> matrices = elements(other);
        differentiator->set_interferometers(matrices.data());
        expect_same_bits(differentiate(*differentiator, spec, phases.data(), cotangents.data(), 3), expected);
        matrices[3] *= 1.1;
        EXPECT_THROW(differentiator->set_interferometers(matrices.data()), ProgramError);
    }
}

/// Even where nothing is kept, so that derivatives are zero whatever the cotangents.
TEST(GradientPlan, WhatIsNotFiniteIsRefused) {
    std::vector<ProgramSpec> all = programs();
    for (const u32 least : {1u, kAllPhotons}) {
        ProgramSpec dark = all.front();
        dark.noise.transmittance = 0;
        dark.noise.min_detected = least;
        all.push_back(dark);
    }
    for (const ProgramSpec& spec : all) {
        SCOPED_TRACE(describe(spec));
        auto phases = random_phases(spec, 1, 1);
        const auto differentiator = make_differentiator<double>(spec);
        auto cotangents = random_cotangents<double>(differentiator->output_size(), 2);
        cotangents[2] = std::numeric_limits<double>::quiet_NaN();
        EXPECT_THROW(differentiate(*differentiator, spec, phases.data(), cotangents.data(), 1), ProgramError);
        cotangents[2] = 0;
        phases[1] = std::numeric_limits<double>::infinity();
        EXPECT_THROW(differentiate(*differentiator, spec, phases.data(), cotangents.data(), 1), ProgramError);
    }
}

TEST(GradientPlan, RefusesWhatHasNoDerivative) {
    ProgramSpec spec = make_program(kCases[0], 2, 7);
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

}  // namespace
}  // namespace photonlink::optics::test
