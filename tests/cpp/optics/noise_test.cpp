// Noise against a plain enumeration: every photon of every source gets a state of its own choosing, and distinguishable
// groups of photons are simulated one by one with the noiseless simulator. (Perceval's word is asked in Python.)
#include "photonlink/optics/noise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "photonlink/optics/noise_plan.hpp"
#include "photonlink/optics/noise_readout.hpp"
#include "programs.hpp"

namespace photonlink::optics::test {
namespace {

using State = std::vector<u8>;
using Distribution = std::map<State, double>;

/// Distribution of interfering photons: `occupation` per input mode.
Distribution interfere(const ProgramSpec& noisy, const std::vector<u32>& occupation, const double* phases) {
    u32 photons = 0;
    for (const u32 n : occupation) photons += n;
    if (photons == 0) return {{State(noisy.modes), 1.0}};
    ProgramSpec spec = noisy;
    spec.noise = NoiseSpec{};
    spec.input = occupation;
    spec.readout = {ReadoutKind::Probabilities, Space::Fock, Grouping::None, 0};
    const std::unique_ptr<Simulator> simulator = make_simulator<double>(spec);
    const std::vector<double> p = run<double>(*simulator, phases, 1);
    const std::vector<u8> states = basis_states(Space::Fock, spec.modes, photons);
    Distribution out;
    for (std::size_t i = 0; i < p.size(); ++i)
        out[State(states.begin() + static_cast<std::ptrdiff_t>(i * spec.modes),
                  states.begin() + static_cast<std::ptrdiff_t>((i + 1) * spec.modes))] = p[i];
    return out;
}

Distribution together(const Distribution& a, const Distribution& b) {
    Distribution out;
    for (const auto& [s, p] : a)
        for (const auto& [t, q] : b) {
            State sum = s;
            for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = static_cast<u8>(sum[i] + t[i]);
            out[sum] += p * q;
        }
    return out;
}

/// One thing that a source can do: photons in the shared state, and photons in states of their own.
struct Outcome {
    u32 shared, own;
    double probability;
};

std::vector<Outcome> outcomes(const NoiseSpec& noise) {
    const double x = noise.brightness * noise.g2;
    const double p2 = noise.g2 > 0 ? (1 - x - std::sqrt(1 - 2 * x)) / noise.g2 : 0.0;
    const double p1 = noise.brightness - p2, t = noise.transmittance, good = std::sqrt(noise.indistinguishability);
    std::vector<Outcome> all{{0, 0, 1 - noise.brightness}};
    for (u32 first_shared = 0; first_shared < 2; ++first_shared) {
        const double first = first_shared != 0 ? good : 1 - good;
        for (u32 alive = 0; alive < 2; ++alive)
            all.push_back({alive * first_shared, alive * (1 - first_shared), p1 * first * (alive != 0 ? t : 1 - t)});
        for (u32 alive = 0; alive < 4; ++alive) {
            const u32 one = alive & 1u, two = alive >> 1;
            const u32 two_shared = noise.g2_distinguishable ? 0 : two;
            const double survive = (one != 0 ? t : 1 - t) * (two != 0 ? t : 1 - t);
            all.push_back(
                {one * first_shared + two_shared, one * (1 - first_shared) + two - two_shared, p2 * first * survive});
        }
    }
    return all;
}

/// Sums over what every source can do.
Distribution enumerate(const ProgramSpec& spec, const double* phases) {
    std::vector<u32> sources;
    for (u32 mode = 0; mode < spec.modes; ++mode) sources.insert(sources.end(), spec.input[mode], mode);
    const std::vector<Outcome> all = outcomes(spec.noise);
    Distribution total;
    std::vector<std::size_t> choice(sources.size(), 0);
    for (bool more = true; more;) {
        double probability = 1;
        std::vector<u32> shared(spec.modes, 0);
        Distribution alone{{State(spec.modes), 1.0}};
        for (std::size_t s = 0; s < sources.size(); ++s) probability *= all[choice[s]].probability;
        if (probability > 0) {
            for (std::size_t s = 0; s < sources.size(); ++s) {
                shared[sources[s]] += all[choice[s]].shared;
                std::vector<u32> one(spec.modes, 0);
                one[sources[s]] = 1;
                for (u32 k = 0; k < all[choice[s]].own; ++k) alone = together(alone, interfere(spec, one, phases));
            }
            for (const auto& [state, p] : together(alone, interfere(spec, shared, phases)))
                total[state] += probability * p;
        }
        more = false;
        for (std::size_t s = 0; s < sources.size() && !more; ++s) {
            more = ++choice[s] < all.size();
            if (!more) choice[s] = 0;
        }
    }
    return total;
}

bool holds(Space space, const State& state) {
    if (space == Space::Fock) return true;
    for (std::size_t i = 0; i < state.size(); ++i)
        if (state[i] > 1) return false;
    for (std::size_t i = 0; space == Space::DualRail && i < state.size(); i += 2)
        if (state[i] + state[i + 1] != 1) return false;
    return true;
}

/// Detectors, filter and space.
Distribution detect(const ProgramSpec& spec, const Distribution& light, double& kept) {
    Distribution out;
    kept = 0;
    const u32 least = std::min(spec.noise.min_detected, spec.photons());
    for (const auto& [state, p] : light) {
        State seen = state;
        u32 count = 0;
        for (u8& n : seen) {
            if (spec.noise.detectors == Detectors::Threshold) n = std::min<u8>(n, 1);
            count += n;
        }
        if (count < least || !holds(spec.readout.space, seen)) continue;
        out[seen] += p;
        kept += p;
    }
    return out;
}

const NoiseSpec kNoises[] = {noise_of(1, 0.4, 1, 0, true),       noise_of(0.7, 1, 0.8, 0, true),
                             noise_of(0.8, 0.6, 0.9, 0.2, true), noise_of(0.8, 0.6, 0.9, 0.2, false),
                             noise_of(1, 1, 0, 0.1, false),      noise_of(0.9, 0.5, 1, 0.4, false)};

void expect_enumeration(ProgramSpec spec, u64 seed) {
    const std::vector<double> phases = random_phases(spec, 1, seed);
    const Distribution light = enumerate(spec, phases.data());
    for (const Detectors detectors : {Detectors::Resolving, Detectors::Threshold})
        for (u32 least = 0; least <= spec.photons(); ++least) {
            spec.noise.detectors = detectors;
            spec.noise.min_detected = least;
            double kept = 0;
            const Distribution expected = detect(spec, light, kept);
            const std::unique_ptr<Simulator> simulator = make_simulator<double>(spec);
            RowReport report;
            RunOptions options;
            options.reports = &report;
            const std::vector<double> values = run<double>(*simulator, phases.data(), 1, options);
            EXPECT_NEAR(report.kept_fraction, kept, 1e-12);
            const NoisePlan plan = plan_noise(spec);
            const std::vector<u8> states = sector_states(plan.space, spec.modes, plan.least, plan.most);
            ASSERT_EQ(values.size() * spec.modes, states.size());
            double found = 0;
            for (std::size_t i = 0; i < values.size(); ++i) {
                const State state(states.begin() + static_cast<std::ptrdiff_t>(i * spec.modes),
                                  states.begin() + static_cast<std::ptrdiff_t>((i + 1) * spec.modes));
                const auto at = expected.find(state);
                const double p = at == expected.end() ? 0.0 : at->second;
                found += p;
                EXPECT_NEAR(values[i] * kept, p, 1e-12) << "state " << i << ", at least " << least;
            }
            EXPECT_NEAR(found, kept, 1e-12);  // the basis has every state
        }
}

TEST(Noise, MixtureIsTheSumOverEverythingThatSourcesDo) {
    u64 seed = 1;
    for (const NoiseSpec& noise : kNoises)
        for (const Space space : {Space::Fock, Space::Unbunched}) {
            ProgramSpec spec =
                random_program(4, {1, 0, 1, 1}, 1, {ReadoutKind::Probabilities, space, Grouping::None, 0}, ++seed);
            spec.noise = noise;
            expect_enumeration(spec, seed);
        }
}

TEST(Noise, SeveralPhotonsPerInput) {
    for (const NoiseSpec& noise : {kNoises[2], kNoises[3]}) {
        ProgramSpec spec =
            random_program(3, {2, 1, 0}, 1, {ReadoutKind::Probabilities, Space::Fock, Grouping::None, 0}, 77);
        spec.noise = noise;
        expect_enumeration(spec, 5);
    }
}

TEST(Noise, DualRail) {
    for (const NoiseSpec& noise : kNoises) {
        ProgramSpec spec =
            random_program(4, {1, 0, 0, 1}, 1, {ReadoutKind::Probabilities, Space::DualRail, Grouping::None, 0}, 78);
        spec.noise = noise;
        expect_enumeration(spec, 6);
    }
}

/// Closed forms and distributions are independent ways to the same expectations.
TEST(Noise, ClosedFormsAgreeWithTheDistribution) {
    for (const NoiseSpec& noise : kNoises)
        for (const ReadoutKind kind :
             {ReadoutKind::ModeExpectations, ReadoutKind::Correlators, ReadoutKind::ClickProbabilities})
            for (const u32 least : {0u, kAllPhotons}) {
                ProgramSpec spec = random_program(5, {1, 0, 2, 1, 0}, 2, {kind, Space::Fock, Grouping::None, 0}, 31);
                spec.noise = noise;
                spec.noise.min_detected = least;
                ProgramSpec whole = spec;
                whole.readout.kind = ReadoutKind::Probabilities;
                const std::vector<double> phases = random_phases(spec, 1, 3);
                const std::vector<double> p = run<double>(*make_simulator<double>(whole), phases.data(), 1);
                const std::vector<double> values = run<double>(*make_simulator<double>(spec), phases.data(), 1);
                std::vector<double> expected(values.size());
                SectorReadout(spec, plan_noise(spec)).exact(p.data(), expected.data());
                for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-12);
            }
}

/// Where the distribution does not fit, configurations of the sources are drawn: samples are those of the distribution
/// all the same, whatever the batch.
TEST(Noise, SampledSourcesFollowTheDistribution) {
    constexpr u32 kShots = 20'000;
    for (const NoiseSpec& noise : {kNoises[1], kNoises[2], kNoises[3], kNoises[5]})
        for (const Space space : {Space::Fock, Space::Unbunched, Space::DualRail}) {
            ProgramSpec spec =
                random_program(6, {1, 0, 1, 0, 1, 0}, 1, {ReadoutKind::Probabilities, space, Grouping::None, 0}, 41);
            spec.noise = noise;
            spec.noise.min_detected = 2;
            const std::vector<double> phases = random_phases(spec, 1, 2);
            RowReport exact;
            RunOptions options;
            options.reports = &exact;
            const std::vector<double> p = run<double>(*make_simulator<double>(spec), phases.data(), 1, options);
            const u64 id = 9;
            RowReport sampled;
            options = {kShots, 3, &id, &sampled};
            const std::unique_ptr<Simulator> simulator =
                Simulator::create(std::make_shared<const ProgramSpec>(spec), Precision::Float64,
                                  predict_bytes(spec, Precision::Float64, true), true);
            ASSERT_STREQ(simulator->sampler(), "sampled_sources");
            run<double>(*simulator, phases.data(), 1, options);
            EXPECT_NEAR(sampled.kept_fraction, exact.kept_fraction, 0.05 * exact.kept_fraction);
            std::vector<double> counts(p.size());
            for (std::size_t i = 0; i < sampled.counts.size(); ++i) counts[sampled.state_index[i]] = sampled.counts[i];
            double chi_square = 0, freedom = 0;
            for (std::size_t i = 0; i < p.size(); ++i) {
                if (kShots * p[i] < 10) continue;
                chi_square += std::pow(counts[i] - kShots * p[i], 2) / (kShots * p[i]);
                ++freedom;
            }
            EXPECT_GT(freedom, 5);
            EXPECT_LT(chi_square, freedom + 4 * std::sqrt(2 * freedom));  // 4 standard deviations; the seed is fixed
        }
}

TEST(Noise, SectorOrderNumbersTheListOfSectors) {
    for (const Space space : {Space::Fock, Space::Unbunched, Space::DualRail}) {
        const u32 least = space == Space::DualRail ? 3 : 1, most = space == Space::Fock ? 5 : 3;
        const SectorOrder order(space, 6, least, most);
        const std::vector<u8> states = sector_states(space, 6, least, most);
        ASSERT_EQ(order.size() * 6, states.size());
        u8 state[6];
        for (u64 rank = 0; rank < order.size(); ++rank) {
            EXPECT_EQ(order.rank(states.data() + rank * 6), rank);
            order.unrank(rank, state);
            EXPECT_TRUE(std::equal(state, state + 6, states.data() + rank * 6)) << "rank " << rank;
        }
    }
}

TEST(Noise, SourceModesAddUpToOne) {
    for (const NoiseSpec& noise : kNoises)
        for (u32 expected = 1; expected <= 4; ++expected) {
            double sum = 0;
            for (const double p : SourceMode(noise, expected, true).totals()) sum += p;
            EXPECT_NEAR(sum, 1.0, 1e-14);
        }
}

TEST(Noise, NothingKeptIsNoProbability) {
    ProgramSpec spec =
        random_program(4, {1, 0, 1, 0}, 1, {ReadoutKind::Probabilities, Space::Fock, Grouping::None, 0}, 2);
    spec.noise.transmittance = 0;
    const std::unique_ptr<Simulator> simulator = make_simulator<double>(spec);
    RowReport report;
    RunOptions options;
    options.reports = &report;
    const std::vector<double> phases = random_phases(spec, 1, 1);
    for (const double p : run<double>(*simulator, phases.data(), 1, options)) EXPECT_EQ(p, 0.0);
    EXPECT_EQ(report.kept_fraction, 0.0);
    const u64 id = 0;
    options.shots = 10;
    options.ids = &id;
    EXPECT_THROW(run<double>(*simulator, phases.data(), 1, options), PostSelectionError);
}

TEST(Noise, ImpossibleNoiseIsRefused) {
    const ProgramSpec good =
        random_program(4, {1, 0, 1, 0}, 1, {ReadoutKind::Probabilities, Space::Fock, Grouping::None, 0}, 2);
    const auto refused = [&](void (*spoil)(NoiseSpec&)) {
        ProgramSpec spec = good;
        spoil(spec.noise);
        EXPECT_THROW(check_spec(spec), ProgramError);
    };
    refused([](NoiseSpec& n) { n.brightness = 1.01; });
    refused([](NoiseSpec& n) { n.transmittance = -0.01; });
    refused([](NoiseSpec& n) { n.indistinguishability = std::nan(""); });
    refused([](NoiseSpec& n) { n.g2 = 0.51; });
    refused([](NoiseSpec& n) { n.phase_imprecision = -1; });
    refused([](NoiseSpec& n) { n.phase_errors = {0.1}; });
    refused([](NoiseSpec& n) { n.phase_errors = {0.1, 0.1, 0.1, INFINITY}; });
    refused([](NoiseSpec& n) { n.min_detected = 3; });
}

}  // namespace
}  // namespace photonlink::optics::test
