#include "gradient_batch.hpp"

#include <cmath>
#include <string>
#include <utility>

#include "batch_split.hpp"
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

GradientCommon::GradientCommon(std::shared_ptr<const ProgramSpec> program, std::size_t output_count,
                               const GradientLayout& chosen)
    : spec(std::move(program)),
      profile(select_kernel_profile()),
      gradients(gradient_profile(profile)),
      outputs(output_count),
      layout(chosen),
      network(*spec),
      row_ns(estimated_row_ns(*spec, false)) {}

void GradientCommon::set_interferometers(const Complex* matrices) {
    ProgramSpec changed = *spec;
    for (std::vector<Complex>& matrix : changed.interferometers) {
        std::copy(matrices, matrices + matrix.size(), matrix.begin());
        matrices += matrix.size();
    }
    check_spec(changed);
    spec = std::make_shared<const ProgramSpec>(std::move(changed));
    network.set_interferometers(spec->interferometers);
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
void check_cotangents(const GradientCommon& common, const GradientBatch& batch) {
    const auto* const matrices = reinterpret_cast<const double*>(batch.interferometer_gradients);
    if (common.keeps_events && all_finite(batch.phase_gradients, batch.rows * common.spec->phases.size()) &&
        all_finite(matrices, 2 * common.network.elements()))
        return;
    check_finite(static_cast<const Real*>(batch.cotangents), batch.rows, common.outputs, "cotangent");
}

template void check_cotangents<float>(const GradientCommon&, const GradientBatch&);
template void check_cotangents<double>(const GradientCommon&, const GradientBatch&);

}  // namespace photonlink::optics
