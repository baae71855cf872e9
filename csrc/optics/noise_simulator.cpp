#include "photonlink/optics/noise_simulator.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "batch_blocks.hpp"
#include "batch_split.hpp"
#include "noise_adjusted.hpp"
#include "noise_sampled.hpp"
#include "noise_worker.hpp"
#include "photonlink/optics/thread_pool.hpp"

namespace photonlink::optics {
namespace {

constexpr double kNsPerShot = 50;

u64 layout_bytes(const ProgramSpec& spec, const NoisePlan& plan, const NoisyLayout& layout, bool distribution) {
    const u64 workers =
        saturating_mul(NoisyWorker::predict_bytes(spec, plan, layout.lanes, distribution), layout.threads);
    if (!distribution) return workers;
    const u64 tables = mixture_table_bytes(spec, plan, select_kernel_profile());
    return saturating_add(workers, saturating_add(tables, SectorReadout::predict_bytes(spec, plan)));
}

[[noreturn]] void refuse(const ProgramSpec& spec, const NoisePlan& plan, u64 bytes, std::size_t limit) {
    refuse_mixture(spec, plan, "it takes", bytes, limit,
                   "ask for shots, which need no distribution, use fewer photons or modes or a smaller space, or raise "
                   "the limit");
}

/// The widest kernels whose memory fits, and then as many threads as it permits.
NoisyLayout choose_layout(const ProgramSpec& spec, const NoisePlan& plan, u32 threads, std::size_t limit,
                          bool distribution) {
    const KernelProfile& profile = select_kernel_profile();
    if (distribution && mixture_operations(spec, plan) > kMostMixtureOperations)
        refuse(spec, plan, layout_bytes(spec, plan, {1, 1}, true), limit);
    NoisyLayout layout;
    for (u32 i = 0; i < profile.width_count<double>(); ++i) {
        layout.lanes = profile.widths<double>()[i].lanes;
        if (layout_bytes(spec, plan, layout, distribution) > limit) continue;
        layout.threads = threads;
        while (layout_bytes(spec, plan, layout, distribution) > limit) --layout.threads;
        return layout;
    }
    refuse(spec, plan, layout_bytes(spec, plan, layout, distribution), limit);
}

/// Imperfect sources and detectors. Always calculates in double precision.
class NoisySimulator final : public Simulator {
  public:
    NoisySimulator(std::shared_ptr<const ProgramSpec> spec, NoisePlan plan, Precision precision,
                   std::size_t memory_limit, bool sampled, u32 threads);

    std::size_t output_size() const override { return shared_.outputs; }
    std::size_t basis_size() const override { return basis_size_; }
    std::size_t preferred_batch() const override { return std::size_t{shared_.layout.lanes} * shared_.layout.threads; }
    std::size_t memory_bytes() const override {
        return layout_bytes(*shared_.spec, shared_.plan, shared_.layout, shared_.tables != nullptr);
    }
    std::string kernel_profile() const override { return shared_.profile->name; }
    u32 threads() const override { return shared_.layout.threads; }
    void run(const SimulationBatch& batch) override;

  private:
    void build(bool distribution);
    u32 threads_that_pay(const SimulationBatch& batch) const;

    std::size_t memory_limit_;
    u32 most_threads_;
    u64 basis_size_;
    bool closed_;
    double row_ns_ = 0;  // of a distribution
    NoisyShared shared_;
    std::vector<std::unique_ptr<NoisyWorker>> workers_;
    ThreadPool pool_;
};

NoisySimulator::NoisySimulator(std::shared_ptr<const ProgramSpec> spec, NoisePlan plan, Precision precision,
                               std::size_t memory_limit, bool sampled, u32 threads)
    : memory_limit_(memory_limit),
      most_threads_(usable_threads(threads)),
      basis_size_(kept_states(*spec, plan)),
      closed_(has_noisy_closed_form(*spec, plan)) {
    shared_.outputs = noisy_output_size(*spec, plan);
    shared_.spec = std::move(spec);
    shared_.plan = std::move(plan);
    shared_.precision = precision;
    shared_.profile = &select_kernel_profile();
    build(sampled || !closed_);
}

/// Lays everything out anew. What was there stays if the new layout is refused. If memory runs out half way there are
/// no workers, and the next run tries again.
void NoisySimulator::build(bool distribution) {
    const NoisyLayout layout = choose_layout(*shared_.spec, shared_.plan, most_threads_, memory_limit_, distribution);
    workers_.clear();
    shared_.layout = layout;
    if (distribution && !shared_.tables) {
        shared_.readout = std::make_unique<const SectorReadout>(*shared_.spec, shared_.plan);
        shared_.tables = std::make_unique<const MixtureTables>(*shared_.spec, shared_.plan, *shared_.profile);
        row_ns_ = mixture_row_ns(*shared_.spec, shared_.plan);
    }
    std::vector<std::unique_ptr<NoisyWorker>> workers;
    for (u32 t = 0; t < layout.threads; ++t) workers.push_back(std::make_unique<NoisyWorker>(shared_));
    workers_ = std::move(workers);
}

u32 NoisySimulator::threads_that_pay(const SimulationBatch& batch) const {
    const bool by_closed_form = closed_ && batch.shots == 0;
    const double row_ns = estimated_row_ns(*shared_.spec, false) + (by_closed_form ? 0.0 : row_ns_);
    const double work = (row_ns + kNsPerShot * batch.shots) * static_cast<double>(batch.rows);
    return static_cast<u32>(std::min<std::size_t>(threads_worth(work, shared_.layout.threads), batch.rows));
}

void NoisySimulator::run(const SimulationBatch& batch) {
    check_batch(*shared_.spec, batch);
    if (batch.rows == 0) return;
    const bool distribution = !closed_ || batch.shots > 0;
    if (workers_.empty() || (distribution && !shared_.tables)) build(distribution || shared_.tables);
    const u32 threads = threads_that_pay(batch);
    if (threads == 1) return workers_[0]->run(batch, 0, batch.rows);
    BatchBlocks blocks(batch, block_rows(batch.rows, threads, shared_.layout.lanes));
    pool_.run(threads, [this, &blocks](u32 worker) { blocks.work(*workers_[worker]); });
    if (blocks.failure) std::rethrow_exception(blocks.failure);
}

std::shared_ptr<const ProgramSpec> ideal_program(const ProgramSpec& spec, const NoisePlan& plan) {
    if (has_source_noise(spec) && !(plan.ideal && plan.kept_scale > 0)) return nullptr;
    auto ideal = std::make_shared<ProgramSpec>(spec);
    ideal->noise = NoiseSpec{};
    ideal->readout.space = plan.space;
    return ideal;
}

bool mixture_fits(const ProgramSpec& spec, const NoisePlan& plan, std::size_t memory_limit) {
    return mixture_operations(spec, plan) <= kMostMixtureOperations &&
           layout_bytes(spec, plan, {1, 1}, true) <= memory_limit;
}

}  // namespace

std::shared_ptr<const ProgramSpec> ideal_program(const ProgramSpec& spec) {
    return ideal_program(spec, plan_noise(spec));
}

std::unique_ptr<Simulator> create_noisy_simulator(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                                  std::size_t memory_limit_bytes, bool sampled, u32 threads) {
    NoisePlan plan = plan_noise(*spec);
    const std::shared_ptr<const ProgramSpec> ideal = ideal_program(*spec, plan);
    const double kept_scale = ideal ? plan.kept_scale : 1.0;
    std::unique_ptr<Simulator> inner;
    if (ideal)
        inner = Simulator::create(ideal, precision, memory_limit_bytes, sampled, threads);
    else if (sampled && !mixture_fits(*spec, plan, memory_limit_bytes))
        inner = sampled_simulator(spec, std::move(plan), precision, memory_limit_bytes);
    else
        inner =
            std::make_unique<NoisySimulator>(spec, std::move(plan), precision, memory_limit_bytes, sampled, threads);
    if (!has_phase_noise(*spec) && kept_scale == 1.0) return inner;
    return adjusted_simulator(std::move(inner), *spec, kept_scale);
}

std::size_t predict_noisy_bytes(const ProgramSpec& spec, Precision precision, bool sampled) {
    const NoisePlan plan = plan_noise(spec);
    if (const auto ideal = ideal_program(spec, plan)) return predict_bytes(*ideal, precision, sampled);
    if (!sampled && has_noisy_closed_form(spec, plan)) return layout_bytes(spec, plan, {1, 1}, false);
    const u64 exact = layout_bytes(spec, plan, {1, 1}, true);
    return sampled ? std::min(exact, predict_sampled_bytes(spec, plan)) : exact;
}

std::string noise_method(const ProgramSpec& spec, bool sampled) {
    if (!is_noisy(spec)) return "none";
    const NoisePlan plan = plan_noise(spec);
    if (ideal_program(spec, plan)) return "ideal";
    return !sampled && has_noisy_closed_form(spec, plan) ? "closed form" : "exact mixture";
}

}  // namespace photonlink::optics
