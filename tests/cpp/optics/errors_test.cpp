// What was received, what was expected, and the fix, for everything that can be wrong with a program.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "programs.hpp"

namespace photonlink::optics {
namespace {

using namespace test;

ProgramSpec good_program() { return random_program(4, {1, 0, 1, 0}, 1, {}, 1); }

/// The message of the error that `action` throws.
template <class Error = ProgramError>
std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

void expect_refused(const std::function<void(ProgramSpec&)>& spoil, const std::vector<std::string>& parts) {
    ProgramSpec spec = good_program();
    spoil(spec);
    const std::string message = message_of([&] { make_simulator<double>(spec); });
    for (const std::string& part : parts) EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(SpecErrors, Shapes) {
    expect_refused([](ProgramSpec& s) { s.modes = 0; }, {"0 modes", "1 to 256"});
    expect_refused([](ProgramSpec& s) { s.modes = 1000; }, {"1000 modes"});
    expect_refused([](ProgramSpec& s) { s.input.pop_back(); }, {"3 entries", "one per mode (4)"});
    expect_refused([](ProgramSpec& s) { s.interferometers.clear(); }, {"no interferometer"});
    expect_refused([](ProgramSpec& s) { s.interferometers[1].pop_back(); }, {"interferometer 1", "15 elements", "16"});
}

TEST(SpecErrors, Matrices) {
    expect_refused(
        [](ProgramSpec& s) {
            s.interferometers[0][6] = {0, std::numeric_limits<double>::quiet_NaN()};
        },
        {"interferometer 0", "not finite", "row 1, column 2"});
    expect_refused(
        [](ProgramSpec& s) {
            for (Complex& e : s.interferometers[1]) e *= 1.001;
        },
        {"interferometer 1", "not unitary", "0.002", "1e-06"});
    ProgramSpec rounded = good_program();
    for (Complex& e : rounded.interferometers[0])
        e = Complex(static_cast<float>(e.real()), static_cast<float>(e.imag()));
    EXPECT_NO_THROW(make_simulator<double>(rounded));
}

TEST(SpecErrors, Photons) {
    expect_refused([](ProgramSpec& s) { s.input = {0, 0, 0, 0}; }, {"no photons"});
    expect_refused([](ProgramSpec& s) { s.input = {31, 0, 0, 0}; }, {"31 photons", "at most 30"});
    expect_refused([](ProgramSpec& s) { s.input = {4294967295u, 2, 0, 0}; }, {"4294967297 photons"});
    expect_refused([](ProgramSpec& s) { s.input = {2, 1, 1, 1}; }, {"unbunched", "5 photons in 4 modes", "fock"});
    expect_refused(
        [](ProgramSpec& s) {
            s.input = {1, 1, 1, 0};
            s.readout.space = Space::DualRail;
        },
        {"dual_rail", "4 modes and 3 photons"});
}

TEST(SpecErrors, Phases) {
    expect_refused([](ProgramSpec& s) { s.phases[2].layer = 1; }, {"phase 2", "layer 1", "only 1 phase layers"});
    expect_refused([](ProgramSpec& s) { s.phases[3].mode = 4; }, {"phase 3", "mode 4", "0 to 3"});
}

TEST(SpecErrors, Readouts) {
    expect_refused([](ProgramSpec& s) { s.readout.grouping = Grouping::Lex; }, {"0 groups", "at least 1"});
    expect_refused(
        [](ProgramSpec& s) {
            s.readout = {ReadoutKind::Correlators, Space::Fock, Grouping::Mod, 2};
        },
        {"probabilities only"});
}

TEST(SpecErrors, MemoryIsPredictedBeforeItIsTaken) {
    const ProgramSpec large = random_program(40, std::vector<u32>(40, 0), 0, {}, 1);
    ProgramSpec spec = large;
    for (u32 i = 0; i < 20; ++i) spec.input[i] = 1;
    const std::string message = message_of([&] { make_simulator<float>(spec, kGiB); });
    EXPECT_NE(message.find("20 photons in 40 modes"), std::string::npos) << message;
    EXPECT_NE(message.find("137846528820 basis states in the unbunched space"), std::string::npos) << message;
    EXPECT_NE(message.find("limit is 1073741824 bytes"), std::string::npos) << message;
    EXPECT_NE(message.find(std::to_string(predict_bytes(spec, Precision::Float32)) + " bytes"), std::string::npos);
    const ProgramSpec hopeless = random_program(200, std::vector<u32>(200, 0), 0, {}, 1);
    spec = hopeless;
    for (u32 i = 0; i < 30; ++i) spec.input[i] = 1;
    spec.readout.space = Space::Fock;
    EXPECT_EQ(predict_bytes(spec, Precision::Float32), kSaturated);
    EXPECT_NE(message_of([&] { make_simulator<float>(spec, ~std::size_t{0} - 1); }).find("more than 2^64"),
              std::string::npos);
}

TEST(RunErrors, NonFinitePhases) {
    const ProgramSpec spec = good_program();
    std::vector<double> phases = random_phases(spec, 3, 1);
    phases[4 + 2] = std::numeric_limits<double>::infinity();
    EXPECT_NE(message_of([&] { run<double>(spec, phases, 3); }).find("row 1, column 2"), std::string::npos);
}

TEST(RunErrors, SamplesHaveNoExactResult) {
    ProgramSpec spec = good_program();
    spec.readout.kind = ReadoutKind::Samples;
    const std::vector<double> phases = random_phases(spec, 1, 1);
    EXPECT_NE(message_of([&] { run<double>(spec, phases, 1); }).find("no exact result"), std::string::npos);
    RunOptions options;
    options.shots = 5;
    EXPECT_NE(message_of([&] { run<double>(spec, phases, 1, options); }).find("ids"), std::string::npos);
}

TEST(ProfileErrors, UnknownNamesAreRefused) {
    const ForcedProfile forced("sse9");
    const std::string message = message_of([] { make_simulator<double>(good_program()); });
    EXPECT_NE(message.find("PHOTONLINK_SIMD"), std::string::npos) << message;
    EXPECT_NE(message.find("sse9"), std::string::npos) << message;
    EXPECT_NE(message.find(supported_profiles().back()), std::string::npos) << message;
}

TEST(Profiles, AreTheOnesAskedFor) {
    for_each_profile([&](const std::string& profile) {
        EXPECT_EQ(make_simulator<float>(good_program())->kernel_profile(), profile);
    });
}

}  // namespace
}  // namespace photonlink::optics
