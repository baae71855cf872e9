// Bounds on whole batches of numbers, against a comparison of each.
#include "photonlink/finite.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace photonlink {
namespace {

template <class Real>
class Finite : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Finite, Reals);

TYPED_TEST(Finite, BoundsAreThoseOfEveryNumberAlone) {
    using Real = TypeParam;
    using Limits = std::numeric_limits<Real>;
    const std::vector<Real> numbers = {0,
                                       Limits::denorm_min(),
                                       Limits::min(),
                                       Real(0.5),
                                       Real(1),
                                       std::nextafter(Real(1), Real(2)),
                                       Real(1e30f),
                                       Limits::max(),
                                       Limits::infinity(),
                                       Limits::quiet_NaN()};
    for (const Real bound : numbers) {
        if (std::isnan(bound)) continue;
        for (const Real number : numbers)
            for (const Real sign : {Real(1), Real(-1)})
                for (const u64 place : {0u, 3u, 16u}) {
                    std::vector<Real> values(17, Real(0));
                    values[place] = std::copysign(number, sign);
                    const bool below = std::abs(number) < bound && 0 < bound;
                    EXPECT_EQ(are_below(bound, values.data(), values.size()), below)
                        << number << " beside " << bound << " at " << place;
                }
        EXPECT_TRUE(are_below(bound, static_cast<const Real*>(nullptr), 0));
    }
}

TEST(Finite, MeansNeitherInfiniteNorNotANumber) {
    std::vector<double> values = {1e308, -1e308, 0, -0.0, 5e-324};
    EXPECT_TRUE(are_finite(values.data(), values.size()));
    for (const double bad : {HUGE_VAL, -HUGE_VAL, std::nan(""), -std::nan("")}) {
        values.back() = bad;
        EXPECT_FALSE(are_finite(values.data(), values.size())) << bad;
        EXPECT_TRUE(are_finite(values.data(), values.size() - 1));
    }
}

}  // namespace
}  // namespace photonlink
