// Programs for the owner of a simulated processor, with features that the caller's memory holds.
#pragma once

#include <utility>
#include <vector>

#include "../gpu_optics/bodies.hpp"
#include "link_testing.hpp"
#include "simulator.hpp"

namespace photonlink::cuda::test {

using namespace optics::test;
using optics::ProgramSpec;
using optics::ReadoutKind;
using optics::ReadoutSpec;
using optics::Space;

/// A program in double precision, its encoding, and the features of a batch; what else a call needs is added by tests.
struct BatchOfFeatures {
    BatchOfFeatures(ProgramSpec program, u64 batch_rows, u64 seed)
        : spec(std::move(program)),
          encoding(optics::gpu::test::identity_encoding(static_cast<u32>(spec.phases.size()))),
          view(encoding.view()),
          rows(batch_rows),
          features(random_phases(spec, batch_rows, seed)) {}

    SimulatorConfig config(u64 limit = kGiB) const {
        SimulatorConfig config;
        config.program = spec;
        config.precision = optics::Precision::Float64;
        config.encoding = &view;
        config.memory_limit = limit;
        return config;
    }
    i64 phases() const { return static_cast<i64>(spec.phases.size()); }
    i64 outputs() const { return static_cast<i64>(optics::output_size(spec)); }

    ProgramSpec spec;
    Encoding encoding;
    EncodingView view;
    u64 rows;
    std::vector<double> features;
};

inline ProgramSpec small_program(ReadoutSpec readout = {ReadoutKind::Probabilities, Space::Unbunched}, u64 seed = 5) {
    return random_program(6, {1, 0, 1, 0, 1, 0}, 2, readout, seed);
}

/// Enough states to be computed task by task.
inline ProgramSpec large_program() {
    return random_program(12, {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, 1,
                          {ReadoutKind::Probabilities, Space::Fock, optics::Grouping::Mod, 9}, 5);
}

}  // namespace photonlink::cuda::test
