// Interferometers that depend on trainable parameters: composed from phase shifters and fixed components, and the way
// back from derivatives with respect to their matrices to those with respect to the parameters.
#pragma once

#include <vector>

#include "photonlink/optics/program.hpp"

namespace photonlink::optics {

/// A number of radians: offset + sum of weight * parameter.
struct AngleTerm {
    u32 parameter;
    double weight;
};

class TrainableCircuit {
  public:
    /// Throws ProgramError for a number of modes that cannot be simulated.
    TrainableCircuit(u32 modes, u32 parameters);

    // Components are appended in the order in which light meets them; they make up the last interferometer so far. All
    // of these throw ProgramError for modes or parameters that do not exist and numbers that are not finite.

    /// A component that does not depend on parameters: `matrix` (row-major, modes.size() squared) on distinct modes.
    void append_fixed(std::vector<u32> modes, std::vector<Complex> matrix);
    void append_phase(u32 mode, double offset, std::vector<AngleTerm> terms);
    /// Starts the next interferometer; a layer of phases lies between.
    void append_interferometer();

    u32 modes() const { return modes_; }
    u32 parameters() const { return parameters_; }
    u32 interferometers() const { return static_cast<u32>(begin_.size()); }

    /// Matrices for parameters() values: interferometers() times modes x modes, row-major.
    void compose(const double* values, Complex* matrices) const;

    /// From `cotangents` G (dL = Re(sum of conj(G) dU), laid out as the matrices) to dL / dvalue.
    void pull_back(const double* values, const Complex* cotangents, double* gradient) const;

  private:
    struct Component {
        std::vector<u32> modes;
        std::vector<Complex> matrix;  // empty for a phase shifter, which has one mode
        double offset = 0;
        std::vector<AngleTerm> terms;
    };

    double angle(const Component& component, const double* values) const;
    std::size_t end_of(std::size_t interferometer) const;
    /// Hands the row of each phase shifter's mode, as it leaves it, to keep(row).
    template <class Keep>
    void compose_one(std::size_t interferometer, const double* values, Complex* matrix, Keep&& keep) const;

    u32 modes_;
    u32 parameters_;
    std::vector<Component> components_;
    std::vector<std::size_t> begin_{0};  // first component of each interferometer
};

}  // namespace photonlink::optics
