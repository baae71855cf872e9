// Amplitudes against permanents written out as sums over permutations.
#include "photonlink/optics/amplitudes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "programs.hpp"

namespace photonlink::optics::test {
namespace {

struct Case {
    std::vector<u32> input;
    u32 layers;
    Space space;
};

const Case kCases[] = {
    {{1, 0, 1, 0}, 1, Space::Fock},
    {{2, 1, 0, 1}, 2, Space::Fock},  // bunched input
    {{0, 0, 3}, 0, Space::Fock},     // one column, no phases
    {{1, 0, 0, 0, 1, 0, 1, 1}, 1, Space::Fock},
    {{1, 1, 0, 1, 0, 0, 1}, 2, Space::Unbunched},
    {{1, 0, 0, 1, 1, 0}, 1, Space::DualRail},
};

template <class Real>
std::vector<std::complex<Real>> run_amplitudes(AmplitudeSimulator& simulator, const std::vector<double>& phases,
                                               std::size_t rows) {
    std::vector<std::complex<Real>> out(rows * simulator.basis_size());
    simulator.run(rows, phases.data(), out.data());
    return out;
}

template <class Real>
std::unique_ptr<AmplitudeSimulator> make_amplitudes(const ProgramSpec& spec, u32 threads = 1,
                                                    std::size_t limit = kGiB) {
    return AmplitudeSimulator::create(spec, kPrecision<Real>, limit, threads);
}

/// The whole matrix of one datapoint, multiplied out.
std::vector<Complex> unitary_of(const ProgramSpec& spec, const double* phases) {
    const u32 m = spec.modes;
    std::vector<Complex> u = spec.interferometers[0];
    for (u32 layer = 0; layer + 1 < spec.interferometers.size(); ++layer) {
        for (std::size_t p = 0; p < spec.phases.size(); ++p)
            if (spec.phases[p].layer == layer)
                for (u32 c = 0; c < m; ++c) u[spec.phases[p].mode * m + c] *= std::polar(1.0, phases[p]);
        std::vector<Complex> product(u.size());
        for (u32 i = 0; i < m; ++i)
            for (u32 j = 0; j < m; ++j)
                for (u32 k = 0; k < m; ++k)
                    product[i * m + j] += spec.interferometers[layer + 1][i * m + k] * u[k * m + j];
        u = product;
    }
    return u;
}

double factorials(const std::vector<u32>& modes_of_photons) {
    double product = 1;
    for (std::size_t i = 1, run = 1; i < modes_of_photons.size(); ++i) {
        run = modes_of_photons[i] == modes_of_photons[i - 1] ? run + 1 : 1;
        product *= static_cast<double>(run);
    }
    return product;
}

Complex amplitude(const std::vector<Complex>& u, u32 modes, const std::vector<u32>& from, const std::vector<u32>& to) {
    std::vector<u32> order(from.size());
    std::iota(order.begin(), order.end(), 0u);
    Complex permanent = 0;
    do {
        Complex term = 1;
        for (std::size_t p = 0; p < order.size(); ++p) term *= u[to[p] * modes + from[order[p]]];
        permanent += term;
    } while (std::next_permutation(order.begin(), order.end()));
    return permanent / std::sqrt(factorials(from) * factorials(to));
}

template <class Count>
std::vector<u32> photon_modes(const Count* occupation, u32 modes) {
    std::vector<u32> found;
    for (u32 mode = 0; mode < modes; ++mode) found.insert(found.end(), occupation[mode], mode);
    return found;
}

template <class Real>
void expect_permanents(double tolerance) {
    constexpr std::size_t kRows = 5;
    u64 seed = 0;
    for (const Case& at : kCases) {
        SCOPED_TRACE(++seed);
        const u32 modes = static_cast<u32>(at.input.size());
        const ProgramSpec spec =
            random_program(modes, at.input, at.layers, {ReadoutKind::Probabilities, at.space}, seed);
        const auto phases = random_phases(spec, kRows, seed);
        const auto simulator = make_amplitudes<Real>(spec);
        const auto computed = run_amplitudes<Real>(*simulator, phases, kRows);
        const Basis basis(at.space, modes, spec.photons());
        ASSERT_EQ(simulator->basis_size(), basis.size());
        const std::vector<u32> from = photon_modes(at.input.data(), modes);
        std::vector<u8> state(modes);
        for (std::size_t row = 0; row < kRows; ++row) {
            const auto u = unitary_of(spec, phases.data() + row * spec.phases.size());
            for (u64 rank = 0; rank < basis.size(); ++rank) {
                basis.unrank(rank, state.data());
                const Complex expected = amplitude(u, modes, from, photon_modes(state.data(), modes));
                const Complex found(computed[row * basis.size() + rank]);
                ASSERT_LT(std::abs(found - expected), tolerance) << "row " << row << ", state " << rank;
            }
        }
    }
}

TEST(Amplitudes, ArePermanents) { expect_permanents<double>(1e-13); }
TEST(Amplitudes, ArePermanentsInSinglePrecision) { expect_permanents<float>(2e-6); }

/// Batches and threads leave every bit alone, in every profile; profiles differ by rounding.
TEST(Amplitudes, DoNotDependOnBatchesOrThreads) {
    const ProgramSpec spec = random_program(7, {1, 0, 1, 0, 1, 0, 1}, 1, {ReadoutKind::Probabilities, Space::Fock}, 3);
    constexpr std::size_t kRows = 500;  // enough for threads to pay
    const auto phases = random_phases(spec, kRows, 4);
    for_each_profile([&](const std::string&) {
        const auto simulator = make_amplitudes<float>(spec, 3);
        EXPECT_EQ(simulator->threads(), 3u);
        const auto all = run_amplitudes<float>(*simulator, phases, kRows);
        const auto alone = make_amplitudes<float>(spec);
        EXPECT_EQ(all, run_amplitudes<float>(*alone, phases, kRows));
        std::vector<std::complex<float>> pieces(all.size());
        for (std::size_t first = 0, size = 1; first < kRows; first += size, size = size % 37 + 1) {
            const std::size_t rows = std::min(size, kRows - first);
            alone->run(rows, phases.data() + first * spec.phases.size(), pieces.data() + first * alone->basis_size());
        }
        EXPECT_EQ(all, pieces);
    });
}

/// Fewer rows than lanes are cut up, too, where each is much work.
TEST(Amplitudes, ThreadsShareFewRows) {
    const ProgramSpec spec =
        random_program(12, {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0}, 1, {ReadoutKind::Probabilities, Space::Fock}, 3);
    for (const std::size_t rows : {1u, 5u, 9u}) {
        const auto phases = random_phases(spec, rows, 4);
        EXPECT_EQ(run_amplitudes<float>(*make_amplitudes<float>(spec, 3), phases, rows),
                  run_amplitudes<float>(*make_amplitudes<float>(spec), phases, rows));
    }
}

/// A readout decides about the space and about nothing else.
TEST(Amplitudes, IgnoreWhatAReadoutMakesOfStates) {
    const auto phases_of = [](const ProgramSpec& spec) { return random_phases(spec, 2, 1); };
    const ProgramSpec plain = random_program(4, {1, 1, 0, 0}, 1, {ReadoutKind::Probabilities, Space::Unbunched}, 8);
    const auto expected = run_amplitudes<double>(*make_amplitudes<double>(plain), phases_of(plain), 2);
    for (const ReadoutSpec readout :
         {ReadoutSpec{ReadoutKind::Samples, Space::Unbunched}, ReadoutSpec{ReadoutKind::Correlators, Space::Unbunched},
          ReadoutSpec{ReadoutKind::Probabilities, Space::Unbunched, Grouping::Mod, 3}}) {
        const ProgramSpec spec = random_program(4, {1, 1, 0, 0}, 1, readout, 8);
        EXPECT_EQ(run_amplitudes<double>(*make_amplitudes<double>(spec), phases_of(spec), 2), expected);
    }
}

TEST(Amplitudes, MemoryIsPredictedAndBounded) {
    const ProgramSpec spec =
        random_program(10, {1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, 1, {ReadoutKind::Probabilities, Space::Fock}, 5);
    const std::size_t least = predict_amplitude_bytes(spec, Precision::Float64);
    const auto narrow = make_amplitudes<double>(spec, 4, least);
    EXPECT_EQ(narrow->lanes(), 1u);
    EXPECT_EQ(narrow->threads(), 1u);
    EXPECT_LE(narrow->memory_bytes(), least);
    const auto wide = make_amplitudes<double>(spec, 2);
    const auto phases = random_phases(spec, 9, 6);
    const auto a = run_amplitudes<double>(*narrow, phases, 9), b = run_amplitudes<double>(*wide, phases, 9);
    EXPECT_EQ(a, b);
    EXPECT_THROW(make_amplitudes<double>(spec, 1, least - 1), ProgramError);
    const ProgramSpec large = random_program(60, std::vector<u32>(60, 0), 0, {ReadoutKind::Probabilities}, 1);
    ProgramSpec hopeless = large;
    std::fill_n(hopeless.input.begin(), 30, 1u);
    EXPECT_THROW(make_amplitudes<float>(hopeless), ProgramError);
}

TEST(Amplitudes, RefusesWhatHasNone) {
    const ProgramSpec spec = random_program(4, {1, 1, 0, 0}, 1, {ReadoutKind::Probabilities, Space::Fock}, 2);
    ProgramSpec apart = spec;
    apart.interference = false;
    EXPECT_THROW(make_amplitudes<double>(apart), ProgramError);
    ProgramSpec noisy = spec;
    noisy.noise.indistinguishability = 0.9;
    EXPECT_THROW(make_amplitudes<double>(noisy), ProgramError);
    ProgramSpec turned = spec;
    turned.noise.phase_imprecision = 0.1;
    EXPECT_THROW(make_amplitudes<double>(turned), ProgramError);
    ProgramSpec clicking = spec;
    clicking.noise.detectors = Detectors::Threshold;
    EXPECT_THROW(make_amplitudes<double>(clicking), ProgramError);
    auto phases = random_phases(spec, 2, 1);
    phases[5] = std::nan("");
    const auto simulator = make_amplitudes<double>(spec);
    EXPECT_THROW(run_amplitudes<double>(*simulator, phases, 2), ProgramError);
    EXPECT_NO_THROW(simulator->run(0, nullptr, nullptr));
}

}  // namespace
}  // namespace photonlink::optics::test
