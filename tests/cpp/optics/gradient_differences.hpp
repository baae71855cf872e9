// Central finite differences of a simulator, which computes observables by other code than a differentiator.
#pragma once

#include "gradient_programs.hpp"

namespace photonlink::optics::test {

inline constexpr double kStep = 1e-5;
/// Of such a step: truncation 1e-10, rounding 1e-11, both times some thousand.
inline constexpr double kTolerance = 1e-7;

inline double loss(const std::vector<double>& values, const std::vector<double>& cotangents) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[i] * cotangents[i];
    return sum;
}

/// U exp(i step H) for a random Hermitian H of unit size, to fourth order; and dU = i U H.
inline std::vector<Complex> turned(const std::vector<Complex>& u, const std::vector<Complex>& hermitian, u32 modes,
                                   double step) {
    std::vector<Complex> sum = u, term = u;
    for (int order = 1; order <= 4; ++order) {
        std::vector<Complex> next(term.size());
        for (u32 i = 0; i < modes; ++i)
            for (u32 j = 0; j < modes; ++j)
                for (u32 k = 0; k < modes; ++k)
                    next[i * modes + j] += Complex(0, step / order) * term[i * modes + k] * hermitian[k * modes + j];
        term = next;
        for (std::size_t e = 0; e < sum.size(); ++e) sum[e] += term[e];
    }
    return sum;
}

inline std::vector<Complex> random_hermitian(u32 modes, Generator& generator) {
    std::normal_distribution<double> normal;
    std::vector<Complex> matrix(std::size_t{modes} * modes);
    for (u32 i = 0; i < modes; ++i)
        for (u32 j = 0; j <= i; ++j) {
            matrix[i * modes + j] = i == j ? Complex(normal(generator)) : Complex(normal(generator), normal(generator));
            matrix[j * modes + i] = std::conj(matrix[i * modes + j]);
        }
    return matrix;
}

inline void expect_phase_differences(Simulator& simulator, const std::vector<double>& phases, std::size_t rows,
                                     const std::vector<double>& cotangents, const std::vector<double>& derivatives) {
    for (std::size_t p = 0; p < phases.size(); ++p) {
        double difference = 0;
        for (const double sign : {1.0, -1.0}) {
            std::vector<double> moved = phases;
            moved[p] += sign * kStep;
            difference += sign * loss(run<double>(simulator, moved.data(), rows), cotangents);
        }
        ASSERT_NEAR(derivatives[p], difference / (2 * kStep), kTolerance) << "phase " << p;
    }
}

/// Along one random direction for each interferometer.
inline void expect_matrix_differences(const ProgramSpec& spec, const std::vector<double>& phases, std::size_t rows,
                                      const std::vector<double>& cotangents, const std::vector<Complex>& derivatives,
                                      u64 seed) {
    Generator generator(seed);
    const u32 modes = spec.modes;
    for (std::size_t layer = 0; layer < spec.interferometers.size(); ++layer) {
        const std::vector<Complex>& matrix = spec.interferometers[layer];
        const auto hermitian = random_hermitian(modes, generator);
        double difference = 0;
        for (const double sign : {1.0, -1.0}) {
            ProgramSpec moved = spec;
            moved.interferometers[layer] = turned(matrix, hermitian, modes, sign * kStep);
            difference += sign * loss(run<double>(moved, phases, rows), cotangents);
        }
        double derivative = 0;
        for (u32 i = 0; i < modes; ++i)
            for (u32 j = 0; j < modes; ++j) {
                Complex change = 0;
                for (u32 k = 0; k < modes; ++k)
                    change += Complex(0, 1) * matrix[i * modes + k] * hermitian[k * modes + j];
                derivative += (std::conj(derivatives[(layer * modes + i) * modes + j]) * change).real();
            }
        ASSERT_NEAR(derivative, difference / (2 * kStep), 10 * kTolerance) << "interferometer " << layer;
    }
}

}  // namespace photonlink::optics::test
