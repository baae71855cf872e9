// What the ways of simulating a call share: a tile of rows at a time, and the device memory that any of them needs.
#pragma once

#include <algorithm>

#include "encoding.hpp"
#include "photonlink/optics/gpu/plan.hpp"
#include "simulator_engine.hpp"

namespace photonlink::cuda {

template <class Real>
class TiledEngine : public SimulatorEngine {
  public:
    u64 outputs() const final { return simulation_.job.readout.outputs; }
    void infer(const SimulatedBatch& batch, cudaStream_t stream) final;
    void set_interferometers(const optics::ProgramSpec& program) final;
    device::SimulatorMailbox* mailbox() const final { return static_cast<device::SimulatorMailbox*>(mailbox_.host()); }

  protected:
    static constexpr const char* kWhat = "launch a kernel of the simulator";

    TiledEngine(const SimulatorConfig& config, u32 tile_rows);

    /// The job of every tile, but for what differs from tile to tile.
    void use(const optics::gpu::Job<Real>& job, const SimulatorConfig& config);
    /// Everything of a tile but its end.
    virtual void run_tile(const device::Simulation<Real>& tile, const RawFeatures& features, cudaStream_t stream) = 0;

    const optics::ProgramSpec program_;  // plans look at it
    Arena arena_;
    device::Simulation<Real> simulation_{};

  private:
    device::Simulation<Real> tile_of(const SimulatedBatch& batch, u64 first, u32 rows) const;

    const u32 tile_rows_;
    MappedMemory mailbox_;
};

template <class Real>
TiledEngine<Real>::TiledEngine(const SimulatorConfig& config, u32 tile_rows)
    : program_(config.program), tile_rows_(tile_rows), mailbox_(sizeof(device::SimulatorMailbox)) {
    simulation_.encoding = upload_encoding(*config.encoding, arena_);
    simulation_.circuit = optics::gpu::upload_circuit(program_, arena_);
    simulation_.phases = arena_.take<double>(program_.phases.size() * tile_rows);
    simulation_.composed = arena_.take<optics::gpu::Complex64>(u64{2} * simulation_.circuit.elements() * tile_rows);
    simulation_.words = arena_.take<device::Words>(1);
    simulation_.mailbox = static_cast<device::SimulatorMailbox*>(mailbox_.device());
}

template <class Real>
void TiledEngine<Real>::use(const optics::gpu::Job<Real>& job, const SimulatorConfig& config) {
    simulation_.job = job;
    simulation_.job.seed = config.seed;
    simulation_.job.next_id = &simulation_.words->next_id;
    simulation_.job.results.statuses = arena_.take<u32>(tile_rows_);
    simulation_.job.results.nothing_kept = static_cast<u32>(CallStatus::Refused);
}

template <class Real>
void TiledEngine<Real>::set_interferometers(const optics::ProgramSpec& program) {
    const optics::gpu::CircuitTables tables(program);
    const auto write = [this](const optics::gpu::Complex64* place, const std::vector<optics::gpu::Complex64>& values) {
        arena_.overwrite(const_cast<optics::gpu::Complex64*>(place), values.data(), values.size());
    };
    write(simulation_.circuit.first, tables.first);
    write(simulation_.circuit.matrices, tables.matrices);
}

template <class Real>
device::Simulation<Real> TiledEngine<Real>::tile_of(const SimulatedBatch& batch, u64 first, u32 rows) const {
    device::Simulation<Real> tile = simulation_;
    tile.job.first_row = batch.rows.first_row + first;
    tile.job.results.out = static_cast<Real*>(batch.rows.out) + static_cast<i64>(first) * batch.rows.out_stride;
    tile.job.results.stride = batch.rows.out_stride;
    if (batch.kept_fractions != nullptr) tile.job.results.kept_fractions = batch.kept_fractions + first;
    if (batch.shot_states != nullptr) tile.job.results.states = batch.shot_states + first * tile.job.shots;
    if (batch.rows.statuses != nullptr) tile.caller_statuses = batch.rows.statuses + first;
    return device::slice(tile, 0, rows);
}

template <class Real>
void TiledEngine<Real>::infer(const SimulatedBatch& batch, cudaStream_t stream) {
    for (u64 first = 0; first < batch.rows.rows; first += tile_rows_) {
        const u32 rows = static_cast<u32>(std::min<u64>(tile_rows_, batch.rows.rows - first));
        const device::Simulation<Real> tile = tile_of(batch, first, rows);
        const i64 skipped =
            static_cast<i64>(first) * batch.rows.feature_stride * static_cast<i64>(batch.rows.feature_bytes);
        const RawFeatures features{static_cast<const u8*>(batch.rows.features) + skipped, batch.rows.feature_bytes,
                                   batch.rows.feature_stride};
        run_tile(tile, features, stream);
        const bool last = first + rows == batch.rows.rows;
        check(launch_end(tile, last ? batch.rows.first_row + batch.rows.rows : 0, stream), kWhat);
    }
}

}  // namespace photonlink::cuda
