// A GPU made of threads, with the simulator's bodies in the order in which kernels run them.
#pragma once

#include <optional>

#include "../device/host_group.hpp"
#include "../optics/programs.hpp"
#include "host_memory.hpp"
#include "photonlink/device/simulate.hpp"
#include "photonlink/encoding.hpp"
#include "photonlink/optics/gpu/plan.hpp"

namespace photonlink::optics::gpu::test {

using namespace optics::test;

/// Every feature is a phase.
inline Encoding identity_encoding(u32 phases) {
    std::vector<u32> row_begin, feature;
    for (u32 p = 0; p <= phases; ++p) row_begin.push_back(p);
    for (u32 p = 0; p < phases; ++p) feature.push_back(p);
    return Encoding(phases, row_begin, feature, std::vector<double>(phases, 1.0), std::vector<double>(phases, 0.0),
                    false);
}

/// How a call is launched.
struct Geometry {
    u32 threads;     // of a group
    u32 tile_rows;   // at a time
    u32 group_rows;  // by one group from beginning to end; 0: all groups share every task
    u32 groups = 2;  // of a task that all share
};

struct CallOptions {
    u32 shots = 0;
    u64 seed = 0;
    u64 first_id = 0;
    u64 tile_states = kTileStates;
};

/// What a call leaves.
template <class Real>
struct Answer {
    std::vector<Real> out;  // rows x outputs
    std::vector<double> kept;
    std::vector<u32> statuses;
    u64 executed = 0;
    std::optional<device::Failure> failure;
};

template <class Real>
class ThreadedSimulator {
  public:
    ThreadedSimulator(const ProgramSpec& spec, u32 tile_rows, const CallOptions& options)
        : spec_(spec),
          encoding_(identity_encoding(static_cast<u32>(spec.phases.size()))),
          plan_(spec_, kPrecision<Real>, options.shots, options.tile_states),
          tile_rows_(tile_rows) {
        simulation_.encoding = encoding_.view();
        simulation_.circuit = upload_circuit(spec_, memory_);
        simulation_.job = take_job<Real>(plan_, tile_rows, memory_);
        simulation_.job.seed = options.seed;
        simulation_.job.results.nothing_kept = static_cast<u32>(CallStatus::Refused);
        simulation_.tasks = upload_all(memory_, plan_.tasks);
        simulation_.task_count = static_cast<u32>(plan_.tasks.size());
        simulation_.closed_form = plan_.closed_form;
        simulation_.phases = memory_.take<double>(spec.phases.size() * tile_rows);
        simulation_.composed = memory_.take<Complex64>(u64{2} * simulation_.circuit.elements() * tile_rows);
        simulation_.job.results.statuses = memory_.take<u32>(tile_rows);
        simulation_.words = memory_.take<device::Words>(1);
        simulation_.mailbox = memory_.take<device::SimulatorMailbox>(1);
        simulation_.words->next_id = options.first_id;
        simulation_.job.next_id = &simulation_.words->next_id;
    }

    Answer<Real> run(const std::vector<double>& features, u64 rows, const Geometry& geometry) {
        const u64 outputs = plan_.readout.outputs, stride = outputs + 3;
        std::vector<Real> strided(rows * stride, Real{-7});
        Answer<Real> answer{{}, std::vector<double>(rows, -1.0), std::vector<u32>(rows, 77), 0, {}};
        for (u64 first = 0; first < rows; first += tile_rows_) {
            device::Simulation<Real> tile = simulation_;
            const u32 count = static_cast<u32>(std::min<u64>(tile_rows_, rows - first));
            tile.job.first_row = first;
            tile.job.results.out = strided.data() + first * stride;
            tile.job.results.stride = static_cast<i64>(stride);
            tile.job.results.kept_fractions = answer.kept.data() + first;
            tile.caller_statuses = answer.statuses.data() + first;
            tile = device::slice(tile, 0, count);
            run_tile(tile, {features.data() + first * spec_.phases.size(), static_cast<i64>(spec_.phases.size())},
                     geometry);
            device::test::launch(1, geometry.threads, [&](const device::test::HostGroup& group, u32) {
                device::end_tile(group, tile, first + count == rows ? rows : 0);
            });
        }
        for (u64 row = 0; row < rows; ++row) {
            answer.out.insert(answer.out.end(), strided.begin() + row * stride,
                              strided.begin() + row * stride + outputs);
            for (u64 gap = outputs; gap < stride; ++gap) EXPECT_EQ(strided[row * stride + gap], Real{-7});
        }
        answer.executed = simulation_.mailbox->executed;
        device::Failure failure;
        if (device::take_failure(&simulation_.mailbox->latch, &failure)) answer.failure = failure;
        return answer;
    }

    /// Bytes that everything takes, and that were predicted.
    u64 bytes() const { return memory_.bytes(); }
    u64 predicted_bytes() const { return plan_.table_bytes() + tile_rows_ * plan_.row_bytes(); }

  private:
    void run_tile(const device::Simulation<Real>& tile, const device::Features<double>& features,
                  const Geometry& geometry) {
        using device::test::HostGroup;
        if (geometry.group_rows > 0) {
            const u32 groups = (tile.rows + geometry.group_rows - 1) / geometry.group_rows;
            device::test::launch(groups, geometry.threads, [&](const HostGroup& group, u32 index) {
                const u32 first = index * geometry.group_rows;
                device::simulate_rows(group, tile, features, first, std::min(geometry.group_rows, tile.rows - first));
            });
            return;
        }
        device::test::launch(tile.rows, geometry.threads,
                             [&](const HostGroup& group, u32 row) { device::prepare_row(group, tile, features, row); });
        for (u32 t = 0; t < tile.task_count && !tile.closed_form; ++t)
            device::test::launch(geometry.groups, geometry.threads, [&](const HostGroup& group, u32 index) {
                run_task(tile.job, tile.tasks[t], u64{index} * geometry.threads + group.rank(),
                         u64{geometry.groups} * geometry.threads);
            });
    }

    ProgramSpec spec_;
    Encoding encoding_;
    Plan plan_;
    u32 tile_rows_;
    HostMemory memory_;
    device::Simulation<Real> simulation_{};
};

template <class Real>
Answer<Real> run_threads(const ProgramSpec& spec, const std::vector<double>& features, u64 rows,
                         const Geometry& geometry, const CallOptions& options = {}) {
    return ThreadedSimulator<Real>(spec, geometry.tile_rows, options).run(features, rows, geometry);
}

}  // namespace photonlink::optics::gpu::test
