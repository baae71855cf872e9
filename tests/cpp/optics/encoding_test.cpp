#include "photonlink/encoding.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "photonlink/optics/simulator.hpp"

namespace photonlink {
namespace {

using optics::ProgramError;

/// phase 0 = 1 + 2 x1, phase 1 = 0.5, phase 2 = -x0 + 3 x1.
Encoding sample(bool wrap) { return Encoding(2, {0, 1, 1, 3}, {1, 0, 1}, {2.0, -1.0, 3.0}, {1.0, 0.5, 0.0}, wrap); }

TEST(Encoding, AppliesTheMapToEveryRow) {
    const double x[] = {0.25, 0.5, 10.0, -1.0};
    double phases[6];
    sample(false).encode(x, 2, phases);
    const double expected[] = {2.0, 0.5, 1.25, -1.0, 0.5, -13.0};
    for (int i = 0; i < 6; ++i) EXPECT_DOUBLE_EQ(phases[i], expected[i]);
}

TEST(Encoding, WrapsIntoOneTurnAndReadsFloats) {
    const float x[] = {10.0f, -1.0f};
    double phases[3];
    sample(true).encode(x, 1, phases);
    EXPECT_NEAR(phases[0], kTwoPi - 1.0, 1e-12);
    EXPECT_NEAR(phases[2], 3 * kTwoPi - 13.0, 1e-12);
}

TEST(Encoding, NamesTheFeatureThatIsNotFinite) {
    const double x[] = {0, 0, 0, std::numeric_limits<double>::quiet_NaN()};
    double phases[6];
    try {
        sample(false).encode(x, 2, phases);
        FAIL() << "a NaN was encoded";
    } catch (const ProgramError& error) {
        EXPECT_NE(std::string(error.what()).find("row 1, column 1"), std::string::npos) << error.what();
    }
}

TEST(Encoding, RefusesArraysThatDoNotFit) {
    EXPECT_THROW(Encoding(2, {0, 1}, {0}, {1.0}, {0.0, 0.0}, false), ProgramError);     // row_begin too short
    EXPECT_THROW(Encoding(2, {0, 2}, {0}, {1.0}, {0.0}, false), ProgramError);          // ends beyond the terms
    EXPECT_THROW(Encoding(2, {0, 2, 1}, {0}, {1.0}, {0.0, 0.0}, false), ProgramError);  // descends
    EXPECT_THROW(Encoding(2, {0, 1}, {0}, {1.0, 2.0}, {0.0}, false), ProgramError);     // more weights than features
    EXPECT_THROW(Encoding(2, {0, 1}, {2}, {1.0}, {0.0}, false), ProgramError);          // no such feature
    EXPECT_THROW(Encoding(2, {0, 1}, {1}, {std::numeric_limits<double>::infinity()}, {0.0}, false), ProgramError);
    EXPECT_NO_THROW(Encoding(0, {0}, {}, {}, {}, false));
}

}  // namespace
}  // namespace photonlink
