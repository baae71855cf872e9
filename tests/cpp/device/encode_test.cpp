// Phases of encode_rows() are those of the host's Encoding, bit for bit.
#include "photonlink/device/encode.hpp"

#include "photonlink/encoding.hpp"
#include "scripted.hpp"

namespace photonlink::device::test {
namespace {

constexpr u32 kInputs = 7;
constexpr u32 kOutputs = 9;
constexpr u64 kRows = 13;

/// A sparse random map; row 0 has no term.
Encoding random_encoding(u64 seed, bool wrap, u32 dac_bits) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> uniform(-20, 20);
    std::vector<u32> row_begin{0, 0};
    std::vector<u32> term_feature;
    std::vector<double> weight;
    std::vector<double> offset{1.5};
    for (u32 row = 1; row < kOutputs; ++row) {
        for (u64 terms = random() % 5; terms > 0; --terms) {
            term_feature.push_back(static_cast<u32>(random() % kInputs));
            weight.push_back(uniform(random));
        }
        row_begin.push_back(static_cast<u32>(term_feature.size()));
        offset.push_back(uniform(random));
    }
    return Encoding(kInputs, row_begin, term_feature, weight, offset, wrap, dac_bits);
}

template <class Real>
struct Encoded {
    std::vector<double> phases = std::vector<double>(kRows * kOutputs, -1);
    std::vector<u32> statuses = std::vector<u32>(kRows, 99);

    Encoded(u32 size, const Encoding& encoding, const std::vector<Real>& x, i64 stride) {
        launch(2, size, [&](const HostGroup& group, u32 index) {
            encode_rows(group, encoding.view(), x.data(), stride, phases.data(), statuses.data(), kRows, index, 2);
        });
    }
};

template <class Real>
void expect_host_phases(u32 size, bool wrap, u32 dac_bits) {
    const Encoding encoding = random_encoding(dac_bits + 1, wrap, dac_bits);
    std::mt19937_64 random(3);
    std::uniform_real_distribution<Real> uniform(-50, 50);
    std::vector<Real> x(kRows * kInputs);
    for (Real& value : x) value = uniform(random);
    std::vector<double> expected(kRows * kOutputs);
    encoding.encode(x.data(), kRows, expected.data());

    constexpr i64 kStride = kInputs + 4;
    std::vector<Real> spread(kRows * kStride, std::numeric_limits<Real>::quiet_NaN());
    for (u64 row = 0; row < kRows; ++row)
        std::copy_n(x.begin() + static_cast<i64>(row * kInputs), kInputs,
                    spread.begin() + static_cast<i64>(row) * kStride);
    const Encoded<Real> got(size, encoding, spread, kStride);
    EXPECT_TRUE(same_bits(got.phases.data(), expected.data(), expected.size())) << wrap << ' ' << dac_bits;
    EXPECT_EQ(got.statuses, std::vector<u32>(kRows, 0));
    if (!wrap && dac_bits == 0) return;
    for (const double phase : got.phases) EXPECT_TRUE(phase >= 0 && phase < kTwoPi) << phase;
}

TEST(Encode, PhasesAreTheHostsBitForBit) {
    for (const u32 size : {1u, 3u, 32u}) {
        for (const bool wrap : {false, true}) {
            for (const u32 dac_bits : {0u, 1u, 8u, 32u}) {
                expect_host_phases<float>(size, wrap, dac_bits);
                expect_host_phases<double>(size, wrap, dac_bits);
            }
        }
    }
}

TEST(Encode, RowsThatAreNotFiniteBecomeNaNAndSpoilNoOthers) {
    ScriptEncoding map;
    const double inf = HUGE_VAL;
    const double nan = std::nan("");
    const std::vector<double> x{1, 2, 3, nan, 2, 3, 1, -inf, 3, 1, 2, 1e10, 4, 5, 6};
    const CallStatus expected[] = {CallStatus::Ok, CallStatus::BadFeature, CallStatus::BadFeature, CallStatus::BadPhase,
                                   CallStatus::Ok};
    for (const u32 size : {1u, 3u, 32u}) {
        std::vector<double> phases(5 * kPhases, -1);
        std::vector<u32> statuses(5, 99);
        launch(2, size, [&](const HostGroup& group, u32 index) {
            encode_rows(group, map.view(), x.data(), kFeatures, phases.data(), statuses.data(), 5, index, 2);
        });
        for (u64 row = 0; row < 5; ++row) {
            EXPECT_EQ(static_cast<CallStatus>(statuses[row]), expected[row]);
            for (u32 p = 0; p < kPhases; ++p)
                EXPECT_EQ(std::isnan(phases[row * kPhases + p]), expected[row] != CallStatus::Ok);
        }
        EXPECT_EQ(phases[4 * kPhases + 1], 5);
        launch(1, size, [&](const HostGroup& group, u32) {  // statuses may be left out
            encode_rows(group, map.view(), x.data(), kFeatures, phases.data(), static_cast<u32*>(nullptr), 5, 0, 1);
        });
    }
}

}  // namespace
}  // namespace photonlink::device::test
