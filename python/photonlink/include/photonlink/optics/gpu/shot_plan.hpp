// How a program is sampled on a GPU without its distribution: the tables, and the memory of both. Host code; knows
// nothing of CUDA.
#pragma once

#include <vector>

#include "photonlink/optics/gpu/plan.hpp"
#include "photonlink/optics/gpu/shots.hpp"

namespace photonlink::optics::gpu {

/// Of a program that check_shot_program() has let pass.
struct ShotPlan {
    ShotPlan(const ProgramSpec& program, u32 shots);

    /// Bytes of everything that rows share, and of what each needs for itself. Saturate.
    u64 table_bytes() const;
    u64 row_bytes() const;

    const ProgramSpec* spec;
    u32 shots;
    u64 states;
    Readout readout{};  // without its arrays; a samples readout has no outputs
};

/// Throws ProgramError as check_noiseless() does, and for states or outputs too many to be numbered.
void check_shot_program(const ProgramSpec& spec);

/// The arrays that shots look things up in, before they are uploaded.
struct ShotArrays {
    explicit ShotArrays(const ShotPlan& plan);

    std::vector<u32> photon_column;
    std::vector<u64> ahead;
    std::vector<u64> clicks_ahead;
    std::vector<OutputModes> modes;
};

/// A job for tiles of up to `rows` rows; columns, ids, results and the number of rows are for each tile to fill in.
template <class Memory>
ShotJob take_shots(const ShotPlan& plan, u32 rows, Memory& memory) {
    const ProgramSpec& spec = *plan.spec;
    const ShotArrays arrays(plan);
    ShotJob job{};
    job.tables = {spec.modes,        spec.photons(),     occupied_modes(spec),
                  spec.interference, spec.readout.space, upload_all(memory, arrays.photon_column)};
    job.readout = plan.readout;
    job.readout.modes = upload_all(memory, arrays.modes);
    job.ahead = upload_all(memory, arrays.ahead);
    job.clicks_ahead = upload_all(memory, arrays.clicks_ahead);
    job.rows = rows;
    job.shots = plan.shots;
    job.attempts = memory.template take<u64>((plan.readout.outputs + u64{2}) * rows);
    job.given_up = job.attempts + rows;
    job.totals = job.given_up + rows;
    return job;
}

}  // namespace photonlink::optics::gpu
