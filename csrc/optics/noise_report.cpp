#include "noise_report.hpp"

#include <algorithm>
#include <utility>

namespace photonlink::optics {

RowReport& fresh_report(const SimulationBatch& batch, std::size_t row, std::size_t outputs, RowReport& scratch) {
    RowReport& report = batch.reports != nullptr ? batch.reports[row] : scratch;
    report = RowReport{1.0, std::move(report.observables), {}, {}, {}};
    report.observables.resize(outputs);
    if (batch.shots > 0 && batch.reports != nullptr) report.standard_errors.resize(outputs);
    return report;
}

void publish(const SimulationBatch& batch, std::size_t row, const RowReport& report, Precision precision) {
    if (batch.kept_fractions != nullptr) batch.kept_fractions[row] = report.kept_fraction;
    void* const out = batch.observables == nullptr ? nullptr : batch.observables[row];
    if (out == nullptr) return;
    const std::vector<double>& values = report.observables;
    if (precision == Precision::Float64)
        std::copy(values.begin(), values.end(), static_cast<double*>(out));
    else
        std::transform(values.begin(), values.end(), static_cast<float*>(out),
                       [](double value) { return static_cast<float>(value); });
}

}  // namespace photonlink::optics
