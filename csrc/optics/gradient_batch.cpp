#include "gradient_batch.hpp"

#include <cmath>
#include <string>
#include <utility>

#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

template <class Number>
void check_finite(const Number* numbers, std::size_t rows, std::size_t columns, const char* what) {
    for (std::size_t i = 0; i < rows * columns; ++i)
        if (!std::isfinite(numbers[i]))
            throw ProgramError(std::string(what) + " in row " + std::to_string(i / columns) + ", column " +
                               std::to_string(i % columns) + " is " + std::to_string(numbers[i]) +
                               "; expected a finite number");
}

bool all_finite(const double* numbers, std::size_t count) {
    return numbers == nullptr || std::all_of(numbers, numbers + count, [](double x) { return std::isfinite(x); });
}

std::size_t matrix_elements(const ProgramSpec& spec) { return spec.interferometers.size() * spec.modes * spec.modes; }

}  // namespace

std::shared_ptr<const ProgramSpec> with_interferometers(const ProgramSpec& spec, const Complex* matrices) {
    ProgramSpec changed = spec;
    for (std::vector<Complex>& matrix : changed.interferometers) {
        std::copy(matrices, matrices + matrix.size(), matrix.begin());
        matrices += matrix.size();
    }
    check_spec(changed);
    return std::make_shared<const ProgramSpec>(std::move(changed));
}

void check_differentiable(const ProgramSpec& spec) {
    check_spec(spec);
    if (spec.readout.kind == ReadoutKind::Samples)
        throw ProgramError("a samples readout has no derivatives; use probabilities, expectations or correlators");
    if (spec.noise.phase_imprecision > 0)
        throw ProgramError("phases that are rounded to steps of " + std::to_string(spec.noise.phase_imprecision) +
                           " radians have no derivatives; remove the phase imprecision");
}

u64 GroupSums::predict_bytes(const ProgramSpec& spec) { return kWave * matrix_elements(spec) * sizeof(Complex); }

void begin_batch(const ProgramSpec& spec, const GradientBatch& batch) {
    check_finite(batch.phases, batch.rows, spec.phases.size(), "phase");
    if (batch.interferometer_gradients != nullptr)
        std::fill_n(batch.interferometer_gradients, matrix_elements(spec), Complex{0});
}

template <class Real>
void check_cotangents(const GradientBatch& batch, std::size_t outputs) {
    check_finite(static_cast<const Real*>(batch.cotangents), batch.rows, outputs, "cotangent");
}

template <class Real>
void check_derivatives(const ProgramSpec& spec, const GradientBatch& batch, std::size_t outputs) {
    const auto* const matrices = reinterpret_cast<const double*>(batch.interferometer_gradients);
    if (all_finite(batch.phase_gradients, batch.rows * spec.phases.size()) &&
        all_finite(matrices, 2 * matrix_elements(spec)))
        return;
    check_cotangents<Real>(batch, outputs);
}

template void check_cotangents<float>(const GradientBatch&, std::size_t);
template void check_cotangents<double>(const GradientBatch&, std::size_t);
template void check_derivatives<float>(const ProgramSpec&, const GradientBatch&, std::size_t);
template void check_derivatives<double>(const ProgramSpec&, const GradientBatch&, std::size_t);

}  // namespace photonlink::optics
