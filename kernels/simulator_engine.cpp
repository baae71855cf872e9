#include "simulator_engine.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/gpu/plan.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/slos_tables.hpp"
#include "shots_engine.hpp"
#include "tiled_engine.hpp"

namespace photonlink::cuda {
namespace {

using optics::ProgramError;
using optics::gpu::Plan;

/// Parents of a datapoint up to which one block has its values faster than the launches of all levels take. Estimated,
/// as are the constants of plan_sizes().
constexpr u64 kParentsOfSmallSpace = u64{1} << 19;

bool is_small(const Plan& plan) {
    const optics::ProgramSpec& spec = *plan.spec;
    u64 parents = 0;
    for (u32 k = 1; k <= spec.photons() && !plan.closed_form; ++k)
        parents = optics::saturating_add(
            parents, optics::saturating_mul(k, optics::state_count(spec.readout.space, spec.modes, k)));
    return parents <= kParentsOfSmallSpace;
}

u64 bytes_of(const Plan& plan, u64 rows) {
    return optics::saturating_add(optics::saturating_add(plan.table_bytes(), kAlignmentBytes),
                                  optics::saturating_mul(plan.row_bytes(), rows));
}

[[noreturn]] void refuse_memory(const Plan& plan, u64 limit) {
    const optics::ProgramSpec& spec = *plan.spec;
    throw ProgramError("simulating " + std::to_string(spec.photons()) + " photons in " + std::to_string(spec.modes) +
                       " modes needs " + optics::count_text(bytes_of(plan, 1)) + " bytes of device memory (" +
                       optics::count_text(plan.states) + " basis states in the " +
                       optics::space_name(spec.readout.space) + " space), but the limit is " + std::to_string(limit) +
                       " bytes; use fewer photons or modes, a smaller space, exact mode expectations or correlators in "
                       "the fock space (which need no distribution), raise the limit, or use target 'sim'");
}

bool can_number(const optics::ProgramSpec& spec) {
    return optics::SlosTables::can_number(spec.readout.space, spec.modes, spec.photons());
}

/// Whether the distribution of a row fits; samples of one that does not are drawn without it, as on the CPU.
bool is_enumerable(const SimulatorConfig& config) {
    return can_number(config.program) &&
           bytes_of(Plan(config.program, config.precision, config.shots), 1) <= config.memory_limit;
}

/// Computes distributions, or closed forms.
template <class Real>
class EngineOf final : public TiledEngine<Real> {
  public:
    EngineOf(const SimulatorConfig& config, const SimulatorSizes& sizes, int multiprocessors);

    void vjp(const VjpBatch& batch, cudaStream_t stream) override;

  private:
    using TiledEngine<Real>::program_;
    using TiledEngine<Real>::arena_;
    using TiledEngine<Real>::simulation_;
    using TiledEngine<Real>::kWhat;

    void run_tile(const device::Simulation<Real>& tile, const RawFeatures& features, cudaStream_t stream) override;
    u32 rows_per_block(u32 rows) const;

    const Plan plan_;
    const SimulatorSizes sizes_;
    const u32 multiprocessors_;
    const u64 vjp_bytes_;
    std::unique_ptr<VjpEngine<Real>> vjp_;
};

template <class Real>
EngineOf<Real>::EngineOf(const SimulatorConfig& config, const SimulatorSizes& sizes, int multiprocessors)
    : TiledEngine<Real>(config, sizes.tile_rows),
      plan_(program_, config.precision, config.shots, sizes.tile_states),
      sizes_(sizes),
      multiprocessors_(static_cast<u32>(multiprocessors)),
      vjp_bytes_(config.memory_limit - sizes.bytes) {
    this->use(optics::gpu::take_job<Real>(plan_, sizes.tile_rows, arena_), config);
    simulation_.tasks = optics::gpu::upload_all(arena_, plan_.tasks);
    simulation_.task_count = static_cast<u32>(plan_.tasks.size());
    simulation_.closed_form = plan_.closed_form;
}

template <class Real>
void EngineOf<Real>::vjp(const VjpBatch& batch, cudaStream_t stream) {
    if (vjp_ == nullptr) {
        const SimulatorTables tables{simulation_.encoding, simulation_.circuit, simulation_.job.sweep.levels,
                                     simulation_.job.readout};
        vjp_ = std::make_unique<VjpEngine<Real>>(program_, tables, sizes_.by_rows, multiprocessors_, vjp_bytes_);
    }
    if (batch.values != nullptr) {
        const RawFeatures& features = batch.features;
        this->infer({{features.values, features.bytes, features.stride, batch.values, static_cast<i64>(this->outputs()),
                      nullptr, batch.rows},
                     nullptr,
                     nullptr},
                    stream);
    }
    vjp_->run(batch, stream);
}

template <class Real>
void EngineOf<Real>::run_tile(const device::Simulation<Real>& tile, const RawFeatures& features, cudaStream_t stream) {
    constexpr u32 kBlocksPerMultiprocessor = 16;
    if (sizes_.by_rows) return check(launch_simulate(tile, features, rows_per_block(tile.rows), stream), kWhat);
    check(launch_prepare(tile, features, stream), kWhat);
    for (const optics::gpu::Task& task : plan_.tasks)
        check(launch_task(tile, task, multiprocessors_ * kBlocksPerMultiprocessor, stream), kWhat);
}

/// One while that keeps every multiprocessor busy; then a few, which share the reading of tables.
template <class Real>
u32 EngineOf<Real>::rows_per_block(u32 rows) const {
    constexpr u32 kBlocksPerMultiprocessor = 4, kMost = 8;
    return std::clamp<u32>(rows / (kBlocksPerMultiprocessor * multiprocessors_), 1, kMost);
}

}  // namespace

u64 predict_simulator_bytes(const optics::ProgramSpec& program, optics::Precision precision, u32 shots, u64 rows) {
    optics::gpu::check_noiseless(program);
    u64 enumerated = optics::kSaturated;
    if (shots == 0 || can_number(program)) {
        optics::gpu::check_gpu_program(program, shots);
        enumerated = bytes_of(Plan(program, precision, shots), rows);
    }
    return shots == 0 ? enumerated : std::min(enumerated, predict_shot_bytes(program, shots, rows));
}

SimulatorSizes plan_sizes(const SimulatorConfig& config, u64 cache_bytes) {
    constexpr u64 kMostScratch = u64{1} << 29;  // more rows at a time than this holds would not be faster
    constexpr u64 kMostSmall = 4096, kMostLarge = 64, kFewestLarge = 8;
    constexpr u64 kFewestStates = 4096;  // fewer take less memory than other things
    optics::gpu::check_noiseless(config.program);
    if (config.shots > 0 && !is_enumerable(config)) return plan_shot_sizes(config);
    optics::gpu::check_gpu_program(config.program, config.shots);
    u64 tile_states = optics::gpu::kTileStates;
    Plan plan(config.program, config.precision, config.shots, tile_states);
    while (bytes_of(plan, 1) > config.memory_limit && plan.divisible() && tile_states > kFewestStates)
        plan = Plan(config.program, config.precision, config.shots, tile_states /= 2);
    if (bytes_of(plan, 1) > config.memory_limit) refuse_memory(plan, config.memory_limit);
    const u64 row = plan.row_bytes();
    const u64 fitting = (config.memory_limit - bytes_of(plan, 0)) / row;
    SimulatorSizes sizes{0, 1, tile_states, is_small(plan) && !plan.tiled(), false};
    // The levels of a large space stay in the second-level cache, if enough rows do to share the reading of tables.
    const u64 wanted = sizes.by_rows ? std::clamp<u64>(kMostScratch / row, 1, kMostSmall)
                                     : std::clamp<u64>(cache_bytes / 2 / row, kFewestLarge, kMostLarge);
    sizes.tile_rows = static_cast<u32>(std::min(fitting, wanted));
    sizes.bytes = bytes_of(plan, sizes.tile_rows);
    return sizes;
}

std::unique_ptr<SimulatorEngine> SimulatorEngine::create(const SimulatorConfig& config, const SimulatorSizes& sizes,
                                                         int multiprocessors) {
    if (sizes.by_shots) return create_shots_engine(config, sizes, multiprocessors);
    if (config.precision == optics::Precision::Float32)
        return std::make_unique<EngineOf<float>>(config, sizes, multiprocessors);
    return std::make_unique<EngineOf<double>>(config, sizes, multiprocessors);
}

}  // namespace photonlink::cuda
