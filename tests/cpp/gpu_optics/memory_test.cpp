// The memory that docs/sim_cuda.md says programs take.
#include <gtest/gtest.h>

#include "photonlink/optics/gpu/vjp_plan.hpp"

namespace photonlink::optics::gpu {
namespace {

constexpr ReadoutSpec kProbabilities{ReadoutKind::Probabilities, Space::Fock};
constexpr ReadoutSpec kPatterns{ReadoutKind::ClickPatterns, Space::Fock};
constexpr ReadoutSpec kPostSelected{ReadoutKind::Probabilities, Space::Unbunched};
constexpr ReadoutSpec kCorrelators{ReadoutKind::Correlators, Space::Unbunched};

/// In MB; of derivatives where every level is computed again.
struct Documented {
    u32 modes;
    u32 photons;
    ReadoutSpec readout;
    double shared;
    double row;
    double vjp_shared;
    double vjp_row;
};

const Documented kTable[] = {
    {16, 8, kProbabilities, 4.8, 1.8, 4.8, 7.3},   {16, 8, kPatterns, 6.9, 2.4, 6.7, 7.3},
    {20, 10, kProbabilities, 44, 73, 44, 297},     {20, 10, kPostSelected, 0.53, 2.4, 0.52, 5.4},
    {20, 10, kCorrelators, 4.2, 3.6, 0.52, 5.4},   {24, 12, kPostSelected, 3.5, 36, 3.5, 81},
    {24, 12, kCorrelators, 9.8, 38, 3.5, 81},      {24, 12, kProbabilities, 836, 3029, 836, 12420},
    {32, 16, kCorrelators, 369, 8375, 361, 18760},
};

/// A program of one layer of phases; planning looks at sizes only.
ProgramSpec program_of(const Documented& line) {
    ProgramSpec spec;
    spec.modes = line.modes;
    spec.input.assign(line.modes, 0);
    std::fill(spec.input.begin(), spec.input.begin() + line.photons, u32{1});
    spec.readout = line.readout;
    spec.interferometers.resize(2);
    for (u32 mode = 0; mode < line.modes; ++mode) spec.phases.push_back({0, mode});
    return spec;
}

TEST(GpuMemory, IsWhatTheDocumentationSays) {
    constexpr double kMB = 1e6, kRounding = 0.03;
    const auto expect = [](u64 bytes, double documented, const Documented& line) {
        EXPECT_NEAR(static_cast<double>(bytes) / kMB, documented, kRounding * documented)
            << line.photons << " photons in " << line.modes << " modes";
    };
    for (const Documented& line : kTable) {
        const ProgramSpec spec = program_of(line);
        const Plan plan(spec, Precision::Float32, 0);
        const VjpPlan vjp(spec, Precision::Float32, 0);
        expect(plan.table_bytes(), line.shared, line);
        expect(plan.row_bytes(), line.row, line);
        expect(vjp.table_bytes(), line.vjp_shared, line);
        expect(vjp.row_bytes(), line.vjp_row, line);
    }
}

}  // namespace
}  // namespace photonlink::optics::gpu
