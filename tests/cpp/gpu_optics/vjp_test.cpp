// Derivatives by the bodies of the GPU against those of the CPU's Differentiator, on every readout of every space.
#include <algorithm>
#include <cmath>

#include "../device/host_group.hpp"
#include "../optics/gradient_programs.hpp"
#include "host_memory.hpp"
#include "photonlink/optics/gpu/vjp_plan.hpp"
#include "photonlink/optics/gradient_plan.hpp"

namespace photonlink::optics::gpu {
namespace {

using namespace optics::test;
using device::test::HostGroup;
using test::HostMemory;

constexpr u32 kAllLevels = ~0U;

/// How a batch is launched.
struct Geometry {
    u32 threads;  // of a group
    u32 groups;   // that share a task, where no group takes rows of its own
    u32 tile_rows;
    u32 kept_levels = kAllLevels;  // at most
    u32 group_rows = 0;            // that a group takes from beginning to end
};

/// A GPU made of threads.
template <class Real>
class ThreadedVjp {
  public:
    ThreadedVjp(const ProgramSpec& spec, const Geometry& geometry)
        : spec_(spec),
          geometry_(geometry),
          plan_(spec_, kPrecision<Real>, std::min(geometry.kept_levels, VjpPlan::levels(spec))) {
        const Plan forward(spec_, kPrecision<Real>, 0);
        const LevelTable* levels = nullptr;
        if (!plan_.closed_form)
            levels = upload_levels(*SlosTables::shared(spec.readout.space, spec.modes, spec.photons()), memory_);
        vjp_ = take_vjp<Real>(plan_, upload_circuit(spec_, memory_), levels, upload_readout(forward, memory_),
                              geometry.tile_rows, memory_);
    }

    /// Without values.
    Gradients<Real> run(const std::vector<double>& phases, const std::vector<Real>& cotangents, u64 rows) {
        Gradients<Real> out;
        out.phases.resize(phases.size());
        out.interferometers.resize(spec_.interferometers.size() * spec_.modes * spec_.modes);
        Vjp<Real> batch = vjp_;
        batch.network.phases = phases.data();
        batch.network.phase_gradients = out.phases.data();
        batch.job.readout.cotangents = cotangents.data();
        batch.interferometers = reinterpret_cast<Complex64*>(out.interferometers.data());
        for (u64 first = 0; first < rows; first += geometry_.tile_rows)
            run_tile(tile_of(batch, first, static_cast<u32>(std::min<u64>(geometry_.tile_rows, rows - first))));
        return out;
    }

  private:
    void run_tile(const Vjp<Real>& tile) const {
        const u32 rows = tile.network.rows, share = geometry_.group_rows;
        if (share > 0)
            device::test::launch((rows + share - 1) / share, geometry_.threads, [&](const HostGroup& group, u32 index) {
                pull_back_rows(group, tile, index * share, std::min(share, rows - index * share));
            });
        else
            run_tasks(tile);
        launch_all([&](u64 first, u64 stride) {
            add_interferometer_gradients(tile.network, tile.input_modes, tile.interferometers, first, stride);
        });
    }

    void run_tasks(const Vjp<Real>& tile) const {
        const u32 rows = tile.network.rows;
        device::test::launch(rows, geometry_.threads,
                             [&](const HostGroup& group, u32 row) { prepare_vjp_row(group, tile, row); });
        for (u32 t = 0; t < tile.task_count; ++t)
            launch_all([&](u64 first, u64 stride) { run_vjp_task(tile.job, tile.tasks[t], first, stride); });
        device::test::launch(rows, geometry_.threads,
                             [&](const HostGroup& group, u32 row) { finish_vjp_row(group, tile, row); });
    }

    template <class Body>
    void launch_all(const Body& body) const {
        const u64 threads = geometry_.threads;
        device::test::launch(geometry_.groups, geometry_.threads, [&](const HostGroup& group, u32 index) {
            body(index * threads + group.rank(), geometry_.groups * threads);
        });
    }

    ProgramSpec spec_;
    Geometry geometry_;
    VjpPlan plan_;
    HostMemory memory_;
    Vjp<Real> vjp_;
};

template <class Real>
Gradients<Real> run_threads(const ProgramSpec& spec, const std::vector<double>& phases,
                            const std::vector<Real>& cotangents, u64 rows, const Geometry& geometry) {
    return ThreadedVjp<Real>(spec, geometry).run(phases, cotangents, rows);
}

template <class Number, class Reference>
void expect_near(const std::vector<Number>& found, const std::vector<Reference>& expected, double tolerance,
                 const char* what) {
    ASSERT_EQ(found.size(), expected.size());
    double largest = 0.1;  // cotangents are of size 1: where all derivatives cancel out, rounding is left
    double difference = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        difference = std::max(difference, std::abs(found[i] - expected[i]));
    }
    EXPECT_LE(difference, tolerance * largest) << what;
}

/// Relative to the largest derivative, against the CPU in double precision.
template <class Real>
constexpr double kTolerance = sizeof(Real) == sizeof(float) ? 1e-5 : 1e-11;

template <class Real>
void check(const ProgramSpec& spec, u64 rows, const Geometry& geometry, u64 seed) {
    const auto phases = random_phases(spec, rows, seed);
    const auto reference = make_differentiator<double>(spec);
    const auto cotangents = random_cotangents<Real>(rows * reference->output_size(), seed);
    const std::vector<double> exact(cotangents.begin(), cotangents.end());
    const auto expected = differentiate(*reference, spec, phases.data(), exact.data(), rows);
    const auto found = run_threads<Real>(spec, phases, cotangents, rows, geometry);
    expect_near(found.phases, expected.phases, kTolerance<Real>, "phases");
    expect_near(found.interferometers, expected.interferometers, kTolerance<Real>, "interferometers");
}

/// One case of `every`.
template <class Real>
void check_readouts(const Geometry& geometry, u64 every = 1) {
    u64 seed = 100, rows = 1;
    for (const GradientCase& at : gradient_cases()) {
        SCOPED_TRACE(describe(at));
        if (++seed % every != 0) continue;
        rows = rows % 5 + 1;
        check<Real>(make_program(at, 2, seed), rows, geometry, seed);
    }
}

TEST(GpuVjp, EveryReadoutAgreesWithTheCpu) { check_readouts<double>({1, 1, 3, kAllLevels, 3}); }
TEST(GpuVjp, SinglePrecisionAgreesWithTheCpu) { check_readouts<float>({3, 1, 4, kAllLevels, 2}); }
TEST(GpuVjp, ManyThreadsAgreeWithTheCpu) { check_readouts<double>({32, 1, 8, kAllLevels, 8}, 7); }
TEST(GpuVjp, LevelsComputedAgainAgreeWithTheCpu) { check_readouts<double>({1, 1, 2, 0, 1}); }

/// Larger than the tables' suffixes, and than a chunk.
const GradientCase kLarge[] = {
    {"fock", {1, 0, 2, 0, 1, 0, 1, 0, 0}, {ReadoutKind::Probabilities, Space::Fock}},
    {"fock", {1, 0, 2, 0, 1, 0, 1, 0, 0}, {ReadoutKind::ClickPatterns, Space::Fock}, false},
    {"unbunched", {1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0}, {ReadoutKind::Correlators, Space::Unbunched}},
    {"unbunched", {1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0}, {ReadoutKind::Probabilities, Space::Unbunched}, false},
    {"dual rail", {1, 0, 0, 1, 1, 0, 0, 1, 1, 0}, {ReadoutKind::ClickProbabilities, Space::DualRail}},
    {"clicks", {1, 0, 3, 0, 2, 0, 1, 0, 0}, {ReadoutKind::ClickProbabilities, Space::Fock}},
};

TEST(GpuVjp, LargeSpacesAgreeWithTheCpuForAnyNumberOfKeptLevels) {
    u64 seed = 300;
    for (const GradientCase& at : kLarge) {
        SCOPED_TRACE(describe(at));
        const ProgramSpec spec = make_program(at, 1, ++seed);
        for (u32 kept = 0; kept <= spec.photons(); ++kept) check<double>(spec, 3, {3, 1, 2, kept, 2}, seed);
        check<float>(spec, 5, {2, 2, 4, 2}, seed);
    }
}

TEST(GpuVjp, BatchesOfAnySizeAgreeWithTheCpu) {
    const ProgramSpec spec = make_program(kLarge[2], 2, 17);
    for (const u64 rows : {1, 2, 7, 16, 17, 32, 40}) check<double>(spec, rows, {2, 1, 16, kAllLevels, 4}, rows);
}

TEST(GpuVjp, ProgramsWithoutPhasesAndWithOnePhotonAgreeWithTheCpu) {
    for (const Space space : {Space::Fock, Space::Unbunched})
        for (const bool interference : {true, false}) {
            ProgramSpec spec = random_program(4, {0, 1, 0, 0}, 0, {ReadoutKind::Probabilities, space}, 5);
            spec.interference = interference;
            check<double>(spec, 2, {2, 1, 2}, 5);
            spec.input = {1, 1, 0, 0};
            check<double>(spec, 2, {2, 1, 2}, 5);
        }
}

template <class Real>
void check_geometries(const GradientCase& at) {
    SCOPED_TRACE(describe(at));
    constexpr u64 kRows = 9;
    const ProgramSpec spec = make_program(at, 2, 77);
    const auto phases = random_phases(spec, kRows, 78);
    const auto cotangents = random_cotangents<Real>(kRows * output_size(spec), 79);
    const auto expected = run_threads<Real>(spec, phases, cotangents, kRows, {1, 1, 9});
    for (const Geometry& geometry : {Geometry{3, 1, 9, kAllLevels, 5}, Geometry{32, 1, 5, 2, 5}, Geometry{2, 2, 8},
                                     Geometry{1, 2, 1}, Geometry{2, 1, 9, 1, 1}}) {
        const auto found = run_threads<Real>(spec, phases, cotangents, kRows, geometry);
        EXPECT_EQ(found.phases, expected.phases) << geometry.threads << " threads";
        EXPECT_EQ(found.interferometers, expected.interferometers) << geometry.threads << " threads";
    }
}

TEST(GpuVjp, ResultsDependNeitherOnThreadsNorTilesNorKeptLevels) {
    for (const u32 at : {0, 2, 3}) check_geometries<float>(kLarge[at]);
    for (const u32 at : {1, 5}) check_geometries<double>(kLarge[at]);
}

TEST(GpuVjp, ASpaceWithoutProbabilityHasNoDerivatives) {
    ProgramSpec spec = random_program(3, {2, 0, 0}, 1, {ReadoutKind::Probabilities, Space::Unbunched}, 1);
    for (auto& matrix : spec.interferometers) {
        std::fill(matrix.begin(), matrix.end(), Complex{0});
        for (u32 i = 0; i < 3; ++i) matrix[i * 4] = 1;
    }
    const auto found = run_threads<double>(spec, {0.1, 0.2, 0.3}, {1, 2, 3}, 1, {2, 1, 1});
    for (const double gradient : found.phases) EXPECT_EQ(gradient, 0.0);
    for (const Complex gradient : found.interferometers) EXPECT_EQ(gradient, Complex{0});
}

TEST(GpuVjp, ARowThatIsNotFiniteSpoilsOnlyItself) {
    const ProgramSpec spec = make_program(kLarge[2], 2, 9);
    auto phases = random_phases(spec, 3, 9);
    const auto cotangents = random_cotangents<double>(3 * output_size(spec), 9);
    const auto expected = run_threads<double>(spec, phases, cotangents, 3, {2, 1, 3});
    phases[spec.phases.size()] = std::nan("");
    const auto found = run_threads<double>(spec, phases, cotangents, 3, {2, 1, 3});
    for (std::size_t p = 0; p < phases.size(); ++p) {
        if (p / spec.phases.size() == 1)
            EXPECT_TRUE(std::isnan(found.phases[p]));
        else
            EXPECT_EQ(found.phases[p], expected.phases[p]);
    }
}

u64 needed(const VjpPlan& plan, u32 rows) { return plan.table_bytes() + rows * plan.row_bytes(); }

/// Counts what is taken and uploaded.
struct MeteredMemory : HostMemory {
    u64 bytes = 0;
    template <class T>
    T* take(u64 count) {
        bytes += count * sizeof(T);
        return HostMemory::take<T>(count);
    }
    template <class T>
    T* upload(const T* values, u64 count) {
        bytes += count * sizeof(T);
        return HostMemory::upload(values, count);
    }
};

TEST(GpuVjp, PlansPredictTheirMemoryAndKeepWhatFits) {
    for (const GradientCase& at : kLarge) {
        SCOPED_TRACE(describe(at));
        const ProgramSpec spec = make_program(at, 2, 4);
        const u32 levels = VjpPlan::levels(spec);
        MeteredMemory simulation;
        const Circuit circuit = upload_circuit(spec, simulation);
        const Readout readout = upload_readout(Plan(spec, Precision::Float32, 0), simulation);
        for (u32 kept = 0; kept <= levels; ++kept) {
            const VjpPlan plan(spec, Precision::Float32, kept);
            MeteredMemory memory;
            take_vjp<float>(plan, circuit, nullptr, readout, 8, memory);
            EXPECT_LE(memory.bytes, needed(plan, 8));
            EXPECT_GE(memory.bytes, needed(plan, 8) / 2);
            const VjpPlan best = VjpPlan::within(spec, Precision::Float32, 8, needed(plan, 8));
            EXPECT_EQ(best.rows, 8U);
            EXPECT_GE(best.kept_levels, kept);  // more may take no more: two levels have places of their own anyway
            EXPECT_LE(needed(best, 8), needed(plan, 8));
        }
        EXPECT_EQ(VjpPlan::within(spec, Precision::Float32, 8, u64{1} << 40).kept_levels, levels);
        EXPECT_EQ(VjpPlan::within(spec, Precision::Float32, 40, u64{1} << 40).rows, 40U);
        const u64 least = needed(VjpPlan(spec, Precision::Float32, 0), 1);
        EXPECT_THROW(VjpPlan::within(spec, Precision::Float32, 1, least - 1), ProgramError);
    }
}

}  // namespace
}  // namespace photonlink::optics::gpu
