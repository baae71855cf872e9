#include "shots_engine.hpp"

#include <algorithm>
#include <string>

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/gpu/shot_plan.hpp"
#include "photonlink/optics/simulator.hpp"
#include "sim_shots.hpp"
#include "tiled_engine.hpp"

namespace photonlink::cuda {
namespace {

using optics::ProgramError;
using optics::gpu::ShotJob;
using optics::gpu::ShotPlan;

u64 bytes_of(const ShotPlan& plan, u64 rows) {
    return optics::saturating_add(plan.table_bytes() + kAlignmentBytes, optics::saturating_mul(plan.row_bytes(), rows));
}

template <class Real>
class ShotsEngine final : public TiledEngine<Real> {
  public:
    ShotsEngine(const SimulatorConfig& config, const SimulatorSizes& sizes, int multiprocessors);

    void vjp(const VjpBatch&, cudaStream_t) override {
        throw ProgramError("shots that are drawn without a distribution have no derivatives; use shots=0");
    }

  private:
    using TiledEngine<Real>::program_;
    using TiledEngine<Real>::arena_;
    using TiledEngine<Real>::simulation_;
    using TiledEngine<Real>::kWhat;

    void run_tile(const device::Simulation<Real>& tile, const RawFeatures& features, cudaStream_t stream) override;
    ShotJob shots_of(const device::Simulation<Real>& tile) const;

    const u64 most_warps_;
    const u64 tile_rows_;
    ShotJob shots_;
};

template <class Real>
ShotsEngine<Real>::ShotsEngine(const SimulatorConfig& config, const SimulatorSizes& sizes, int multiprocessors)
    : TiledEngine<Real>(config, sizes.tile_rows),
      // As many as a multiprocessor can hold; shots differ in how long they take, and the others make up for it.
      most_warps_(static_cast<u64>(multiprocessors) * 32),
      tile_rows_(sizes.tile_rows),
      shots_(take_shots(ShotPlan(program_, config.shots), sizes.tile_rows, arena_)) {
    optics::gpu::Job<Real> job{};
    job.readout = shots_.readout;
    job.shots = config.shots;
    this->use(job, config);
    simulation_.closed_form = true;  // launch_prepare() composes columns, and has no sweep to prepare
    shots_.seed = config.seed;
    shots_.next_id = simulation_.job.next_id;
    shots_.composed = simulation_.composed;
}

template <class Real>
ShotJob ShotsEngine<Real>::shots_of(const device::Simulation<Real>& tile) const {
    ShotJob shots = shots_;
    shots.rows = tile.rows;
    shots.first_row = tile.job.first_row;
    shots.states = tile.job.results.states;
    return shots;
}

template <class Real>
void ShotsEngine<Real>::run_tile(const device::Simulation<Real>& tile, const RawFeatures& features,
                                 cudaStream_t stream) {
    const ShotJob shots = shots_of(tile);
    device::Simulation<Real> columns = tile;
    columns.job.readout.outputs = 0;
    check(launch_prepare(columns, features, stream), kWhat);
    const u64 counters = 2 * tile_rows_ + u64{tile.rows} * shots.readout.outputs;
    check(cudaMemsetAsync(shots.attempts, 0, counters * sizeof(u64), stream), "clear the counters of shots");
    const u64 all = u64{tile.rows} * shots.shots;
    check(launch_shots(shots, std::min(all, most_warps_), stream), kWhat);
    check(launch_publish_shots(shots, tile.job.results, stream), kWhat);
}

}  // namespace

u64 predict_shot_bytes(const optics::ProgramSpec& program, u32 shots, u64 rows) {
    optics::gpu::check_shot_program(program);
    return bytes_of(ShotPlan(program, shots), rows);
}

SimulatorSizes plan_shot_sizes(const SimulatorConfig& config) {
    constexpr u64 kMostScratch = u64{1} << 29, kMostRows = 4096;  // estimated, as in plan_sizes()
    const u64 least = predict_shot_bytes(config.program, config.shots, 1);
    const ShotPlan plan(config.program, config.shots);
    if (least > config.memory_limit)
        throw ProgramError("estimating the " + std::to_string(plan.readout.outputs) +
                           " outputs of this program takes " + optics::count_text(least) +
                           " bytes of device memory, but the limit is " + std::to_string(config.memory_limit) +
                           " bytes; use a samples readout, mode expectations, correlators or a grouping, or raise the "
                           "limit");
    const u64 row = plan.row_bytes();
    const u64 fitting = (config.memory_limit - bytes_of(plan, 0)) / row;
    SimulatorSizes sizes{};
    sizes.tile_rows = static_cast<u32>(std::min(fitting, std::clamp<u64>(kMostScratch / row, 1, kMostRows)));
    sizes.bytes = bytes_of(plan, sizes.tile_rows);
    sizes.by_shots = true;
    return sizes;
}

std::unique_ptr<SimulatorEngine> create_shots_engine(const SimulatorConfig& config, const SimulatorSizes& sizes,
                                                     int multiprocessors) {
    check(preload_shots(), "load the kernels that draw shots");
    if (config.precision == optics::Precision::Float32)
        return std::make_unique<ShotsEngine<float>>(config, sizes, multiprocessors);
    return std::make_unique<ShotsEngine<double>>(config, sizes, multiprocessors);
}

}  // namespace photonlink::cuda
