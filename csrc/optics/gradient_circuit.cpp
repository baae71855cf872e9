#include "photonlink/optics/gradient_circuit.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

/// rows of `matrix` (modes x modes) named by `places` := factor * those rows; factor is places.size() squared.
template <class Element>
void multiply_rows(const std::vector<u32>& places, u32 modes, const Element& factor, Complex* matrix) {
    const std::size_t size = places.size();
    std::vector<Complex> column(size);
    for (u32 c = 0; c < modes; ++c) {
        for (std::size_t i = 0; i < size; ++i) column[i] = matrix[std::size_t{places[i]} * modes + c];
        for (std::size_t i = 0; i < size; ++i) {
            Complex sum = 0;
            for (std::size_t j = 0; j < size; ++j) sum += factor(i, j) * column[j];
            matrix[std::size_t{places[i]} * modes + c] = sum;
        }
    }
}

void multiply_row(Complex factor, u32 modes, Complex* row) {
    for (u32 c = 0; c < modes; ++c) row[c] *= factor;
}

}  // namespace

TrainableCircuit::TrainableCircuit(u32 modes, u32 parameters) : modes_(modes), parameters_(parameters) {
    if (modes == 0 || modes > kMaxModes)
        throw ProgramError("circuit has " + std::to_string(modes) + " modes; expected 1 to " +
                           std::to_string(kMaxModes));
}

void TrainableCircuit::append_fixed(std::vector<u32> modes, std::vector<Complex> matrix) {
    if (matrix.size() != modes.size() * modes.size())
        throw ProgramError("component on " + std::to_string(modes.size()) + " modes has " +
                           std::to_string(matrix.size()) + " elements; expected the square");
    std::vector<bool> seen(modes_);
    for (const u32 mode : modes) {
        if (mode >= modes_ || seen[mode])
            throw ProgramError("component is on mode " + std::to_string(mode) + "; expected distinct modes from 0 to " +
                               std::to_string(modes_ - 1));
        seen[mode] = true;
    }
    for (const Complex element : matrix)
        if (!std::isfinite(element.real()) || !std::isfinite(element.imag()))
            throw ProgramError("component has an element that is not finite");
    components_.push_back({std::move(modes), std::move(matrix), 0, {}});
}

void TrainableCircuit::append_phase(u32 mode, double offset, std::vector<AngleTerm> terms) {
    if (mode >= modes_)
        throw ProgramError("phase shifter is on mode " + std::to_string(mode) + "; modes run from 0 to " +
                           std::to_string(modes_ - 1));
    bool finite = std::isfinite(offset);
    for (const AngleTerm& term : terms) {
        if (term.parameter >= parameters_)
            throw ProgramError("phase shifter depends on parameter " + std::to_string(term.parameter) +
                               "; the circuit has " + std::to_string(parameters_));
        finite = finite && std::isfinite(term.weight);
    }
    if (!finite) throw ProgramError("phase shifter has an offset or weight that is not finite");
    components_.push_back({{mode}, {}, offset, std::move(terms)});
}

void TrainableCircuit::append_interferometer() { begin_.push_back(components_.size()); }

std::size_t TrainableCircuit::end_of(std::size_t interferometer) const {
    return interferometer + 1 < begin_.size() ? begin_[interferometer + 1] : components_.size();
}

double TrainableCircuit::angle(const Component& component, const double* values) const {
    double angle = component.offset;
    for (const AngleTerm& term : component.terms) angle += term.weight * values[term.parameter];
    return angle;
}

template <class Keep>
void TrainableCircuit::compose_one(std::size_t interferometer, const double* values, Complex* matrix,
                                   Keep&& keep) const {
    std::fill_n(matrix, std::size_t{modes_} * modes_, Complex{0});
    for (u32 i = 0; i < modes_; ++i) matrix[std::size_t{i} * (modes_ + 1)] = 1;
    for (std::size_t at = begin_[interferometer]; at < end_of(interferometer); ++at) {
        const Component& component = components_[at];
        if (component.matrix.empty()) {
            Complex* const row = matrix + std::size_t{component.modes[0]} * modes_;
            multiply_row(std::polar(1.0, angle(component, values)), modes_, row);
            keep(row);
            continue;
        }
        const std::size_t size = component.modes.size();
        multiply_rows(
            component.modes, modes_, [&](std::size_t i, std::size_t j) { return component.matrix[i * size + j]; },
            matrix);
    }
}

void TrainableCircuit::compose(const double* values, Complex* matrices) const {
    for (std::size_t i = 0; i < begin_.size(); ++i)
        compose_one(i, values, matrices + i * modes_ * modes_, [](const Complex*) {});
}

void TrainableCircuit::pull_back(const double* values, const Complex* cotangents, double* gradient) const {
    const std::size_t elements = std::size_t{modes_} * modes_;
    std::fill_n(gradient, parameters_, 0.0);
    std::vector<Complex> matrix(elements), adjoint(elements), rows;
    for (std::size_t i = 0; i < begin_.size(); ++i) {
        rows.clear();
        compose_one(i, values, matrix.data(), [&](const Complex* row) { rows.insert(rows.end(), row, row + modes_); });
        std::copy_n(cotangents + i * elements, elements, adjoint.begin());
        const Complex* row = rows.data() + rows.size();
        for (std::size_t at = end_of(i); at-- > begin_[i];) {
            const Component& component = components_[at];
            const std::size_t size = component.modes.size();
            if (!component.matrix.empty()) {
                multiply_rows(
                    component.modes, modes_,
                    [&](std::size_t a, std::size_t b) { return std::conj(component.matrix[b * size + a]); },
                    adjoint.data());
                continue;
            }
            row -= modes_;
            Complex* const back = adjoint.data() + std::size_t{component.modes[0]} * modes_;
            double slope = 0;  // Re(sum of conj(back) i row)
            for (u32 c = 0; c < modes_; ++c)
                slope += (std::conj(back[c]) * Complex(-row[c].imag(), row[c].real())).real();
            for (const AngleTerm& term : component.terms) gradient[term.parameter] += term.weight * slope;
            multiply_row(std::polar(1.0, -angle(component, values)), modes_, back);
        }
    }
}

}  // namespace photonlink::optics
