#include "photonlink/optics/gpu/shot_plan.hpp"

#include <string>

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics::gpu {
namespace {

constexpr u64 kMostStates = u64{1} << 32;  // results name them with 32 bits

bool has_outputs(const ProgramSpec& spec) { return spec.readout.kind != ReadoutKind::Samples; }

}  // namespace

void check_shot_program(const ProgramSpec& spec) {
    check_noiseless(spec);
    const u64 states = state_count(spec.readout.space, spec.modes, spec.photons());
    if (states > kMostStates)
        throw ProgramError("samples of " + std::to_string(spec.photons()) + " photons in " +
                           std::to_string(spec.modes) + " modes fall on " + count_text(states) +
                           " states, but results number at most 2^32 of them; use fewer photons or modes");
    if (has_outputs(spec) && output_size(spec) >= kMostStates)
        throw ProgramError("this readout has " + count_text(output_size(spec)) +
                           " outputs, but a GPU numbers less than 2^32 of them; use a grouping, or a samples readout");
}

ShotPlan::ShotPlan(const ProgramSpec& program, u32 kept_samples)
    : spec(&program),
      shots(kept_samples),
      states(state_count(program.readout.space, program.modes, program.photons())) {
    if (has_outputs(program)) readout = Plan(program, Precision::Float64, kept_samples).readout;
}

u64 ShotPlan::table_bytes() const {
    const ShotArrays arrays(*this);
    const u64 modes = spec->modes, matrices = spec->interferometers.size();
    return matrices * modes * modes * sizeof(Complex64) +
           (matrices * modes + spec->phases.size() + 2 * modes + 1 + arrays.photon_column.size()) * sizeof(u32) +
           (arrays.ahead.size() + arrays.clicks_ahead.size()) * sizeof(u64) + arrays.modes.size() * sizeof(OutputModes);
}

u64 ShotPlan::row_bytes() const {
    const u64 elements = u64{spec->modes} * occupied_modes(*spec);
    return spec->phases.size() * sizeof(double) + 2 * elements * sizeof(Complex64) + sizeof(u32) +
           (readout.outputs + u64{2}) * sizeof(u64);
}

ShotArrays::ShotArrays(const ShotPlan& plan) {
    const ProgramSpec& spec = *plan.spec;
    const u32 photons = spec.photons();
    const InputColumns inputs(spec);
    for (u32 column = 0; column < inputs.occupation.size(); ++column)
        photon_column.insert(photon_column.end(), inputs.occupation[column], column);
    ahead = Basis(spec.readout.space, spec.modes, photons).ahead();
    for (u32 mode = 0; plan.readout.gather == Gather::Lists && mode < spec.modes; ++mode)
        for (u32 left = 0; left <= photons; ++left)  // the pattern without clicks counts here
            clicks_ahead.push_back(left == 0 ? 0
                                             : click_pattern_count(Space::Fock, spec.modes - 1 - mode, left - 1) + 1);
    Readout of_modes = plan.readout;
    of_modes.parts = 0;  // nothing is summed up over states
    if (plan.readout.gather == Gather::Occupation) modes = ReadoutTables(spec, of_modes).modes;
}

}  // namespace photonlink::optics::gpu
