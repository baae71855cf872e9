// Everything that can be wrong with a ProgramSpec, in words.
#include <cmath>
#include <cstdio>
#include <string>

#include "photonlink/finite.hpp"
#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/noise_plan.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/slos_tables.hpp"

namespace photonlink::optics {
namespace {

constexpr double kUnitaryTolerance = 1e-6;  // lets matrices in, that were rounded to float32

std::string text(u64 number) { return std::to_string(number); }

std::string scientific(double number) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.3g", number);
    return buffer;
}

void check_input(const ProgramSpec& spec) {
    if (spec.modes == 0 || spec.modes > kMaxModes)
        throw ProgramError("program has " + text(spec.modes) + " modes; expected 1 to " + text(kMaxModes));
    if (spec.input.size() != spec.modes)
        throw ProgramError("input state has " + text(spec.input.size()) + " entries; expected one per mode (" +
                           text(spec.modes) + ")");
    u64 photons = 0;
    for (const u32 n : spec.input) photons += n;
    if (photons == 0) throw ProgramError("input state has no photons; put at least one into a mode");
    if (photons > kMaxPhotons)
        throw ProgramError("input state has " + text(photons) + " photons; this simulator takes at most " +
                           text(kMaxPhotons));
}

/// Largest entry of |U^dagger U - 1|.
double unitarity_error(const std::vector<Complex>& matrix, u32 modes) {
    double worst = 0;
    for (u32 a = 0; a < modes; ++a)
        for (u32 b = a; b < modes; ++b) {
            Complex product = a == b ? -1.0 : 0.0;
            for (u32 i = 0; i < modes; ++i)
                product += std::conj(matrix[std::size_t{i} * modes + a]) * matrix[std::size_t{i} * modes + b];
            worst = std::max(worst, std::abs(product));
        }
    return worst;
}

void check_interferometers(const ProgramSpec& spec) {
    if (spec.interferometers.empty())
        throw ProgramError("program has no interferometer; expected at least one (use the identity if nothing mixes)");
    for (std::size_t layer = 0; layer < spec.interferometers.size(); ++layer) {
        const std::vector<Complex>& matrix = spec.interferometers[layer];
        const std::string name = "interferometer " + text(layer);
        if (matrix.size() != std::size_t{spec.modes} * spec.modes)
            throw ProgramError(name + " has " + text(matrix.size()) +
                               " elements; expected modes x modes = " + text(u64{spec.modes} * spec.modes));
        for (std::size_t e = 0; e < matrix.size(); ++e)
            if (!std::isfinite(matrix[e].real()) || !std::isfinite(matrix[e].imag()))
                throw ProgramError(name + " is not finite at row " + text(e / spec.modes) + ", column " +
                                   text(e % spec.modes));
        const double error = unitarity_error(matrix, spec.modes);
        if (error > kUnitaryTolerance)
            throw ProgramError(name + " is not unitary: max |U^dagger U - 1| is " + scientific(error) + ", tolerance " +
                               scientific(kUnitaryTolerance) + "; pass a unitary matrix in double precision");
    }
}

void check_phases(const ProgramSpec& spec) {
    const std::size_t layers = spec.interferometers.size() - 1;
    for (std::size_t p = 0; p < spec.phases.size(); ++p) {
        const PhaseSite& site = spec.phases[p];
        if (site.layer >= layers)
            throw ProgramError("phase " + text(p) + " is in layer " + text(site.layer) + ", but " +
                               text(spec.interferometers.size()) + " interferometers have only " + text(layers) +
                               " phase layers between them; add an interferometer after it");
        if (site.mode >= spec.modes)
            throw ProgramError("phase " + text(p) + " is on mode " + text(site.mode) + "; modes run from 0 to " +
                               text(spec.modes - 1));
    }
}

void check_readout(const ProgramSpec& spec) {
    const u32 photons = spec.photons();
    const ReadoutSpec& readout = spec.readout;
    if (readout.space == Space::Unbunched && photons > spec.modes)
        throw ProgramError("unbunched space holds at most one photon per mode, but there are " + text(photons) +
                           " photons in " + text(spec.modes) + " modes; use the fock space or fewer photons");
    if (readout.space == Space::DualRail && (spec.modes % 2 != 0 || photons != spec.modes / 2))
        throw ProgramError("dual_rail space needs an even number of modes and one photon per pair; got " +
                           text(spec.modes) + " modes and " + text(photons) + " photons");
    if (readout.grouping == Grouping::None) return;
    if (readout.kind != ReadoutKind::Probabilities)
        throw ProgramError("grouping applies to probabilities only; use grouping none with this readout");
    if (readout.groups == 0) throw ProgramError("grouped readout has 0 groups; expected at least 1");
}

}  // namespace

void check_spec(const ProgramSpec& spec) {
    check_input(spec);
    check_interferometers(spec);
    check_phases(spec);
    check_readout(spec);
    check_noise(spec);
}

void check_numbered(const ProgramSpec& spec) {
    if (SlosTables::can_number(spec.readout.space, spec.modes, spec.photons())) return;
    throw ProgramError("the " + std::string(space_name(spec.readout.space)) + " space of " + text(spec.photons()) +
                       " photons in " + text(spec.modes) +
                       " modes has more states than the 2^32 that a simulation can number; use fewer of both");
}

void check_batch(const ProgramSpec& spec, const SimulationBatch& batch) {
    const std::size_t phases = spec.phases.size();
    const bool finite = are_finite(batch.phases, batch.rows * phases);
    for (std::size_t i = 0; !finite && i < batch.rows * phases; ++i)
        if (!std::isfinite(batch.phases[i]))
            throw ProgramError("phase in row " + std::to_string(i / phases) + ", column " + std::to_string(i % phases) +
                               " is " + std::to_string(batch.phases[i]) + "; expected a finite number of radians");
    if (batch.shots == 0 && spec.readout.kind == ReadoutKind::Samples)
        throw ProgramError("samples readout has no exact result; ask for at least one shot");
    if (batch.shots > 0 && batch.ids == nullptr)
        throw ProgramError("sampling needs the datapoint ids, which key its random numbers");
}

}  // namespace photonlink::optics
