#include "clifford_simulator.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/clifford.hpp"
#include "photonlink/optics/interferometer.hpp"
#include "photonlink/optics/thread_pool.hpp"
#include "slos_simulator.hpp"

namespace photonlink::optics {
namespace {

constexpr u32 kShotsAtATime = 16;          // that a thread takes
constexpr u64 kMostStates = u64{1} << 32;  // results name them with 32 bits

u64 states_of(const ProgramSpec& spec) { return state_count(spec.readout.space, spec.modes, spec.photons()); }

/// visit(output, value) for every output to which a state adds; ReadoutMap without a table of the basis.
template <class Visit>
void visit_outputs(const ProgramSpec& spec, u64 states, std::size_t outputs, u32 rank, const u8* state, Visit&& visit) {
    const ReadoutSpec& readout = spec.readout;
    std::size_t pair = 0;
    switch (readout.kind) {
        case ReadoutKind::Probabilities:
            if (readout.grouping == Grouping::Lex) return visit(rank / ((states + outputs - 1) / outputs), 1.0);
            return visit(readout.grouping == Grouping::Mod ? rank % outputs : std::size_t{rank}, 1.0);
        case ReadoutKind::ClickPatterns:
            return visit(readout.space == Space::Fock ? click_pattern_rank(spec.modes, spec.photons(), state) : rank,
                         1.0);
        case ReadoutKind::ModeExpectations:
        case ReadoutKind::ClickProbabilities:
            for (u32 i = 0; i < spec.modes; ++i)
                if (state[i] != 0)
                    visit(std::size_t{i}, readout.kind == ReadoutKind::ModeExpectations ? state[i] : 1.0);
            return;
        case ReadoutKind::Correlators:
            for (u32 i = 0; i < spec.modes; pair += spec.modes - 1 - i, ++i)
                for (u32 j = i + 1; state[i] != 0 && j < spec.modes; ++j)
                    if (state[j] != 0) visit(pair + j - i - 1, static_cast<double>(state[i]) * state[j]);
            return;
        case ReadoutKind::Samples:
            return;
    }
}

class CliffordSimulator final : public Simulator {
  public:
    CliffordSimulator(std::shared_ptr<const ProgramSpec> spec, Precision precision, u32 threads);

    std::size_t output_size() const override { return outputs_; }
    std::size_t basis_size() const override { return states_; }
    std::size_t preferred_batch() const override { return 1; }
    std::size_t memory_bytes() const override { return predict_clifford_bytes(*spec_) * workers_.size(); }
    std::string kernel_profile() const override { return profile_.name; }
    u32 threads() const override { return static_cast<u32>(workers_.size()); }
    const char* sampler() const override { return "clifford_clifford_2017"; }
    void run(const SimulationBatch& batch) override;

  private:
    struct Worker {
        CliffordSampler sampler;
        std::vector<u8> state;
    };
    /// The shots of one datapoint, as workers take them.
    struct Shots {
        u64 seed, id;
        u32 count;
        std::atomic<u32> next{0};
        std::atomic<u64> attempts{0};
        std::atomic<bool> hopeless{false};
    };

    u32 threads_that_pay(u32 shots) const;
    void run_row(const SimulationBatch& batch, std::size_t row);
    void work(Worker& worker, Shots& shots);
    bool draw_kept(Worker& worker, Shots& shots, u32 shot);
    void count(RowReport& report);
    void estimate(RowReport& report, u32 shots, bool with_errors);
    void publish(const SimulationBatch& batch, std::size_t row, const RowReport& report) const;

    std::shared_ptr<const ProgramSpec> spec_;
    Precision precision_;
    const KernelProfile& profile_;
    std::size_t outputs_;
    u64 states_;
    Basis basis_;
    Interferometer interferometer_;
    std::vector<Worker> workers_;
    std::vector<u32> ranks_;  // of the states of one datapoint, by shot
    RowReport scratch_;       // for rows whose caller wants no report
    ThreadPool pool_;
};

CliffordSimulator::CliffordSimulator(std::shared_ptr<const ProgramSpec> spec, Precision precision, u32 threads)
    : spec_(std::move(spec)),
      precision_(precision),
      profile_(select_kernel_profile()),
      outputs_(optics::output_size(*spec_)),
      states_(states_of(*spec_)),
      basis_(spec_->readout.space, spec_->modes, spec_->photons()),
      interferometer_(*spec_, 1) {
    for (u32 t = 0; t < threads; ++t)
        workers_.push_back(
            {CliffordSampler(*spec_, interferometer_.occupation(), profile_), std::vector<u8>(spec_->modes)});
}

void CliffordSimulator::run(const SimulationBatch& batch) {
    check_batch(*spec_, batch);
    if (batch.shots == 0)
        throw ProgramError("this program was set up for samples, because its distribution of " +
                           std::to_string(states_) + " states does not fit into memory: ask for shots");
    for (std::size_t row = 0; row < batch.rows; ++row) run_row(batch, row);
}

u32 CliffordSimulator::threads_that_pay(u32 shots) const {
    const double photons = spec_->photons();
    const double shot_ns = photons * (spec_->modes + std::ldexp(1.0, static_cast<int>(photons) - 3));
    return threads_worth(shot_ns * shots, threads());
}

void CliffordSimulator::run_row(const SimulationBatch& batch, std::size_t row) {
    const auto widths = profile_.widths<double>();
    const SlosKernels<double>& one_lane = widths[profile_.width_count<double>() - 1];
    const double* const columns = interferometer_.compose(one_lane, batch.phases + row * spec_->phases.size(), 1);
    const u32 threads = threads_that_pay(batch.shots);
    for (u32 t = 0; t < threads; ++t) workers_[t].sampler.load(columns);
    ranks_.resize(batch.shots);
    Shots shots{batch.seed, batch.ids[row], batch.shots};
    pool_.run(threads, [this, &shots](u32 worker) { work(workers_[worker], shots); });
    if (shots.hopeless.load(std::memory_order_relaxed))
        throw PostSelectionError("a sample of row " + std::to_string(row) + " was given up after " +
                                 std::to_string(kMostAttempts) + " events outside the " +
                                 space_name(spec_->readout.space) +
                                 " space; change the phases, use the fock space, or raise the memory limit so that the "
                                 "distribution of the space itself fits (" +
                                 std::to_string(predict_slos_bytes(*spec_, precision_, true)) + " bytes)");
    RowReport& report = batch.reports != nullptr ? batch.reports[row] : scratch_;
    report.kept_fraction = batch.shots / static_cast<double>(shots.attempts.load(std::memory_order_relaxed));
    if (batch.kept_fractions != nullptr) batch.kept_fractions[row] = report.kept_fraction;
    count(report);
    estimate(report, batch.shots, batch.reports != nullptr);
    publish(batch, row, report);
}

void CliffordSimulator::work(Worker& worker, Shots& shots) {
    // Relaxed throughout: these are numbers to count with; the pool orders everything else.
    while (!shots.hopeless.load(std::memory_order_relaxed)) {
        const u64 first = u64{shots.next.fetch_add(kShotsAtATime, std::memory_order_relaxed)};
        const u32 end = static_cast<u32>(std::min<u64>(first + kShotsAtATime, shots.count));
        if (first >= shots.count) return;
        for (u32 shot = static_cast<u32>(first); shot < end; ++shot) {
            if (!draw_kept(worker, shots, shot)) return shots.hopeless.store(true, std::memory_order_relaxed);
            ranks_[shot] = static_cast<u32>(basis_.rank(worker.state.data()));
        }
    }
}

/// Draws until the state lies in the readout's space.
bool CliffordSimulator::draw_kept(Worker& worker, Shots& shots, u32 shot) {
    for (u32 attempt = 0; attempt < kMostAttempts; ++attempt) {
        worker.sampler.draw(shots.seed, shots.id, shot, attempt, worker.state.data());
        if (!lies_in(spec_->readout.space, worker.state.data(), spec_->modes)) continue;
        shots.attempts.fetch_add(attempt + 1, std::memory_order_relaxed);
        return true;
    }
    return false;
}

void CliffordSimulator::count(RowReport& report) {
    std::sort(ranks_.begin(), ranks_.end());
    report.state_index.clear();
    report.counts.clear();
    for (const u32 rank : ranks_) {
        if (report.state_index.empty() || report.state_index.back() != rank) {
            report.state_index.push_back(rank);
            report.counts.push_back(0);
        }
        ++report.counts.back();
    }
}

void CliffordSimulator::estimate(RowReport& report, u32 shots, bool with_errors) {
    std::vector<double>& values = report.observables;
    std::vector<double>& errors = report.standard_errors;
    values.assign(outputs_, 0.0);
    errors.assign(with_errors ? outputs_ : 0, 0.0);
    std::vector<u8>& state = workers_[0].state;
    const double weight = 1.0 / shots;
    for (std::size_t entry = 0; entry < report.counts.size(); ++entry) {
        basis_.unrank(report.state_index[entry], state.data());
        visit_outputs(*spec_, states_, outputs_, report.state_index[entry], state.data(),
                      [&](std::size_t output, double value) {
                          values[output] += report.counts[entry] * weight * value;
                          if (with_errors) errors[output] += report.counts[entry] * weight * value * value;
                      });
    }
    for (std::size_t o = 0; o < errors.size(); ++o)
        errors[o] = std::sqrt(std::max(0.0, errors[o] - values[o] * values[o]) * weight);
}

void CliffordSimulator::publish(const SimulationBatch& batch, std::size_t row, const RowReport& report) const {
    void* const out = batch.observables == nullptr ? nullptr : batch.observables[row];
    if (out == nullptr) return;
    if (precision_ == Precision::Float64)
        std::copy(report.observables.begin(), report.observables.end(), static_cast<double*>(out));
    else
        std::transform(report.observables.begin(), report.observables.end(), static_cast<float*>(out),
                       [](double value) { return static_cast<float>(value); });
}

}  // namespace

u64 predict_clifford_bytes(const ProgramSpec& spec) {
    if (states_of(spec) > kMostStates) return kSaturated;
    return saturating_add(saturating_add(CliffordSampler::predict_bytes(spec), Interferometer::predict_bytes(spec, 1)),
                          saturating_mul(output_size(spec), 2 * sizeof(double)));
}

std::unique_ptr<Simulator> create_clifford_simulator(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                                     std::size_t memory_limit_bytes, u32 threads) {
    if (states_of(*spec) > kMostStates)
        throw ProgramError("samples of " + std::to_string(spec->photons()) + " photons in " +
                           std::to_string(spec->modes) + " modes fall on " + count_text(states_of(*spec)) +
                           " states, but results number at most 2^32 of them; use fewer photons or modes");
    const u64 bytes = predict_clifford_bytes(*spec);
    if (bytes > memory_limit_bytes)
        throw ProgramError("estimating the " + std::to_string(output_size(*spec)) + " outputs of this program takes " +
                           count_text(bytes) + " bytes, but the limit is " + std::to_string(memory_limit_bytes) +
                           " bytes; use a samples readout, mode expectations, correlators or a grouping, or raise the "
                           "limit");
    const u64 affordable = std::max<u64>(1, memory_limit_bytes / bytes);
    const u32 most = static_cast<u32>(std::min<u64>(usable_threads(threads), affordable));
    return std::make_unique<CliffordSimulator>(std::move(spec), precision, most);
}

}  // namespace photonlink::optics
