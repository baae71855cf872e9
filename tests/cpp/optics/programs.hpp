// Random programs and a plain way to run them, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/slos_kernel.hpp"

namespace photonlink::optics::test {

inline constexpr std::size_t kGiB = std::size_t{1} << 30;

using Generator = std::mt19937_64;

/// Haar-random unitary: Gram-Schmidt on a complex Gaussian matrix.
inline std::vector<Complex> random_unitary(u32 modes, Generator& generator) {
    std::normal_distribution<double> normal;
    std::vector<Complex> u(std::size_t{modes} * modes);
    for (Complex& element : u) element = {normal(generator), normal(generator)};
    for (u32 i = 0; i < modes; ++i) {
        Complex* const row = u.data() + std::size_t{i} * modes;
        for (u32 j = 0; j < i; ++j) {
            const Complex* const done = u.data() + std::size_t{j} * modes;
            Complex overlap = 0;
            for (u32 k = 0; k < modes; ++k) overlap += std::conj(done[k]) * row[k];
            for (u32 k = 0; k < modes; ++k) row[k] -= overlap * done[k];
        }
        double norm = 0;
        for (u32 k = 0; k < modes; ++k) norm += std::norm(row[k]);
        for (u32 k = 0; k < modes; ++k) row[k] /= std::sqrt(norm);
    }
    return u;
}

/// `layers` phase layers with one phase per mode between random interferometers.
inline ProgramSpec random_program(u32 modes, std::vector<u32> input, u32 layers, ReadoutSpec readout, u64 seed) {
    Generator generator(seed);
    ProgramSpec spec;
    spec.modes = modes;
    spec.input = std::move(input);
    spec.readout = readout;
    for (u32 layer = 0; layer <= layers; ++layer) spec.interferometers.push_back(random_unitary(modes, generator));
    for (u32 layer = 0; layer < layers; ++layer)
        for (u32 mode = 0; mode < modes; ++mode) spec.phases.push_back({layer, mode});
    return spec;
}

inline std::vector<double> random_phases(const ProgramSpec& spec, std::size_t rows, u64 seed) {
    Generator generator(seed);
    std::uniform_real_distribution<double> uniform(-10, 10);
    std::vector<double> phases;
    while (phases.size() < rows * spec.phases.size()) phases.push_back(uniform(generator));
    return phases;
}

template <class Real>
inline constexpr Precision kPrecision = sizeof(Real) == 4 ? Precision::Float32 : Precision::Float64;

template <class Real>
std::unique_ptr<Simulator> make_simulator(const ProgramSpec& spec, std::size_t limit = kGiB) {
    return Simulator::create(std::make_shared<const ProgramSpec>(spec), kPrecision<Real>, limit);
}

struct RunOptions {
    u32 shots = 0;
    u64 seed = 0;
    const u64* ids = nullptr;
    RowReport* reports = nullptr;
};

/// Observables, rows x output_size().
template <class Real>
std::vector<Real> run(Simulator& simulator, const double* phases, std::size_t rows, const RunOptions& options = {}) {
    std::vector<Real> out(rows * simulator.output_size());
    std::vector<void*> targets;
    for (std::size_t row = 0; row < rows; ++row) targets.push_back(out.data() + row * simulator.output_size());
    SimulationBatch batch;
    batch.rows = rows;
    batch.phases = phases;
    batch.ids = options.ids;
    batch.seed = options.seed;
    batch.shots = options.shots;
    batch.observables = targets.data();
    batch.reports = options.reports;
    simulator.run(batch);
    return out;
}

template <class Real>
std::vector<Real> run(const ProgramSpec& spec, const std::vector<double>& phases, std::size_t rows,
                      const RunOptions& options = {}) {
    return run<Real>(*make_simulator<Real>(spec), phases.data(), rows, options);
}

/// Names of the profiles that this machine can run.
inline std::vector<std::string> supported_profiles() {
    std::vector<std::string> names;
    for (const KernelProfile* profile : kernel_profiles())
        if (profile->supported()) names.emplace_back(profile->name);
    return names;
}

/// Forces a profile while it lives.
struct ForcedProfile {
    explicit ForcedProfile(const std::string& name) { setenv("PHOTONLINK_SIMD", name.c_str(), 1); }
    ~ForcedProfile() { unsetenv("PHOTONLINK_SIMD"); }
    ForcedProfile(const ForcedProfile&) = delete;
    ForcedProfile& operator=(const ForcedProfile&) = delete;
};

/// Calls check(name) under every profile that this machine can run.
template <class Check>
void for_each_profile(const Check& check) {
    for (const std::string& name : supported_profiles()) {
        SCOPED_TRACE(name);
        const ForcedProfile forced(name);
        check(name);
    }
}

/// What sources and losses do; `g2_own`: the extra photons are distinguishable.
inline NoiseSpec noise_of(double brightness, double transmittance, double indistinguishability, double g2,
                          bool g2_own) {
    NoiseSpec noise;
    noise.brightness = brightness;
    noise.transmittance = transmittance;
    noise.indistinguishability = indistinguishability;
    noise.g2 = g2;
    noise.g2_distinguishable = g2_own;
    return noise;
}

}  // namespace photonlink::optics::test
