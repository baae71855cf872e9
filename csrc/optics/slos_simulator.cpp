#include "slos_simulator.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "batch_blocks.hpp"
#include "batch_split.hpp"
#include "photonlink/optics/thread_pool.hpp"
#include "slos_worker.hpp"

namespace photonlink::optics {
namespace {

constexpr double kNsPerShot = 50;

template <class Real>
class SlosSimulator final : public Simulator {
  public:
    SlosSimulator(std::shared_ptr<const ProgramSpec> spec, std::size_t memory_limit, bool sampled, u32 threads);

    std::size_t output_size() const override { return shared_.outputs; }
    std::size_t basis_size() const override { return shared_.basis_size; }
    std::size_t preferred_batch() const override;
    std::size_t memory_bytes() const override {
        return layout_bytes<Real>(*shared_.spec, *shared_.profile, shared_.needs, shared_.layout);
    }
    std::string kernel_profile() const override { return shared_.profile->name; }
    u32 threads() const override { return shared_.layout.threads; }
    double row_ns(u32 shots) const override { return row_ns_ + kNsPerShot * shots; }
    void run(const SimulationBatch& batch) override;

  private:
    void build(const SlosNeeds& needs);
    u32 threads_that_pay(const SimulationBatch& batch) const;

    std::size_t memory_limit_;
    u32 most_threads_;
    double row_ns_ = 0;
    SlosShared<Real> shared_;
    std::vector<std::unique_ptr<SlosWorker<Real>>> workers_;
    ThreadPool pool_;
};

template <class Real>
SlosSimulator<Real>::SlosSimulator(std::shared_ptr<const ProgramSpec> spec, std::size_t memory_limit, bool sampled,
                                   u32 threads)
    : memory_limit_(memory_limit), most_threads_(usable_threads(threads)) {
    shared_.spec = std::move(spec);
    shared_.profile = &select_kernel_profile();
    shared_.outputs = optics::output_size(*shared_.spec);
    shared_.basis_size = state_count(shared_.spec->readout.space, shared_.spec->modes, shared_.spec->photons());
    build({sampled || !has_closed_form(*shared_.spec), sampled});
}

template <class Real>
std::size_t SlosSimulator<Real>::preferred_batch() const {
    constexpr u32 kTurns = 4;  // blocks of rows that a thread takes, so that all end at about the same time
    constexpr double kWorthwhileNs = 5000;  // less is soon spent on what a batch costs by itself
    const u32 rows = std::max(shared_.layout.lanes, kTurns * shared_.layout.rows) * shared_.layout.threads;
    if (shared_.needs.sampled) return rows;
    return rows * std::max<std::size_t>(1, static_cast<std::size_t>(kWorthwhileNs / (row_ns_ * rows)));
}

/// Lays everything out anew. What was there goes first, but stays if the new layout is refused. If memory runs out half
/// way there are no workers, and the next run tries again.
template <class Real>
void SlosSimulator<Real>::build(const SlosNeeds& needs) {
    const ProgramSpec& spec = *shared_.spec;
    const SlosLayout layout = choose_layout<Real>(spec, *shared_.profile, needs, most_threads_, memory_limit_);
    if (needs.distribution) check_numbered(spec);
    workers_.clear();
    shared_.needs = needs;
    shared_.layout = layout;
    row_ns_ = estimated_row_ns(spec, needs.distribution);
    if (needs.distribution && !shared_.readout) shared_.readout = std::make_unique<const ReadoutMap>(spec);
    std::shared_ptr<const SlosTables> tables;  // held from where row tables are made of them until workers take them
    if (needs.distribution && layout.lanes > 0)
        tables = SlosTables::shared(spec.readout.space, spec.modes, spec.photons());
    if (layout.rows > 0 && !shared_.row_plan)
        shared_.row_plan = std::make_shared<const RowPlan<Real>>(spec, shared_.profile->template rows<Real>()->chunk);
    std::vector<std::unique_ptr<SlosWorker<Real>>> workers;
    for (u32 t = 0; t < layout.threads; ++t) workers.push_back(std::make_unique<SlosWorker<Real>>(shared_));
    workers_ = std::move(workers);
}

template <class Real>
u32 SlosSimulator<Real>::threads_that_pay(const SimulationBatch& batch) const {
    if (shared_.layout.threads == 1 || batch.rows == 0) return 1;
    if (workers_[0]->shares_states(batch)) return threads_worth(row_ns_ * kLastLevel, shared_.layout.threads);
    const double work = row_ns(batch.shots) * static_cast<double>(batch.rows);
    return static_cast<u32>(std::min<std::size_t>(threads_worth(work, shared_.layout.threads), batch.rows));
}

template <class Real>
void SlosSimulator<Real>::run(const SimulationBatch& batch) {
    check_batch(*shared_.spec, batch);
    const bool sampled = shared_.needs.sampled || batch.shots > 0;
    if (workers_.empty() || sampled != shared_.needs.sampled) build({sampled || shared_.needs.distribution, sampled});
    const u32 threads = threads_that_pay(batch);
    for (u32 t = 0; t < threads && batch.reports == nullptr; ++t) workers_[t]->reserve(batch.shots);
    if (threads == 1) return workers_[0]->run(batch, 0, batch.rows);
    if (batch.rows == 1)
        return pool_.run(threads, [&](u32 worker) { workers_[worker]->run_states(batch, worker, threads); });
    BatchBlocks blocks(batch, block_rows(batch.rows, threads, std::max(shared_.layout.lanes, shared_.layout.rows)));
    pool_.run(threads, [this, &blocks](u32 worker) { blocks.work(*workers_[worker]); });
    if (blocks.failure) std::rethrow_exception(blocks.failure);
}

template <class Real>
std::size_t least_bytes(const ProgramSpec& spec, bool sampled) {
    return least_layout_bytes<Real>(spec, select_kernel_profile(), {sampled || !has_closed_form(spec), sampled});
}

}  // namespace

std::size_t predict_slos_bytes(const ProgramSpec& spec, Precision precision, bool sampled) {
    return precision == Precision::Float32 ? least_bytes<float>(spec, sampled) : least_bytes<double>(spec, sampled);
}

std::unique_ptr<Simulator> create_slos_simulator(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                                 std::size_t memory_limit_bytes, bool sampled, u32 threads) {
    if (precision == Precision::Float32)
        return std::make_unique<SlosSimulator<float>>(std::move(spec), memory_limit_bytes, sampled, threads);
    return std::make_unique<SlosSimulator<double>>(std::move(spec), memory_limit_bytes, sampled, threads);
}

}  // namespace photonlink::optics
