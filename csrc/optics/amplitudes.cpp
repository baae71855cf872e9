#include "photonlink/optics/amplitudes.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "batch_split.hpp"
#include "photonlink/optics/interferometer.hpp"
#include "photonlink/optics/noise_plan.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/slos_sweep.hpp"
#include "photonlink/optics/thread_pool.hpp"

namespace photonlink::optics {
namespace {

u64 basis_states(const ProgramSpec& spec) { return state_count(spec.readout.space, spec.modes, spec.photons()); }

template <class Real>
u64 bytes_needed(const ProgramSpec& spec, u32 lanes, u32 threads) {
    const u64 worker = saturating_add(Interferometer::predict_bytes(spec, lanes),
                                      SlosSweep<Real>::predict_bytes(spec, lanes, SweepResult::Amplitudes));
    return saturating_add(SlosTables::predict_bytes(spec.readout.space, spec.modes, spec.photons()),
                          saturating_mul(worker, threads));
}

struct Layout {
    u32 threads;
    u32 width;  // which of the profile's kernels
};

template <class Real>
Layout choose_layout(const ProgramSpec& spec, const KernelProfile& profile, u32 threads, u64 limit) {
    const SlosKernels<Real>* const widths = profile.widths<Real>();
    for (u32 t = threads; t > 0; --t)
        for (u32 width = 0; width < profile.width_count<Real>(); ++width)
            if (bytes_needed<Real>(spec, widths[width].lanes, t) <= limit) return {t, width};
    throw ProgramError("amplitudes of " + std::to_string(spec.photons()) + " photons in " + std::to_string(spec.modes) +
                       " modes need " + count_text(bytes_needed<Real>(spec, 1, 1)) + " bytes (" +
                       count_text(basis_states(spec)) + " basis states in the " + space_name(spec.readout.space) +
                       " space), but the limit is " + std::to_string(limit) +
                       " bytes; use fewer photons or modes, a smaller space, or raise the limit");
}

/// What the amplitudes are computed of: the program, without what its readout makes of the states.
ProgramSpec checked(ProgramSpec spec) {
    check_spec(spec);
    if (has_source_noise(spec) || has_phase_noise(spec))
        throw ProgramError(
            "a noisy program has no pure output state, and so no amplitudes; remove the noise, use detectors that "
            "resolve photon numbers and keep events with all photons only");
    if (!spec.interference)
        throw ProgramError(
            "distinguishable photons have no amplitudes in the Fock basis; use interference, or read probabilities");
    check_numbered(spec);
    spec.readout = {ReadoutKind::Probabilities, spec.readout.space};
    return spec;
}

template <class Real>
struct Worker {
    Worker(const ProgramSpec& spec, u32 lanes)
        : interferometer(spec, lanes),
          sweep(spec, interferometer.occupation(), lanes, SweepResult::Amplitudes),
          targets(lanes) {}

    Interferometer interferometer;
    SlosSweep<Real> sweep;
    std::vector<Real*> targets;  // where each row of a block goes
};

template <class Real>
class AmplitudeSweep final : public AmplitudeSimulator {
  public:
    AmplitudeSweep(ProgramSpec spec, std::size_t limit, u32 threads)
        : spec_(std::move(spec)),
          profile_(select_kernel_profile()),
          layout_(choose_layout<Real>(spec_, profile_, usable_threads(threads), limit)) {
        for (u32 t = 0; t < layout_.threads; ++t) workers_.push_back(std::make_unique<Worker<Real>>(spec_, lanes()));
    }

    std::size_t basis_size() const override { return basis_states(spec_); }
    std::size_t memory_bytes() const override { return bytes_needed<Real>(spec_, lanes(), layout_.threads); }
    u32 threads() const override { return layout_.threads; }
    u32 lanes() const override { return profile_.widths<Real>()[layout_.width].lanes; }
    void run(std::size_t rows, const double* phases, void* amplitudes) override;

  private:
    void run_block(Worker<Real>& worker, std::size_t rows, const double* phases, Real* amplitudes) const;

    const ProgramSpec spec_;
    const KernelProfile& profile_;
    const Layout layout_;
    std::vector<std::unique_ptr<Worker<Real>>> workers_;
    ThreadPool pool_;
};

template <class Real>
void AmplitudeSweep<Real>::run_block(Worker<Real>& worker, std::size_t rows, const double* phases,
                                     Real* amplitudes) const {
    const SlosKernels<Real>& kernels = profile_.widths<Real>()[kernel_width<Real>(profile_, rows, lanes())];
    const std::size_t row_size = 2 * basis_size();
    for (std::size_t row = 0; row < rows; ++row) worker.targets[row] = amplitudes + row * row_size;
    const u32 count = static_cast<u32>(rows);
    worker.sweep.run(kernels, worker.interferometer.compose(kernels, phases, count), worker.targets.data(), count);
}

template <class Real>
void AmplitudeSweep<Real>::run(std::size_t rows, const double* phases, void* amplitudes) {
    SimulationBatch batch;
    batch.rows = rows;
    batch.phases = phases;
    check_batch(spec_, batch);
    const u32 paying = threads_worth(estimated_row_ns(spec_, true) * static_cast<double>(rows), layout_.threads);
    const std::size_t block = block_rows(rows, paying, lanes()), row_size = 2 * basis_size();
    pool_.share(paying, (rows + block - 1) / block, [&](u32 thread, std::size_t index) {
        const std::size_t first = index * block;
        run_block(*workers_[thread], std::min(block, rows - first), phases + first * spec_.phases.size(),
                  static_cast<Real*>(amplitudes) + first * row_size);
    });
}

}  // namespace

std::unique_ptr<AmplitudeSimulator> AmplitudeSimulator::create(const ProgramSpec& spec, Precision precision,
                                                               std::size_t memory_limit_bytes, u32 threads) {
    ProgramSpec pure = checked(spec);
    if (precision == Precision::Float32)
        return std::make_unique<AmplitudeSweep<float>>(std::move(pure), memory_limit_bytes, threads);
    return std::make_unique<AmplitudeSweep<double>>(std::move(pure), memory_limit_bytes, threads);
}

std::size_t predict_amplitude_bytes(const ProgramSpec& spec, Precision precision) {
    return precision == Precision::Float32 ? bytes_needed<float>(spec, 1, 1) : bytes_needed<double>(spec, 1, 1);
}

}  // namespace photonlink::optics
