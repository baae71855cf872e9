// Values are the same bits, whichever way they are computed: alone, beside derivatives, or by a simulator.
#include <algorithm>
#include <cstring>

#include "gradient_programs.hpp"

namespace photonlink::optics::test {
namespace {

constexpr std::size_t kRows = 19;
/// One row; one more than row kernels take at a time; more than are few; a group of 16 and a remainder.
constexpr std::size_t kBatches[] = {1, 3, 13, kRows};

/// Spaces below and above the number of states that are added up at a time.
std::vector<GradientCase> cases() {
    using K = ReadoutKind;
    const std::vector<u32> inputs[] = {{1, 1, 0, 2, 1, 0, 0, 0, 0},                 // 1287 in fock
                                       {1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0},  // 2002 in unbunched
                                       {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0}};       // 64 in dual_rail
    std::vector<GradientCase> all = gradient_cases();
    for (const Space space : {Space::Fock, Space::Unbunched, Space::DualRail})
        for (const ReadoutSpec readout :
             {ReadoutSpec{K::Probabilities, space}, ReadoutSpec{K::Probabilities, space, Grouping::Lex, 7},
              ReadoutSpec{K::Probabilities, space, Grouping::Lex, 1},
              ReadoutSpec{K::Probabilities, space, Grouping::Mod, 7}, ReadoutSpec{K::ModeExpectations, space},
              ReadoutSpec{K::ClickPatterns, space}, ReadoutSpec{K::Correlators, space}})
            all.push_back({space_name(space), inputs[static_cast<std::size_t>(space)], readout});
    return all;
}

template <class Real>
bool begins_with(const std::vector<Real>& whole, const std::vector<Real>& part) {
    return part.size() <= whole.size() && std::memcmp(whole.data(), part.data(), part.size() * sizeof(Real)) == 0;
}

template <class Real>
void expect_same_values(const GradientCase& at) {
    SCOPED_TRACE(describe(at));
    const ProgramSpec spec = make_program(at, 1, 5);
    const auto phases = random_phases(spec, kRows, 6);
    const auto differentiator = make_differentiator<Real>(spec);
    const auto cotangents = random_cotangents<Real>(kRows * differentiator->output_size(), 7);
    const auto expected = differentiate(*differentiator, spec, phases.data(), cotangents.data(), kRows).values;
    const auto simulator = make_simulator<Real>(spec);
    const auto narrow = make_differentiator<Real>(spec, 1, predict_gradient_bytes(spec, kPrecision<Real>));
    for (const std::size_t rows : kBatches) {
        SCOPED_TRACE(rows);
        const Real* const none = nullptr;
        ASSERT_TRUE(begins_with(expected, differentiate(*differentiator, spec, phases.data(), none, rows).values));
        ASSERT_TRUE(begins_with(expected, differentiate(*narrow, spec, phases.data(), none, rows).values));
        ASSERT_TRUE(begins_with(expected, run<Real>(*simulator, phases.data(), rows)));
    }
}

TEST(GradientValues, AreTheSameBitsAloneAndBesideDerivativesAndSimulated) {
    for_each_profile([](const std::string&) {
        for (const GradientCase& at : cases()) {
            expect_same_values<float>(at);
            expect_same_values<double>(at);
        }
    });
}

TEST(GradientValues, DoNotDependOnThreads) {
    constexpr std::size_t kMany = 700;  // enough for three threads to pay
    const GradientCase at{"unbunched", {1, 0, 1, 0, 1, 1, 0, 0}, {ReadoutKind::Probabilities, Space::Unbunched}};
    const ProgramSpec spec = make_program(at, 2, 7);
    const auto phases = random_phases(spec, kMany, 8);
    const double* const none = nullptr;
    const auto alone = differentiate(*make_differentiator<double>(spec), spec, phases.data(), none, kMany);
    const auto shared = differentiate(*make_differentiator<double>(spec, 3), spec, phases.data(), none, kMany);
    EXPECT_EQ(alone.values, shared.values);
}

/// A lone row of a large space is finished by several threads.
TEST(GradientValues, OfOneRowAreSharedByThreads) {
    const GradientCase at{
        "fock", {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, {ReadoutKind::Probabilities, Space::Fock}};
    const ProgramSpec spec = make_program(at, 1, 7);
    const auto phases = random_phases(spec, 1, 8);
    const float* const none = nullptr;
    const auto alone = differentiate(*make_differentiator<float>(spec), spec, phases.data(), none, 1);
    const auto shared = differentiate(*make_differentiator<float>(spec, 3), spec, phases.data(), none, 1);
    EXPECT_EQ(alone.values, shared.values);
}

TEST(GradientValues, FollowTheInterferometers) {
    const GradientCase at = cases().back();
    const ProgramSpec spec = make_program(at, 1, 7), other = make_program(at, 1, 8);
    const auto phases = random_phases(spec, 2, 1);
    const double* const none = nullptr;
    const auto expected = differentiate(*make_differentiator<double>(other), other, phases.data(), none, 2);
    const auto differentiator = make_differentiator<double>(spec);
    const auto before = differentiate(*differentiator, spec, phases.data(), none, 2);
    differentiator->set_interferometers(elements(other).data());
    const auto after = differentiate(*differentiator, spec, phases.data(), none, 2);
    EXPECT_EQ(after.values, expected.values);
    EXPECT_NE(after.values, before.values);
}

/// A way back that nobody reads values of leaves out what only they need.
TEST(GradientValues, DerivativesDoNotDependOnThem) {
    constexpr std::size_t kFew = 5;
    for (const GradientCase& at : gradient_cases()) {
        SCOPED_TRACE(describe(at));
        const ProgramSpec spec = make_program(at, 2, 3);
        const auto phases = random_phases(spec, kFew, 4);
        const auto differentiator = make_differentiator<double>(spec);
        const auto cotangents = random_cotangents<double>(kFew * differentiator->output_size(), 5);
        const auto expected = differentiate(*differentiator, spec, phases.data(), cotangents.data(), kFew);
        Gradients<double> found = expected;
        std::fill(found.phases.begin(), found.phases.end(), 0.0);
        GradientBatch batch;
        batch.rows = kFew;
        batch.phases = phases.data();
        batch.cotangents = cotangents.data();
        batch.phase_gradients = found.phases.data();
        batch.interferometer_gradients = found.interferometers.data();
        differentiator->run(batch);
        EXPECT_EQ(found.phases, expected.phases);
        EXPECT_EQ(found.interferometers, expected.interferometers);
    }
}

}  // namespace
}  // namespace photonlink::optics::test
